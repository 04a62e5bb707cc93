// XML as text: a small parser for what AWS's clients send, and exact escaping. No DTD, no entities but the five and
// character references; both are refused, as S3 refuses them.

export interface Element {
  /** Without its prefix. */
  readonly name: string;
  readonly attributes: Readonly<Record<string, string>>;
  readonly children: readonly Element[];
  /** All character data directly in it, joined. */
  readonly text: string;
}

/** Not well-formed, or beyond the limits. The caller says MalformedXML. */
export class XmlError extends Error {}

const MAX_DEPTH = 128;
const MAX_ELEMENTS = 200_000;
const ENTITIES: ReadonlyMap<string, string> = new Map([
  ["lt", "<"],
  ["gt", ">"],
  ["amp", "&"],
  ["quot", '"'],
  ["apos", "'"],
]);
const NAME = /[A-Za-z_\u0080-\uffff][\w.\-:\u0080-\uffff]*/y;
const ATTRIBUTE = /\s+([A-Za-z_\u0080-\uffff][\w.\-:\u0080-\uffff]*)\s*=\s*(?:"([^"<]*)"|'([^'<]*)')/y;
const TAG_END = /\s*(\/?)>/y;

interface Open {
  readonly name: string;
  readonly qualified: string;
  readonly attributes: Record<string, string>;
  readonly children: Element[];
  text: string;
}

/** The document's root. Comments, processing instructions and the declaration are passed over. */
export function parseXml(source: string): Element {
  let at = source.charCodeAt(0) === 0xfeff ? 1 : 0;
  let elements = 0;
  const open: Open[] = [];
  let root: Element | undefined;
  while (at < source.length) {
    const lt = source.indexOf("<", at);
    const end = lt === -1 ? source.length : lt;
    if (end > at) text(source.slice(at, end));
    if (lt === -1) break;
    at = lt;
    if (source.startsWith("<!--", at)) at = after("-->", at + 4);
    else if (source.startsWith("<?", at)) at = after("?>", at + 2);
    else if (source.startsWith("<![CDATA[", at)) cdata();
    else if (source[at + 1] === "!") throw new XmlError("a document type is not allowed");
    else if (source[at + 1] === "/") close();
    else start();
  }
  if (open.length > 0 || !root) throw new XmlError("the document ends too early");
  return root;

  function after(mark: string, from: number): number {
    const found = source.indexOf(mark, from);
    if (found === -1) throw new XmlError(`${mark} is missing`);
    return found + mark.length;
  }

  function text(raw: string): void {
    const top = open.at(-1);
    if (top) top.text += unescapeXml(raw);
    else if (raw.trim() !== "") throw new XmlError("text outside the root");
  }

  function cdata(): void {
    const top = open.at(-1);
    if (!top) throw new XmlError("text outside the root");
    const end = after("]]>", at + 9);
    top.text += source.slice(at + 9, end - 3);
    at = end;
  }

  function start(): void {
    if (root) throw new XmlError("a second root");
    if (open.length >= MAX_DEPTH || ++elements > MAX_ELEMENTS) throw new XmlError("the document is too large");
    NAME.lastIndex = at + 1;
    const qualified = NAME.exec(source)?.[0];
    if (!qualified) throw new XmlError("a name is missing");
    let from = NAME.lastIndex;
    const attributes = Object.create(null) as Record<string, string>;
    for (;;) {
      ATTRIBUTE.lastIndex = from;
      const match = ATTRIBUTE.exec(source);
      if (!match) break;
      if (match[1]! in attributes) throw new XmlError("an attribute occurs twice");
      attributes[match[1]!] = unescapeXml(match[2] ?? match[3]!);
      from = ATTRIBUTE.lastIndex;
    }
    TAG_END.lastIndex = from;
    const tagEnd = TAG_END.exec(source);
    if (!tagEnd) throw new XmlError("a tag does not end");
    at = TAG_END.lastIndex;
    open.push({ name: local(qualified), qualified, attributes, children: [], text: "" });
    if (tagEnd[1]) finish();
  }

  function close(): void {
    NAME.lastIndex = at + 2;
    const qualified = NAME.exec(source)?.[0];
    TAG_END.lastIndex = NAME.lastIndex;
    const tagEnd = qualified && TAG_END.exec(source);
    if (!tagEnd || tagEnd[1] || open.at(-1)?.qualified !== qualified) throw new XmlError("tags do not match");
    at = TAG_END.lastIndex;
    finish();
  }

  function finish(): void {
    const { name, attributes, children, text } = open.pop()!;
    const element = { name, attributes, children, text };
    const parent = open.at(-1);
    if (parent) parent.children.push(element);
    else root = element;
  }
}

/** Without the prefix: clients choose their own. */
export function local(qualified: string): string {
  return qualified.slice(qualified.indexOf(":") + 1);
}

function unescapeXml(raw: string): string {
  if (!raw.includes("&")) return raw;
  return raw.replace(/&([^;]{0,10})(;?)/g, (_, name: string, semicolon: string) => {
    const known = semicolon ? (ENTITIES.get(name) ?? reference(name)) : undefined;
    if (known === undefined) throw new XmlError(`an unknown entity: &${name};`);
    return known;
  });
}

function reference(name: string): string | undefined {
  const digits = /^#(?:x([0-9a-fA-F]{1,6})|(\d{1,7}))$/.exec(name);
  if (!digits) return undefined;
  const code = digits[1] ? Number.parseInt(digits[1], 16) : Number(digits[2]);
  return code > 0 && code <= 0x10ffff && !(code >= 0xd800 && code <= 0xdfff) ? String.fromCodePoint(code) : undefined;
}

const TEXT: Record<string, string> = { "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;" };
// biome-ignore lint/suspicious/noControlCharactersInRegex: exactly these need a reference
const SPECIAL = /[&<>"\u0000-\u001f\u007f\u0085\u2028\ufffe\uffff]/g;
// biome-ignore lint/suspicious/noControlCharactersInRegex: as above
const PLAIN = /^[^&<>"\u0000-\u001f\u007f\u0085\u2028\ufffe\uffff]*$/;

/** S3 writes control characters of keys as `&#x1;`, though XML 1.0 knows no such character; a line feed stays itself. */
export function escapeXml(text: string): string {
  if (PLAIN.test(text)) return text;
  return text.replace(SPECIAL, (c) => TEXT[c] ?? (c === "\n" ? c : `&#x${c.charCodeAt(0).toString(16)};`));
}
