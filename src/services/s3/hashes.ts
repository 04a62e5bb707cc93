// What is computed of a body besides writing it: its MD5, which is its ETag, and its checksums.
import { createHash, hash } from "node:crypto";
import { type Algorithm, type Digest, digestOf, openDigest } from "./checksums.ts";

export interface Digests {
  /** Hexadecimal. */
  readonly md5: string;
  /** base64 */
  readonly digests: Readonly<Partial<Record<Algorithm, string>>>;
}

export interface Hashes {
  update(bytes: Uint8Array): void;
  digest(): Digests;
}

export function openHashes(algorithms: readonly Algorithm[]): Hashes {
  const md5 = createHash("md5");
  const digests = new Map<Algorithm, Digest>(algorithms.map((name) => [name, openDigest(name)]));
  return {
    update(bytes) {
      md5.update(bytes);
      for (const digest of digests.values()) digest.update(bytes);
    },
    digest: () => ({
      md5: md5.digest("hex"),
      digests: Object.fromEntries([...digests].map(([name, digest]) => [name, digest.digest()])),
    }),
  };
}

/** Of bytes that are all there. */
export const digestsOf = (whole: Uint8Array, algorithms: readonly Algorithm[]): Digests => ({
  md5: hash("md5", whole, "hex"),
  digests: Object.fromEntries(algorithms.map((name) => [name, digestOf(name, whole)])),
});
