// What IAM reads of an identity provider's metadata: that it is XML, of an identity provider, with certificates that can be read.
// https://docs.oasis-open.org/security/saml/v2.0/saml-metadata-2.0-os.pdf
import { X509Certificate } from "node:crypto";

export interface Metadata {
  readonly entityId: string;
  /** ms since the epoch. */
  readonly validUntil?: number;
}

/** undefined: no metadata of an identity provider. */
export function readMetadata(text: string): Metadata | undefined {
  const elements = read(text);
  const entity = elements?.[0];
  const entityId = entity?.attributes.get("entityID");
  if (!elements || entity?.name !== "EntityDescriptor" || !entityId) return undefined;
  const certificates = elements.filter(
    ({ name, within }) => name === "X509Certificate" && within.includes("IDPSSODescriptor"),
  );
  if (certificates.length === 0 || !certificates.every(({ text }) => isCertificate(text))) return undefined;
  if (!elements.some(({ name, within }) => name === "SingleSignOnService" && within.includes("IDPSSODescriptor")))
    return undefined;
  const until = entity.attributes.get("validUntil");
  const validUntil = until === undefined ? undefined : Date.parse(until);
  return Number.isNaN(validUntil) ? undefined : { entityId, ...(validUntil !== undefined && { validUntil }) };
}

function isCertificate(base64: string): boolean {
  try {
    new X509Certificate(Buffer.from(base64.replace(/\s/g, ""), "base64"));
    return true;
  } catch {
    // Whoever asks has AWS's sentence for it.
    return false;
  }
}

interface Element {
  /** Without its namespace's prefix. */
  readonly name: string;
  readonly attributes: ReadonlyMap<string, string>;
  /** Names of the elements around it. */
  readonly within: readonly string[];
  text: string;
}

const TOKEN =
  /<\?[\s\S]*?\?>|<!--[\s\S]*?-->|<!\[CDATA\[([\s\S]*?)\]\]>|<(\/?)([\w.-]+:)?([\w.-]+)((?:\s+[\w.:-]+\s*=\s*(?:"[^"<]*"|'[^'<]*'))*)\s*(\/?)>|([^<]+)/gy;
const ATTRIBUTE = /([\w.:-]+)\s*=\s*(?:"([^"]*)"|'([^']*)')/g;

/** All elements in their order, the root first; undefined where the text is not well-formed. A DTD is refused: it could name files. */
function read(text: string): Element[] | undefined {
  const elements: Element[] = [];
  const open: Element[] = [];
  let at = 0;
  for (const found of text.matchAll(TOKEN)) {
    at = found.index + found[0].length;
    const [, data, close, , name, attributes = "", empty, chars] = found;
    const around = open.at(-1);
    if (chars !== undefined || data !== undefined) {
      if (around) around.text += chars ?? data;
      else if ((chars ?? data)!.replace("\uFEFF", "").trim() !== "") return undefined;
    } else if (close) {
      if (open.pop()?.name !== name) return undefined;
    } else if (name !== undefined) {
      if (!around && elements.length > 0) return undefined;
      const element = { name, attributes: attributesOf(attributes), within: open.map((one) => one.name), text: "" };
      elements.push(element);
      if (!empty) open.push(element);
    }
  }
  return at === text.length && open.length === 0 ? elements : undefined;
}

const attributesOf = (text: string): Map<string, string> =>
  new Map([...text.matchAll(ATTRIBUTE)].map(([, name, double, single]) => [name!, double ?? single ?? ""]));
