// Chance and names: the one place where random values are made, and where ARNs are put together and taken apart.
import { randomBytes, randomFillSync, randomUUID } from "node:crypto";
import type { Account } from "../config.ts";

export type Arn = string;

/** A version-4 UUID, as most services' request ids are. */
export const newRequestId = (): string => randomUUID();

/** DynamoDB's: 52 characters of A-Z0-9. */
export const newLongRequestId = (): string => pick(UPPER_DIGITS, 52);

/** S3's: 16 upper-case hexadecimal digits or letters. */
export const newShortRequestId = (): string => pick(UPPER_DIGITS, 16);

const UPPER_ALNUM = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
const HEX_DIGITS = "0123456789abcdef";
const UPPER_DIGITS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789";
const ALNUM = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";

/** `length` characters of A-Z2-7, as in access key ids and unique ids (AKIA..., AROA...). */
export const newUniqueId = (prefix: string, length = 21): string => prefix + pick(UPPER_ALNUM, length - prefix.length);

/** `length` characters of A-Za-z0-9, for upload ids, secrets and tokens. */
export const newToken = (length: number): string => pick(ALNUM, length);

/** Lower-case hexadecimal digits. */
export const newHex = (digits: number): string => pick(HEX_DIGITS, digits);

/** A fraction in [0, 1), for jitter. */
export const chance = (): number => randomBytes(4).readUInt32BE() / 2 ** 32;

function pick(alphabet: string, length: number): string {
  const fair = 256 - (256 % alphabet.length);
  let out = "";
  while (out.length < length) {
    const byte = randomByte();
    if (byte < fair) out += alphabet[byte % alphabet.length];
  }
  return out;
}

// Drawn together, as randomUUID does: each request has an id, and each draw costs as much as a thousand bytes.
const drawn = new Uint8Array(8192);
let left = 0;

function randomByte(): number {
  if (left === 0) left = randomFillSync(drawn).length;
  return drawn[--left]!;
}

export interface ArnParts {
  readonly partition: string;
  readonly service: string;
  readonly region: string;
  readonly account: string;
  /** All after the fifth colon: `function:name:alias`, `table/name`, `bucket/key`. */
  readonly resource: string;
}

/** https://docs.aws.amazon.com/IAM/latest/UserGuide/reference-arns.html; undefined where the text is no ARN. */
export function parseArn(arn: string): ArnParts | undefined {
  const [head, partition, service, region, account, ...rest] = arn.split(":");
  if (head !== "arn" || !partition || !service || rest.length === 0) return undefined;
  return { partition, service, region: region!, account: account!, resource: rest.join(":") };
}

// 16 digits of 5 bits: one that AWS ignores, 40 for the account, 39 of chance.
const CHANCE_BITS = 39n;

/** `AKIA` or `ASIA` and 16 of A-Z2-7. It carries its account, where AWS's does: GetAccessKeyInfo needs no look-up. */
export function newAccessKeyId(prefix: "AKIA" | "ASIA", account: string): string {
  const random = randomBytes(5).reduce((all, byte) => (all << 8n) | BigInt(byte), 0n);
  let left = (BigInt(account) << CHANCE_BITS) | (random >> 1n);
  let digits = "";
  for (; digits.length < 16; left >>= 5n) digits = UPPER_ALNUM[Number(left & 31n)] + digits;
  return prefix + digits;
}

/** The account in an access key id; undefined where the id is none that AWS could have made. */
export function accountOfAccessKey(id: string): string | undefined {
  if (!/^A[KS]IA[A-Z2-7]{16}$/.test(id)) return undefined;
  let all = 0n;
  for (const digit of id.slice(4)) all = (all << 5n) | BigInt(UPPER_ALNUM.indexOf(digit));
  const account = (all >> CHANCE_BITS) & 0xffffffffffn;
  return account < 10n ** 12n ? String(account).padStart(12, "0") : undefined;
}

/** An account as S3's ACLs and policies know it: 64 hexadecimal digits, the accounts file's or made of the account's number. */
export const canonicalIdOf = (account: string, accounts: readonly Account[]): string =>
  accounts.find(({ id }) => id === account)?.canonicalId ?? account.padStart(64, "0");
