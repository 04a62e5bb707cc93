// The ETag that a file's bytes have: their MD5, or of an object that came in parts, the MD5 of its parts' MD5s and how many they are.
// https://docs.aws.amazon.com/AmazonS3/latest/API/API_Object.html
import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";

const CHUNK = 1024 ** 2;

/** `sizes`: of the parts, in order; undefined: it came whole. Bytes beyond the parts make it another. */
export async function etagOf(path: string, sizes: readonly number[] | undefined): Promise<string> {
  const parts: Buffer[] = [];
  let md5 = createHash("md5");
  let missing = sizes?.[0] ?? Number.POSITIVE_INFINITY;
  const close = () => {
    parts.push(md5.digest());
    md5 = createHash("md5");
    missing = sizes?.[parts.length] ?? Number.POSITIVE_INFINITY;
  };
  for await (const chunk of createReadStream(path, { highWaterMark: CHUNK }))
    for (let rest = chunk as Buffer; rest.length > 0; ) {
      const taken = rest.subarray(0, missing);
      md5.update(taken);
      missing -= taken.length;
      rest = rest.subarray(taken.length);
      if (missing === 0) close();
    }
  if (!sizes) return md5.digest("hex");
  // A part may be without a byte; bytes that no part has are a part too many.
  while (parts.length < sizes.length) close();
  const rest = md5.digest();
  if (!rest.equals(EMPTY)) parts.push(rest);
  return `${createHash("md5").update(Buffer.concat(parts)).digest("hex")}-${parts.length}`;
}

const EMPTY = createHash("md5").digest();
