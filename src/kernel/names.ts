// Chance and names: the one place where random values are made, and where ARNs are put together and taken apart.
import { randomBytes, randomUUID } from "node:crypto";

export type Arn = string;

/** A version-4 UUID, as most services' request ids are. */
export const newRequestId = (): string => randomUUID();

const UPPER_ALNUM = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
const ALNUM = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";

/** `length` characters of A-Z2-7, as in access key ids and unique ids (AKIA..., AROA...). */
export const newUniqueId = (prefix: string, length = 21): string => prefix + pick(UPPER_ALNUM, length - prefix.length);

/** `length` characters of A-Za-z0-9, for upload ids, secrets and tokens. */
export const newToken = (length: number): string => pick(ALNUM, length);

/** Lower-case hexadecimal digits. */
export const newHex = (digits: number): string =>
  randomBytes(Math.ceil(digits / 2))
    .toString("hex")
    .slice(0, digits);

/** A fraction in [0, 1), for jitter. */
export const chance = (): number => randomBytes(4).readUInt32BE() / 2 ** 32;

function pick(alphabet: string, length: number): string {
  let out = "";
  while (out.length < length)
    for (const byte of randomBytes(length * 2))
      if (byte < 256 - (256 % alphabet.length) && out.length < length) out += alphabet[byte % alphabet.length];
  return out;
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
