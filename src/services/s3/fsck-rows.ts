// One row of an object, or one part of an upload, held against its bytes: what is wrong with it.

import { type Checksum, isAlgorithm } from "./checksums.ts";
import { etagOf } from "./etags.ts";
import { holdsBytesOf, isSeatOpen, type Place, pathOf, plainFingerprint, statAt } from "./files.ts";
import { keyOf } from "./keys.ts";
import { hashFile } from "./staging.ts";
import type { ObjectPart, ObjectRow, PartRow } from "./tables.ts";
import { isPlain } from "./versions.ts";

/** What is wrong, and what a repair does about it. The words follow the object's name. */
export const faults = {
  unfinished: ["its plain file has yet to follow its row", "the staged bytes take their place"],
  gone: ["its plain file is gone", "it is deleted, as whoever removed the file meant"],
  changed: ["its plain file was changed, which was not taken in", "the file is taken in"],
  strange: ["a file that is no object", "the file is taken in"],
  altered: [
    "the bytes of its plain file are others than its ETag or checksum says",
    "the file is taken in as it is now",
  ],
  restorable: [
    "the bytes of its plain file are others than its ETag or checksum says",
    "they are restored from its guard",
  ],
  torn: ["its plain file did not survive a loss of power", "it is written again from the commit that carries it"],
  lost: ["its bytes are gone", "its row is removed"],
  damaged: ["its bytes are others than its ETag or checksum says", undefined],
  guard: ["the guard of its plain file is gone, or has other bytes", "the file is copied again"],
  notCurrent: ["its newest version is not the current one", "the newest is made the current one"],
  part: [
    "the bytes of a part are gone, or others than its ETag says",
    "the part is forgotten, and must be uploaded again",
  ],
  partOfNone: ["a part of an upload that is not there", "the part is removed"],
  unnamed: ["a file that no row names", "it is removed"],
  home: ["files of a bucket that is not there", "they are removed"],
  leaving: ["a plain file whose object is deleted", "it is removed"],
  root: ["the bucket's directory is missing; its objects answer 503 until it is back", undefined],
} as const satisfies Record<string, readonly [problem: string, remedy: string | undefined]>;

export type Fault = keyof typeof faults;

/** `last`: the key of the row before, in the order of key and rank. Reads all bytes of the row's files. */
export async function faultOf(place: Place, row: ObjectRow, last: string | undefined): Promise<Fault | undefined> {
  const isNewest = row.key !== last;
  if (isNewest !== (row.current === 1)) return "notCurrent";
  if (row.delete_marker) return undefined;
  return isPlain(row) ? await plainFault(place, row) : await sideFault(place, row);
}

async function plainFault(place: Place, row: ObjectRow): Promise<Fault | undefined> {
  const key = keyOf(row.key);
  const found = plainFingerprint(place, key);
  if (found !== row.fingerprint) {
    if (isSeatOpen(place, row, found)) return "unfinished";
    return found === undefined ? "gone" : "changed";
  }
  const guarded = row.guard === null ? undefined : await holds(pathOf(place, key, row.guard), row);
  const sound = await holds(pathOf(place, key, null), row);
  if (sound === false) return guarded ? "restorable" : "altered";
  return guarded === false ? "guard" : undefined;
}

async function sideFault(place: Place, row: ObjectRow): Promise<Fault | undefined> {
  const path = pathOf(place, keyOf(row.key), row.side);
  if (!statAt(path)) return "lost";
  return (await holds(path, row)) === false ? "damaged" : undefined;
}

/** Undefined: it is written to just now, and a hint will come. */
async function holds(path: string, row: ObjectRow): Promise<boolean | undefined> {
  const stat = statAt(path);
  if (!stat || !holdsBytesOf({ side: "", fingerprint: row.fingerprint }, stat)) return false;
  // The ETag of what is encrypted is not that of the bytes that lie there.
  if (row.encryption !== null) return true;
  if (row.parts !== null) {
    const sizes = (JSON.parse(row.parts) as ObjectPart[]).map(({ size }) => size);
    return (await etagOf(path, sizes)) === row.etag;
  }
  const checksum = row.checksum === null ? undefined : (JSON.parse(row.checksum) as Checksum);
  const algorithm =
    checksum?.type === "FULL_OBJECT" && isAlgorithm(checksum.algorithm) ? checksum.algorithm : undefined;
  const hashed = await hashFile(path, algorithm ? [algorithm] : []);
  if (!hashed) return undefined;
  return hashed.md5 === row.etag && (!algorithm || hashed.digests[algorithm] === checksum!.value);
}

/** Of a part: its file is in the side folder. */
export async function isSoundPart(place: Place, part: PartRow): Promise<boolean> {
  const path = pathOf(place, "", part.side);
  const stat = statAt(path);
  if (!stat) return false;
  if (part.nonce !== null) return true;
  return Number(stat.size) === part.size && (await etagOf(path, undefined)) === part.etag;
}
