// The checksums that S3 keeps beside an object, and how those of the parts become that of the whole.
// https://docs.aws.amazon.com/AmazonS3/latest/userguide/checking-object-integrity.html
import { createHash, hash } from "node:crypto";
import { type Crc, crc32, crc32c, crc64nvme } from "./crc.ts";
import { errors } from "./errors.ts";
import { openXxh3, openXxh64, openXxh128, type Xxhash } from "./xxhash.ts";

const names = [
  "CRC32",
  "CRC32C",
  "CRC64NVME",
  "SHA1",
  "SHA256",
  "SHA512",
  "MD5",
  "XXHASH64",
  "XXHASH3",
  "XXHASH128",
] as const;
export type Algorithm = (typeof names)[number];
export type ChecksumType = "FULL_OBJECT" | "COMPOSITE";

/** As kept in a row: `value` is base64, of a composite one with `-N`. */
export interface Checksum {
  readonly algorithm: Algorithm;
  readonly type: ChecksumType;
  readonly value: string;
}

interface Traits {
  readonly bytes: number;
  /** In the order of AWS's default for a multipart upload. */
  readonly types: readonly ChecksumType[];
  readonly crc?: Crc;
  readonly xxhash?: () => Xxhash;
}

export const algorithms: Readonly<Record<Algorithm, Traits>> = {
  CRC32: { bytes: 4, crc: crc32, types: ["COMPOSITE", "FULL_OBJECT"] },
  CRC32C: { bytes: 4, crc: crc32c, types: ["COMPOSITE", "FULL_OBJECT"] },
  CRC64NVME: { bytes: 8, crc: crc64nvme, types: ["FULL_OBJECT"] },
  SHA1: { bytes: 20, types: ["COMPOSITE"] },
  SHA256: { bytes: 32, types: ["COMPOSITE"] },
  SHA512: { bytes: 64, types: ["COMPOSITE"] },
  MD5: { bytes: 16, types: ["COMPOSITE"] },
  XXHASH64: { bytes: 8, xxhash: openXxh64, types: ["COMPOSITE"] },
  XXHASH3: { bytes: 8, xxhash: openXxh3, types: ["COMPOSITE"] },
  XXHASH128: { bytes: 16, xxhash: openXxh128, types: ["COMPOSITE"] },
};

export const isAlgorithm = (text: string | undefined): text is Algorithm =>
  text !== undefined && Object.hasOwn(algorithms, text);

/** `x-amz-checksum-algorithm`, of an upload or a copy. */
export function askedAlgorithm(name: string): Algorithm {
  if (isAlgorithm(name)) return name;
  throw errors.unknownAlgorithm();
}

type ChecksumMembers = { readonly [A in Algorithm as `Checksum${A}`]?: string | undefined };

/** The members of an answer: `ChecksumCRC32`... */
export const checksumMembers = (checksum: Pick<Checksum, "algorithm" | "value"> | undefined): ChecksumMembers =>
  checksum ? { [`Checksum${checksum.algorithm}`]: checksum.value } : {};

export interface Digest {
  update(bytes: Uint8Array): void;
  /** base64 */
  digest(): string;
}

export function openDigest(algorithm: Algorithm): Digest {
  const { crc, xxhash } = algorithms[algorithm];
  if (xxhash) {
    const hash = xxhash();
    return { update: hash.update, digest: () => hash.digest().toString("base64") };
  }
  if (!crc) {
    const hash = createHash(algorithm);
    return {
      update: (bytes) => {
        hash.update(bytes);
      },
      digest: () => hash.digest("base64"),
    };
  }
  let state = 0n;
  return {
    update: (bytes) => {
      state = crc.update(bytes, state);
    },
    digest: () => fromNumber(state, crc),
  };
}

/** Of bytes that are all there; base64. */
export function digestOf(algorithm: Algorithm, bytes: Uint8Array): string {
  const { crc, xxhash } = algorithms[algorithm];
  if (!crc && !xxhash) return hash(algorithm, bytes, "base64");
  const digest = openDigest(algorithm);
  digest.update(bytes);
  return digest.digest();
}

/**
 * What a request says of its body: the algorithm to compute, and the value to compare with where it is not in a trailer (`x-amz-trailer`). That
 * `x-amz-sdk-checksum-algorithm` must be the one that is sent was seen on AWS (versitygw's issues 1657 and 1659).
 */
export function claimedChecksum(
  input: ChecksumMembers & { ChecksumAlgorithm?: string | undefined },
  trailer?: string | undefined,
): { algorithm: Algorithm; value?: string } | undefined {
  const given = names.filter((name) => input[`Checksum${name}`] !== undefined);
  if (given.length > 1) throw errors.manyChecksums();
  const announced = trailer === undefined ? undefined : trailerAlgorithm(trailer);
  if (given.length > 0 && announced) throw errors.checksumTwice();
  const algorithm = given[0] ?? announced;
  const said = input.ChecksumAlgorithm;
  if (algorithm === undefined) {
    if (said !== undefined) throw errors.checksumMissing();
    return undefined;
  }
  if (said !== undefined && said.toUpperCase() !== algorithm)
    throw errors.checksumInvalid("x-amz-sdk-checksum-algorithm");
  const value = input[`Checksum${algorithm}`];
  if (value !== undefined) checkForm(algorithm, value);
  return { algorithm, ...(value !== undefined && { value }) };
}

function trailerAlgorithm(trailer: string): Algorithm {
  const name = /^x-amz-checksum-([a-z0-9]+)$/.exec(trailer.toLowerCase())?.[1]?.toUpperCase();
  if (isAlgorithm(name)) return name;
  throw errors.trailerUnsupported();
}

/** A value that could not be one of this algorithm is refused before the body is read. */
export function checkForm(algorithm: Algorithm, value: string): void {
  const bytes = Buffer.from(value, "base64");
  if (bytes.length !== algorithms[algorithm].bytes || bytes.toString("base64") !== value)
    throw errors.checksumInvalid(`x-amz-checksum-${algorithm.toLowerCase()}`);
}

export interface PartChecksum {
  /** base64 */
  readonly value: string;
  readonly size: number;
}

/** The checksum of an object made of these parts, in order. */
export function joinChecksums(algorithm: Algorithm, type: ChecksumType, parts: readonly PartChecksum[]): Checksum {
  if (type === "COMPOSITE") {
    const digest = openDigest(algorithm);
    for (const part of parts) digest.update(Buffer.from(part.value, "base64"));
    return { algorithm, type, value: `${digest.digest()}-${parts.length}` };
  }
  const crc = algorithms[algorithm].crc!;
  let state = 0n;
  for (const part of parts) state = crc.join(state, toNumber(part.value), part.size);
  return { algorithm, type, value: fromNumber(state, crc) };
}

const fromNumber = (value: bigint, crc: Crc): string =>
  Buffer.from(value.toString(16).padStart(crc.bits / 4, "0"), "hex").toString("base64");

const toNumber = (base64: string): bigint => BigInt(`0x${Buffer.from(base64, "base64").toString("hex")}`);
