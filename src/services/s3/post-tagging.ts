// The `tagging` field of a posted form: the document of PutObjectTagging, as what the x-amz-tagging header says.
import { errors } from "./errors.ts";

const DOCUMENT = /^\s*(?:<\?xml[^>]*\?>)?\s*<Tagging(?:\s[^>]*)?>\s*<TagSet>(.*)<\/TagSet>\s*<\/Tagging>\s*$/s;
const TAG = /\s*<Tag>\s*<Key>([^<]*)<\/Key>\s*<Value>([^<]*)<\/Value>\s*<\/Tag>\s*/y;

/** Throws MalformedXML. */
export function tagsFromXml(text: string): string {
  const tags = /^\s*(?:<\?xml[^>]*\?>)?\s*<Tagging(?:\s[^>]*)?>\s*<TagSet\s*\/>\s*<\/Tagging>\s*$/.test(text)
    ? ""
    : DOCUMENT.exec(text)?.[1];
  if (tags === undefined) throw errors.malformedXml();
  const query = new URLSearchParams();
  for (TAG.lastIndex = 0; TAG.lastIndex < tags.trimEnd().length; ) {
    const found = TAG.exec(tags);
    if (!found) throw errors.malformedXml();
    query.append(unescaped(found[1]!), unescaped(found[2]!));
  }
  return query.toString();
}

const NAMED: Readonly<Record<string, string>> = { lt: "<", gt: ">", amp: "&", quot: '"', apos: "'" };

const unescaped = (text: string): string =>
  text.replace(/&(?:#x([\da-fA-F]{1,6})|#(\d{1,7})|(\w+));/g, (_, hex?: string, decimal?: string, name?: string) => {
    if (name !== undefined && NAMED[name] === undefined) throw errors.malformedXml();
    if (name !== undefined) return NAMED[name]!;
    const point = hex === undefined ? Number(decimal) : Number.parseInt(hex, 16);
    if (point > 0x10ffff) throw errors.malformedXml();
    return String.fromCodePoint(point);
  });
