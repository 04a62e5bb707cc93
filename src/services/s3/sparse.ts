// Files with holes: a copy has them too. Node reaches no lseek(SEEK_DATA), so what holds nothing but zeros is left out.
import { type BigIntStats, constants } from "node:fs";
import { open } from "node:fs/promises";

/** Large enough to pass quickly over what is empty, a multiple of every file system's block. */
const PIECE = 64 * 1024;
const ZEROS = Buffer.alloc(PIECE);

/** It takes less of the disk than it is long. */
export const hasHoles = ({ blocks, size }: BigIntStats): boolean => blocks * 512n < size - BigInt(PIECE);

/** All of the file `from`. `to` must not be there. */
export async function copySparse(from: string, to: string, { mode }: BigIntStats): Promise<void> {
  await using source = await open(from, constants.O_RDONLY | constants.O_NONBLOCK);
  await using target = await open(to, constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL, Number(mode & 0o777n));
  const piece = Buffer.allocUnsafe(PIECE);
  for (let at = 0; ; ) {
    const { bytesRead } = await source.read(piece, 0, PIECE, at);
    if (bytesRead === 0) return await target.truncate(at);
    const found = piece.subarray(0, bytesRead);
    if (!found.equals(ZEROS.subarray(0, bytesRead)))
      for (let done = 0; done < bytesRead; )
        done += (await target.write(found, done, bytesRead - done, at + done)).bytesWritten;
    at += bytesRead;
  }
}
