// Encryption with the customer's key: AES-256 in counter mode, so that a range is read without what stands before it. The key is kept nowhere: only an
// HMAC that tells it again. https://docs.aws.amazon.com/AmazonS3/latest/userguide/ServerSideEncryptionCustomerKeys.html
import { type Cipheriv, createCipheriv, createHash, createHmac, timingSafeEqual } from "node:crypto";
import { pipeline, Readable, Transform } from "node:stream";
import { newHex } from "../../kernel/mod.ts";
import { errors } from "./errors.ts";

const KEY_BYTES = 32;
const BLOCK = 16;

export interface CustomerKey {
  readonly key: Buffer;
  /** base64, as it is answered. */
  readonly md5: string;
}

interface KeyInput {
  readonly SSECustomerAlgorithm?: string | undefined;
  readonly SSECustomerKey?: string | undefined;
  readonly SSECustomerKeyMD5?: string | undefined;
}

/** The key that a request brings. Throws in AWS's words and order; undefined where it brings none. */
export function customerKey(input: KeyInput): CustomerKey | undefined {
  const { SSECustomerAlgorithm: algorithm, SSECustomerKey: text, SSECustomerKeyMD5: said } = input;
  if (algorithm === undefined && text === undefined && said === undefined) return undefined;
  if (algorithm === undefined) throw errors.customerKey("must provide a valid encryption algorithm.");
  if (algorithm !== "AES256") throw errors.invalidEncryption(algorithm);
  if (text === undefined) throw errors.customerKey("must provide an appropriate secret key.");
  if (said === undefined) throw errors.customerKey("must provide the client calculated MD5 of the secret key.");
  const key = Buffer.from(text, "base64");
  if (key.length !== KEY_BYTES)
    throw errors.customerKeyInvalid("The secret key was invalid for the specified algorithm.");
  const md5 = createHash("md5").update(key).digest("base64");
  if (md5 !== said)
    throw errors.customerKeyInvalid("The calculated MD5 hash of the key did not match the hash that was provided.");
  return { key, md5 };
}

/** The key of a copy's source. */
export const sourceKey = (input: object): CustomerKey | undefined => {
  const given = input as Readonly<Record<string, string | undefined>>;
  return customerKey({
    SSECustomerAlgorithm: given.CopySourceSSECustomerAlgorithm,
    SSECustomerKey: given.CopySourceSSECustomerKey,
    SSECustomerKeyMD5: given.CopySourceSSECustomerKeyMD5,
  });
};

/** What is kept of a key, to know it again. */
export interface Known {
  readonly md5: string;
  readonly salt: string;
  readonly check: string;
}

export function remember({ key, md5 }: CustomerKey): Known {
  const salt = newHex(32);
  return { md5, salt, check: checkOf(key, salt) };
}

export const isKey = ({ salt, check }: Known, { key }: CustomerKey): boolean =>
  timingSafeEqual(Buffer.from(checkOf(key, salt)), Buffer.from(check));

const checkOf = (key: Buffer, salt: string): string => createHmac("sha256", key).update(salt).digest("base64");

/** Bytes of a file that were encrypted in one go: an object, or a part of one. */
export interface Segment {
  readonly size: number;
  /** 16 bytes, hexadecimal: where the counter begins. */
  readonly nonce: string;
}

/** Takes in plain bytes in their order, gives encrypted ones. */
export interface Seal {
  readonly nonce: string;
  update(chunk: Uint8Array): Uint8Array;
  /** Of what was given, hexadecimal. */
  md5(): string;
}

export function newSeal({ key }: CustomerKey): Seal {
  const nonce = newHex(32);
  const cipher = cipherAt(key, nonce, 0);
  const hash = createHash("md5");
  return {
    nonce,
    update(chunk) {
      const sealed = cipher.update(chunk);
      hash.update(sealed);
      return sealed;
    },
    md5: () => hash.digest("hex"),
  };
}

/** Turns what lies from `start` on back into plain bytes, chunk after chunk. */
export function openerAt(
  { key }: CustomerKey,
  segments: readonly Segment[],
  start: number,
): (chunk: Uint8Array) => Uint8Array {
  let at = 0;
  let inside = start;
  while (at < segments.length - 1 && inside >= segments[at]!.size) inside -= segments[at++]!.size;
  let cipher: Cipheriv | undefined;
  return (chunk) => {
    const plain: Uint8Array[] = [];
    for (let rest = chunk; rest.length > 0; ) {
      const { size, nonce } = segments[at]!;
      cipher ??= cipherAt(key, nonce, inside);
      const some = rest.subarray(0, size - inside);
      plain.push(cipher.update(some));
      inside += some.length;
      rest = rest.subarray(some.length);
      if (inside === size) [at, inside, cipher] = [at + 1, 0, undefined];
    }
    return plain.length === 1 ? plain[0]! : Buffer.concat(plain);
  };
}

export function openedBody<B extends Readable | Uint8Array>(
  body: B,
  open: (chunk: Uint8Array) => Uint8Array,
): Readable | Uint8Array {
  if (!(body instanceof Readable)) return open(body);
  const plain = new Transform({ transform: (chunk, _, done) => done(null, open(chunk as Uint8Array)) });
  // An error, and a client that goes away, reach both: the answer breaks off, the file is closed.
  pipeline(body, plain, () => undefined);
  return plain;
}

/** In counter mode to encrypt and to decrypt is the same. */
function cipherAt(key: Buffer, nonce: string, offset: number): Cipheriv {
  const counter = (BigInt(`0x${nonce}`) + BigInt(Math.floor(offset / BLOCK))) & ((1n << 128n) - 1n);
  const cipher = createCipheriv("aes-256-ctr", key, Buffer.from(counter.toString(16).padStart(2 * BLOCK, "0"), "hex"));
  cipher.update(Buffer.alloc(offset % BLOCK));
  return cipher;
}
