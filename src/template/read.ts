// YAML or JSON (which is YAML) -> nodes. Only what CloudFormation reads: no aliases, no merge keys, no tags but its functions.
// https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/template-formats.html
import { Alias, isMap, isScalar, isSeq, LineCounter, type Pair, type ParsedNode, parseDocument } from "yaml";
import { call, type Fields, type Node, TemplateError } from "./node.ts";

/** CloudFormation's own limit of a template's body is 1 MB. */
const MAX_BYTES = 1024 * 1024;
const MAX_DEPTH = 100;

/** Short forms: `!Sub` is `Fn::Sub`; two have no `Fn::`. */
const FUNCTIONS = ["GetAtt", "Sub", "Join", "Select", "Split", "If", "Equals", "And", "Or", "Not"];
const LONG_NAMES = new Map([
  ["Ref", "Ref"],
  ["Condition", "Condition"],
  ...FUNCTIONS.map((name) => [name, `Fn::${name}`] as const),
]);
const TAG_KINDS = ["scalar", "seq", "map"] as const;

/** Throws TemplateError with the line of the first fault. */
export function readNodes(text: string): Node {
  if (Buffer.byteLength(text) > MAX_BYTES) throw new TemplateError(1, "", `a template has at most ${MAX_BYTES} bytes`);
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines, customTags: tags(), logLevel: "silent", strict: true });
  const [fault] = [...document.errors, ...document.warnings];
  if (fault) {
    const [sentence] = fault.message.split(/ at line \d|\n/);
    const text = sentence!.replace(/^Unresolved tag: /, "aws-like does not understand the function ");
    throw new TemplateError(lines.linePos(fault.pos[0]).line, "", text);
  }
  const lineOf = (given: ParsedNode) => lines.linePos(given.range[0]).line;
  if (!document.contents) throw new TemplateError(1, "", "the template is empty");
  return convert(document.contents, { line: lineOf(document.contents), path: "", depth: 0 });

  function convert(given: ParsedNode, at: { line: number; path: string; depth: number }): Node {
    const { line, path, depth } = at;
    if (depth > MAX_DEPTH) throw new TemplateError(line, "", `values are nested more than ${MAX_DEPTH} deep`);
    if (given instanceof Alias) throw new TemplateError(line, path, "CloudFormation does not support YAML's aliases");
    const name = given.tag?.startsWith("!") ? LONG_NAMES.get(given.tag.slice(1)) : undefined;
    if (given.tag?.startsWith("!") && !name)
      throw new TemplateError(line, path, `aws-like does not understand the function ${given.tag}`);
    const plain = convertPlain(given, { line, path, depth: depth + 1 });
    return name ? call(line, name, shortArgument(name, plain)) : plain;
  }

  function convertPlain(given: ParsedNode, at: { line: number; path: string; depth: number }): Node {
    const { line, path, depth } = at;
    if (isSeq<ParsedNode>(given))
      return {
        kind: "list",
        line,
        items: given.items.map((item, i) => convert(item, { line: lineOf(item), path: `${path}[${i}]`, depth })),
      };
    if (isMap<ParsedNode, ParsedNode | null>(given)) return convertFields(given.items, at);
    if (!isScalar(given)) throw new TemplateError(line, path, "aws-like does not understand this value");
    const value = given.value as string | number | boolean | bigint | null;
    return {
      kind: "scalar",
      line,
      value: typeof value === "bigint" ? Number(value) : value,
      text: typeof value === "string" ? value : (given.source ?? String(value)),
    };
  }

  function convertFields(
    pairs: readonly Pair<ParsedNode, ParsedNode | null>[],
    { line, path, depth }: { line: number; path: string; depth: number },
  ): Node {
    const fields = new Map<string, Node>();
    for (const { key, value } of pairs) {
      const keyLine = lineOf(key);
      const keyText = isScalar(key) ? (key.source ?? String(key.value)) : "";
      if (!isScalar(key) || keyText === "<<") throw new TemplateError(keyLine, path, "a key is a plain word");
      const below = { line: keyLine, path: path ? `${path}.${keyText}` : keyText, depth };
      fields.set(keyText, value ? convert(value, below) : { kind: "scalar", line: keyLine, value: null, text: "" });
    }
    return longForm({ kind: "fields", line, fields }, path);
  }
}

/** `{Ref: X}` and `{"Fn::Sub": ...}`. A `Condition` of one field is a call only within Conditions, where evaluation knows it. */
function longForm(given: Fields, path: string): Node {
  const [only] = given.fields;
  if (given.fields.size !== 1 || !only) return given;
  const [name, argument] = only;
  if (name === "Ref") return call(given.line, name, argument);
  if (!name.startsWith("Fn::")) return given;
  if (!FUNCTIONS.includes(name.slice(4)))
    throw new TemplateError(argument.line, path, `aws-like does not understand the function ${name}`);
  return call(given.line, name, name === "Fn::GetAtt" ? shortArgument(name, argument) : argument);
}

/** `!GetAtt A.B.C` is `[A, B.C]`. */
function shortArgument(name: string, argument: Node): Node {
  if (name !== "Fn::GetAtt" || argument.kind !== "scalar") return argument;
  const { line, text } = argument;
  const dot = text.indexOf(".");
  const parts = dot < 0 ? [text] : [text.slice(0, dot), text.slice(dot + 1)];
  return { kind: "list", line, items: parts.map((part) => ({ kind: "scalar", line, value: part, text: part })) };
}

/** The library keeps the tag of what it resolves; each tag may stand before a word, a list or fields. */
function tags() {
  return [...LONG_NAMES.keys()].flatMap((name) =>
    TAG_KINDS.map((kind) => ({
      tag: `!${name}`,
      ...(kind !== "scalar" && { collection: kind }),
      resolve: (value: unknown) => value as never,
    })),
  );
}
