// The limits of what a server of files can do here, in a process of its own: node:http straight on node:fs, the disk alone, the hashes alone.
// `node bench/bare-files.ts PORT DIR`; its parent asks for the last two.
import { createHash } from "node:crypto";
import { close, createReadStream, createWriteStream, fsync, open, rename, statSync, write } from "node:fs";
import { createServer } from "node:http";
import { join } from "node:path";
import { pipeline } from "node:stream";
import { pipeline as piped } from "node:stream/promises";
import { promisify } from "node:util";
import { crc32 } from "node:zlib";

export type Question =
  /** How many new files of `bytes` a second are written and synced by so many at once. */
  | { readonly sync: { readonly bytes: number; readonly hands: number; readonly ms: number } }
  /** How often a second MD5, SHA-256 and CRC32 of so many bytes are computed, by one thread. */
  | { readonly hash: { readonly bytes: number; readonly ms: number } };

const [port, dir] = process.argv.slice(2) as [string, string];
const [openFile, writeFile, syncFile, closeFile, renameFile] = [
  promisify(open),
  promisify(write),
  promisify(fsync),
  promisify(close),
  promisify(rename),
];
let puts = 0;

const server = createServer(async (request, response) => {
  const path = join(dir, request.url!.replace(/\?.*/, "").replaceAll("/", "_"));
  if (request.method === "GET") {
    response.writeHead(200, { "content-length": statSync(path).size });
    // The generator leaves as soon as it has its answer.
    pipeline(createReadStream(path), response, (error) => error && response.destroy());
    return;
  }
  // As durable as aws-like's: the bytes, then the name.
  const staged = `${path}.${++puts}`;
  await piped(request, createWriteStream(staged, { flush: true }));
  await renameFile(staged, path);
  const directory = await openFile(dir, "r");
  await syncFile(directory);
  await closeFile(directory);
  response.writeHead(200, { "content-length": 0 }).end();
});
server.listen(Number(port), "127.0.0.1", () => process.send!("ready"));
process.on("message", async (question: Question) => {
  process.send!("sync" in question ? await synced(question.sync) : hashed(question.hash));
});
process.once("disconnect", () => process.exit());

async function synced({ bytes, hands, ms }: { bytes: number; hands: number; ms: number }): Promise<number> {
  const content = Buffer.alloc(bytes, "x");
  const begin = performance.now();
  let count = 0;
  const hand = async () => {
    for (; performance.now() - begin < ms; count++) {
      const fd = await openFile(join(dir, `sync-${count}-${Math.random()}`), "w");
      await writeFile(fd, content);
      await syncFile(fd);
      await closeFile(fd);
    }
  };
  await Promise.all(Array.from({ length: hands }, hand));
  return (count / (performance.now() - begin)) * 1000;
}

function hashed({ bytes, ms }: { bytes: number; ms: number }): number {
  const chunk = Buffer.alloc(64 * 1024, "0123456789abcdef");
  const begin = performance.now();
  let count = 0;
  for (; performance.now() - begin < ms; count++) {
    const hashes = [createHash("md5"), createHash("sha256")];
    let crc = 0;
    for (let at = 0; at < bytes; at += chunk.length) {
      for (const hash of hashes) hash.update(chunk);
      crc = crc32(chunk, crc);
    }
    for (const hash of hashes) hash.digest();
  }
  return (count / (performance.now() - begin)) * 1000;
}
