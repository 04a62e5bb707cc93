// A self-signed X.509 certificate, which node cannot make: the little DER that it takes. RFC 5280, section 4.1.
import { type KeyObject, sign } from "node:crypto";

const SEQUENCE = 0x30;
const SET = 0x31;
const INTEGER = 0x02;
const BIT_STRING = 0x03;
const OCTET_STRING = 0x04;
const UTF8_STRING = 0x0c;
const GENERALIZED_TIME = 0x18;
const CONTEXT_0 = 0xa0;
const CONTEXT_3 = 0xa3;

const SHA256_WITH_RSA = Buffer.from("300d06092a864886f70d01010b0500", "hex");
const COMMON_NAME = Buffer.from("0603550403", "hex");
const SUBJECT_ALT_NAME = Buffer.from("0603551d11", "hex");
const DNS_NAME = 0x82;
const VERSION_3 = Buffer.from("020102", "hex");
/** It must hold on any clock that this cloud may be moved to. */
const NOT_BEFORE = "20000101000000Z";
const NOT_AFTER = "99991231235959Z";

/** PEM. `serial`: up to 19 bytes, after a first of our own. */
export function selfSigned(
  { privateKey, publicKey }: { privateKey: KeyObject; publicKey: KeyObject },
  { commonName, serial }: { commonName: string; serial: Buffer },
): string {
  const name = der(SEQUENCE, der(SET, der(SEQUENCE, COMMON_NAME, der(UTF8_STRING, Buffer.from(commonName)))));
  const validity = der(SEQUENCE, time(NOT_BEFORE), time(NOT_AFTER));
  const spki = publicKey.export({ type: "spki", format: "der" });
  const alternative = der(SEQUENCE, der(DNS_NAME, Buffer.from(commonName)));
  const extensions = der(SEQUENCE, der(SEQUENCE, SUBJECT_ALT_NAME, der(OCTET_STRING, alternative)));
  const toBeSigned = der(
    SEQUENCE,
    der(CONTEXT_0, VERSION_3),
    // Positive, and in its shortest form, whatever the serial begins with.
    der(INTEGER, Buffer.concat([Buffer.of(1), serial])),
    SHA256_WITH_RSA,
    name,
    validity,
    name,
    spki,
    der(CONTEXT_3, extensions),
  );
  const signature = sign("sha256", toBeSigned, privateKey);
  const whole = der(SEQUENCE, toBeSigned, SHA256_WITH_RSA, der(BIT_STRING, Buffer.of(0), signature));
  const lines = whole.toString("base64").match(/.{1,64}/g)!;
  return ["-----BEGIN CERTIFICATE-----", ...lines, "-----END CERTIFICATE-----", ""].join("\n");
}

const time = (text: string): Buffer => der(GENERALIZED_TIME, Buffer.from(text));

function der(tag: number, ...parts: readonly Buffer[]): Buffer {
  const content = Buffer.concat(parts);
  if (content.length < 0x80) return Buffer.concat([Buffer.of(tag, content.length), content]);
  const digits = content.length < 0x100 ? 1 : 2;
  const length = Buffer.alloc(digits);
  length.writeUIntBE(content.length, 0, digits);
  return Buffer.concat([Buffer.of(tag, 0x80 | digits), length, content]);
}
