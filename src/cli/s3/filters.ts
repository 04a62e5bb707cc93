// --include and --exclude, as `aws s3 sync` reads them: shell patterns over the whole path below the root, where `*` crosses slashes; of those that
// match, the last one decides. https://docs.aws.amazon.com/cli/latest/reference/s3/#use-of-exclude-and-include-filters

export interface Filter {
  readonly kind: "include" | "exclude";
  readonly pattern: string;
}

export type Chosen = (path: string) => boolean;

export function chooser(filters: readonly Filter[]): Chosen {
  const rules = filters.map(({ kind, pattern }) => ({ include: kind === "include", matches: patternOf(pattern) }));
  return (path) => rules.findLast(({ matches }) => matches.test(path))?.include ?? true;
}

/** `*`, `?`, `[abc]`, `[!a-c]`; a bracket that is never closed is one. */
function patternOf(text: string): RegExp {
  const parts = text.match(/\*+|\?|\[!?\]?[^\]]*\]|[\s\S]/gu) ?? [];
  const sources = parts.map((part) => {
    if (part.startsWith("*")) return ".*";
    if (part === "?") return ".";
    if (part.length > 1 && part.startsWith("[")) {
      const inner = part.slice(1, -1).replace(/[\\[\]^&|~]/g, "\\$&");
      return inner.startsWith("!") ? `[^${inner.slice(1)}]` : `[${inner}]`;
    }
    return part.replace(/[\\^$.*+?()[\]{}|/]/g, "\\$&");
  });
  return new RegExp(`^${sources.join("")}$`, "su");
}
