// The models' patterns are Java's; JavaScript reads nearly all of them alike.

/** Patterns that backtrack without end (the second in cubic time), and what they mean. Measured over all models: the others are harmless. */
const REWRITTEN: Readonly<Record<string, string>> = {
  "^[ \\t]*[^\\x00-\\x1F:\\x7F]+([ \\t]+[^\\x00-\\x1F:\\x7F]+)*[ \\t]*$":
    "\\t*[^\\x00-\\x1F:\\x7F](?:\\t|[^\\x00-\\x1F:\\x7F])*",
  "^[a-z0-9A-Z]+[\\.\\-\\w]*[a-z0-9A-Z]+$": "[a-z0-9A-Z][.\\-\\w]*[a-z0-9A-Z]",
  "^[ \\t]*[\\x20-\\x7E]+([ \\t]+[\\x20-\\x7E]+)*[ \\t]*$": "\\t*[\\x20-\\x7E][\\t\\x20-\\x7E]*",
  "[ \\t]*[\\x20-\\x7E]+([ \\t]+[\\x20-\\x7E]+)*[ \\t]*|(\\$(\\.[\\w/_-]+(\\[(\\d+|\\*)\\])*)*)":
    "\\t*[\\x20-\\x7E][\\t\\x20-\\x7E]*|(\\$(\\.[\\w/_-]+(\\[(\\d+|\\*)\\])*)*)",
};

/** Of the whole string, as Java's `matches`. Throws SyntaxError for a pattern that JavaScript cannot read. */
export function compilePattern(pattern: string): (value: string) => boolean {
  const regex = compile(REWRITTEN[pattern] ?? pattern);
  return (value) => regex.test(value);
}

function compile(pattern: string): RegExp {
  // `(?i)` at the start: JavaScript has it as a flag.
  const inline = /^\(\?([ims]+)\)/.exec(pattern);
  const flags = inline?.[1] ?? "";
  const source = `^(?:${pattern.slice(inline?.[0].length ?? 0)})$`;
  try {
    // By code points, as Java; then a needless backslash is an error, which Java does not mind.
    return new RegExp(source.replace(/\\([^\w^$\\.*+?()[\]{}|/-])/g, "$1"), `u${flags}`);
  } catch (error) {
    if (error instanceof SyntaxError) return new RegExp(source, flags);
    throw error;
  }
}
