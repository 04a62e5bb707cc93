// User metadata: UTF-8 in a row, ASCII in a header. What is not ASCII travels as RFC 2047 words, in the form that S3 gives them: recorded on AWS, whose
// answers are those of JavaMail's MimeUtility (Q where ASCII is the greater part, B otherwise).

/** A header as it was sent, read as latin-1: raw UTF-8 or RFC 2047 words, as text. */
export function metadataFrom(header: string): string {
  // A call from within has text already.
  const text = [...header].some((character) => character > "\xff")
    ? header
    : Buffer.from(header, "latin1").toString("utf8");
  return text.replace(/=\?UTF-8\?([BQ])\?([^?]*)\?=/gi, (_, encoding: string, word: string) =>
    Buffer.from(encoding.toUpperCase() === "B" ? fromBase64(word) : fromQ(word)).toString("utf8"),
  );
}

/** As a header that any client can read. */
export function metadataTo(text: string): string {
  const characters = [...text];
  const odd = characters.filter((character) => /[^\t\r\n\x20-\x7e]/.test(character)).length;
  if (odd === 0) return text;
  const bytes = Buffer.from(text);
  return odd < characters.length - odd ? `=?UTF-8?Q?${toQ(bytes)}?=` : `=?UTF-8?B?${bytes.toString("base64")}?=`;
}

const toQ = (bytes: Uint8Array): string =>
  Array.from(bytes, (byte) => {
    const character = String.fromCharCode(byte);
    if (character === " ") return "_";
    return byte > 0x20 && byte < 0x7f && !"=?_".includes(character)
      ? character
      : `=${byte.toString(16).toUpperCase().padStart(2, "0")}`;
  }).join("");

const fromQ = (word: string): Uint8Array =>
  Buffer.from(
    word
      .replaceAll("_", " ")
      .replace(/=([0-9A-F]{2})/gi, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16))),
    "latin1",
  );

const fromBase64 = (word: string): Uint8Array => Buffer.from(word, "base64");
