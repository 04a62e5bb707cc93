// One file to one object, and back: streamed, in parts where it is large, compared with its ETag afterwards.
import { createHash } from "node:crypto";
import { createReadStream, createWriteStream } from "node:fs";
import { mkdir, rename, rm, stat, utimes } from "node:fs/promises";
import { dirname } from "node:path";
import { Transform } from "node:stream";
import { pipeline } from "node:stream/promises";
import { etagOf } from "../../services/s3/etags.ts";
import { parseXml } from "../../wire/xml-text.ts";
import { type Bucket, type Listed, textOf } from "./remote.ts";

const MIB = 1024 ** 2;
/** As `aws s3`: https://docs.aws.amazon.com/cli/latest/topic/s3-config.html */
const PART = 8 * MIB;
/** https://docs.aws.amazon.com/AmazonS3/latest/userguide/qfacts.html */
const MAX_PARTS = 10_000;

export interface Transfer {
  readonly bucket: Bucket;
  readonly key: string;
  /** Of the local file. */
  readonly file: string;
  /** Told of bytes that have gone, or come. */
  readonly onBytes: (count: number) => void;
}

export interface Upload extends Transfer {
  readonly contentType: string;
  /** Of this many parts at once over all files. */
  readonly limit: Limit;
}

/** At most so many at a time. */
export type Limit = <T>(work: () => Promise<T>) => Promise<T>;

export async function upload(of: Upload): Promise<void> {
  const { bucket, key, file, contentType, limit } = of;
  const { size } = await stat(file);
  if (size < PART) {
    const call = { method: "PUT", key, headers: { "content-type": contentType } } as const;
    await limit(() => send(of, call, { start: 0, end: size }));
    return;
  }
  const created = await bucket.text({
    method: "POST",
    key,
    query: { uploads: "" },
    headers: { "content-type": contentType },
  });
  const uploadId = textOf(parseXml(created), "UploadId");
  try {
    const part = partSize(size);
    const count = Math.ceil(size / part);
    const sent = Array.from({ length: count }, (_, n) =>
      limit(() => {
        const call = { method: "PUT", key, query: { partNumber: String(n + 1), uploadId } } as const;
        return send(of, call, { start: n * part, end: Math.min(size, (n + 1) * part) });
      }),
    );
    const etags = await allSent(sent);
    const parts = etags.map((etag, n) => `<Part><PartNumber>${n + 1}</PartNumber><ETag>${etag}</ETag></Part>`);
    const body = `<CompleteMultipartUpload xmlns="http://s3.amazonaws.com/doc/2006-03-01/">${parts.join("")}</CompleteMultipartUpload>`;
    const answer = await bucket.text({ method: "POST", key, query: { uploadId }, body });
    // AWS answers 200 before it is done: a failure may stand in the body.
    if (answer.includes("<Error>")) throw new Error(textOf(parseXml(answer), "Message"));
  } catch (error) {
    await bucket.text({ method: "DELETE", key, query: { uploadId } });
    throw error;
  }
}

/** The first failure, once no part is on its way any more: else the upload could not be aborted. */
async function allSent(sent: readonly Promise<string>[]): Promise<string[]> {
  await Promise.allSettled(sent);
  return await Promise.all(sent);
}

const partSize = (size: number): number => {
  let part = PART;
  while (Math.ceil(size / part) > MAX_PARTS) part *= 2;
  return part;
};

/** Resolves with the ETag, which is that of the bytes that were read. */
async function send(
  { bucket, file, onBytes }: Upload,
  call: { method: "PUT"; key: string; query?: Record<string, string>; headers?: Record<string, string> },
  { start, end }: { start: number; end: number },
): Promise<string> {
  let md5 = createHash("md5");
  let gone = 0;
  const answer = await bucket.head({
    ...call,
    headers: { ...call.headers, "content-length": String(end - start) },
    body: () => {
      md5 = createHash("md5");
      onBytes(-gone);
      gone = 0;
      const counted = new Transform({
        transform(chunk: Buffer, _, done) {
          md5.update(chunk);
          gone += chunk.length;
          onBytes(chunk.length);
          done(null, chunk);
        },
        flush: (done) => done(gone === end - start ? null : new Error("the file changed while it was read")),
      });
      if (start === end) return counted.end();
      const bytes = createReadStream(file, { start, end: end - 1, highWaterMark: MIB / 4 });
      bytes.on("error", (error) => counted.destroy(error));
      return bytes.pipe(counted);
    },
  });
  const etag = String(answer.etag).replaceAll('"', "");
  if (isMd5(etag, answer) && etag !== md5.digest("hex")) throw new Error("what arrived is not what was sent");
  return etag;
}

/** Into a name that no watcher takes for finished, then in place at once, with the object's time. */
export async function download({ bucket, key, file, onBytes }: Transfer): Promise<void> {
  await mkdir(dirname(file), { recursive: true });
  const partial = `${file}.${process.pid}.part`;
  try {
    const answer = await bucket.open({ method: "GET", key });
    const md5 = createHash("md5");
    let size = 0;
    const counted = new Transform({
      transform(chunk: Buffer, _, done) {
        md5.update(chunk);
        size += chunk.length;
        onBytes(chunk.length);
        done(null, chunk);
      },
    });
    await pipeline(answer, counted, createWriteStream(partial));
    const { headers } = answer;
    if (size !== Number(headers["content-length"])) throw new Error("the answer broke off");
    const etag = String(headers.etag).replaceAll('"', "");
    if (isMd5(etag, headers) && etag !== md5.digest("hex")) throw new Error("what came is not what its ETag says");
    const modified = new Date(String(headers["last-modified"]));
    await utimes(partial, modified, modified);
    await rename(partial, file);
  } catch (error) {
    await rm(partial, { force: true });
    throw error;
  }
}

/** Whether the bytes of a file are those of an object of the same size. */
export async function isSameContent(bucket: Bucket, file: string, { key, etag, size }: Listed): Promise<boolean> {
  const count = Number(/^[0-9a-f]{32}-(\d+)$/.exec(etag)?.[1] ?? 0);
  if (count === 0) return (await etagOf(file, undefined)) === etag;
  // All parts but the last are of one size, as every client makes them.
  const first = await bucket.head({ method: "HEAD", key, query: { partNumber: "1" } });
  const part = Number(first["content-length"]);
  const sizes = Array.from({ length: count }, (_, n) => Math.max(0, Math.min(part, size - n * part)));
  return (await etagOf(file, sizes)) === etag;
}

/** An ETag of bytes that are encrypted with a key of KMS or of the customer's own is no MD5. */
const isMd5 = (etag: string, headers: Readonly<Record<string, unknown>>): boolean =>
  /^[0-9a-f]{32}$/.test(etag) &&
  !String(headers["x-amz-server-side-encryption"] ?? "").startsWith("aws:kms") &&
  headers["x-amz-server-side-encryption-customer-algorithm"] === undefined;

export function limitOf(most: number): Limit {
  let free = most;
  const waiting: (() => void)[] = [];
  return async (work) => {
    if (free > 0) free--;
    else await new Promise<void>((resolve) => waiting.push(resolve));
    try {
      return await work();
    } finally {
      const next = waiting.shift();
      if (next) next();
      else free++;
    }
  };
}
