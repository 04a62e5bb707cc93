import assert from "node:assert/strict";
import { createHmac, hash } from "node:crypto";
import { Readable } from "node:stream";
import { buffer } from "node:stream/consumers";
import { pipeline } from "node:stream/promises";
import { describe, test } from "node:test";
import fc from "fast-check";
import { AwsError } from "../kernel/error.ts";
import { checkSha256, decodeChunks, type FrameOptions, type Seed } from "./chunks.ts";

const hmac = (key: string | Uint8Array, text: string) => createHmac("sha256", key).update(text).digest();
const scope = "20130524/us-east-1/s3/aws4_request";
const signingKey = ["us-east-1", "s3", "aws4_request"].reduce<Uint8Array>(
  hmac,
  hmac("AWS4wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY", "20130524"),
);
const seedOf = (signature: string): Seed => ({ signingKey, scope, timestamp: "20130524T000000Z", signature });
const K64 = Buffer.alloc(65_536, "a");
const K1 = Buffer.alloc(1024, "a");
const frame = (size: number, data: string | Buffer, signature?: string) =>
  Buffer.concat([
    Buffer.from(`${size.toString(16)}${signature ? `;chunk-signature=${signature}` : ""}\r\n`),
    Buffer.from(data),
    Buffer.from(size === 0 ? "" : "\r\n"),
  ]);

/** Decodes `bytes` fed in pieces of `step`. */
async function decode(bytes: Buffer, options: FrameOptions, step = bytes.length) {
  const pieces: Buffer[] = [];
  for (let at = 0; at < bytes.length; at += step) pieces.push(bytes.subarray(at, at + step));
  const { stream, trailers } = decodeChunks(options);
  const [body] = await Promise.all([buffer(stream), pipeline(Readable.from(pieces), stream)]);
  return { body, trailers };
}
const refuses = (code: string, bytes: Buffer, options: FrameOptions) =>
  assert.rejects(decode(bytes, options), (error) => error instanceof AwsError && error.code === code);

describe("signed chunks", () => {
  // https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-streaming.html#example-signature-calculations-streaming
  const options: FrameOptions = {
    framing: "STREAMING-AWS4-HMAC-SHA256-PAYLOAD",
    decodedLength: "66560",
    seed: seedOf("4f232c4386841ef735655705268965c44a0e4690baa4adea153f7db9fa80a0a9"),
  };
  const first = frame(65_536, K64, "ad80c730a21e5b8d04586a2213dd63b9a0e99e0e2307b0ade35a65485a288648");
  const second = frame(1024, K1, "0055627c9e194cb4542bae2aa5492e3c1575bbb81b612b7d234b86a503ef5497");
  const last = frame(0, "", "b6c6ea8a5354eaf15b3cb7646744f4275b71ea724fed81ceb9323e279d449df9");
  const end = Buffer.from("\r\n");

  for (const step of [1, 7, 8192, 70_000])
    test(`of AWS's example are verified, however they are cut (${step} bytes)`, async () => {
      const { body } = await decode(Buffer.concat([first, second, last, end]), options, step);
      assert.equal(body.length, 66_560);
      assert.ok(body.every((byte) => byte === 0x61));
    });

  test("are refused when a byte, the order, the seed or a signature is another", async () => {
    const altered = Buffer.concat([first, second, last, end]);
    altered[200] = 0x62;
    await refuses("SignatureDoesNotMatch", altered, options);
    const swapped = Buffer.concat([frame(65_536, K64, "0".repeat(64)), second, last, end]);
    await refuses("SignatureDoesNotMatch", swapped, options);
    await refuses("SignatureDoesNotMatch", Buffer.concat([first, second, last, end]), {
      ...options,
      seed: seedOf("0".repeat(64)),
    });
    const forged = frame(0, "", "0".repeat(64));
    await refuses("SignatureDoesNotMatch", Buffer.concat([first, second, forged, end]), options);
  });

  test("are refused without signatures, or when the body ends early", async () => {
    await refuses("IncompleteBody", frame(65_536, K64), options);
    await refuses("IncompleteBody", first, options);
    await refuses("IncompleteBody", Buffer.concat([first, second]), options);
    await refuses("IncompleteBody", first.subarray(0, 5000), options);
    await refuses("IncompleteBody", Buffer.alloc(0), options);
  });
});

describe("signed chunks with a trailer", () => {
  // https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-streaming-trailers.html
  const options: FrameOptions = {
    framing: "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER",
    decodedLength: "66560",
    trailer: "x-amz-checksum-crc32c",
    seed: seedOf("106e2a8a18243abcf37539882f36619c00e2dfc72633413f02d3b74544bfeb8e"),
  };
  const chunks = Buffer.concat([
    frame(65_536, K64, "b474d8862b1487a5145d686f57f013e54db672cee1c953b3010fb58501ef5aa2"),
    frame(1024, K1, "1c1344b170168f8e65b41376b44b20fe354e373826ccbbe2c1d40a8cae51e5c7"),
    frame(0, "", "2ca2aba2005185cf7159c6277faf83795951dd77a3a99e6e65d5c9f85863f992"),
  ]);
  const withTail = (tail: string) => Buffer.concat([chunks, Buffer.from(tail)]);
  const CHECKSUM = "x-amz-checksum-crc32c:sOO8/Q==";
  const SIGNATURE = "x-amz-trailer-signature:d81f82fc3505edab99d459891051a732e8730629a2e4a59689829ca17fe2e435";

  test("of AWS's example are verified, and the checksum handed on", async () => {
    for (const tail of [`${CHECKSUM}\n\r\n${SIGNATURE}\r\n\r\n`, `${CHECKSUM}\r\n${SIGNATURE}\r\n\r\n`]) {
      const { body, trailers } = await decode(withTail(tail), options, 999);
      assert.equal(body.length, 66_560);
      assert.deepEqual(trailers, { "x-amz-checksum-crc32c": "sOO8/Q==" });
    }
  });

  test("are refused when the trailer is another, missing, unsigned, doubled or not announced", async () => {
    await refuses("SignatureDoesNotMatch", withTail(`x-amz-checksum-crc32c:AAAAAA==\r\n${SIGNATURE}\r\n\r\n`), options);
    await refuses("MalformedTrailerError", withTail(`${SIGNATURE}\r\n\r\n`), options);
    await refuses("MalformedTrailerError", withTail(`${CHECKSUM}\r\n\r\n`), options);
    await refuses("MalformedTrailerError", withTail(`${CHECKSUM}\r\n${CHECKSUM}\r\n${SIGNATURE}\r\n\r\n`), options);
    await refuses("MalformedTrailerError", withTail(`x-amz-meta-a:b\r\n${SIGNATURE}\r\n\r\n`), options);
    await refuses("MalformedTrailerError", withTail(`${CHECKSUM}\r\nnothing\r\n\r\n`), options);
  });
});

describe("unsigned chunks with a trailer", () => {
  const options: FrameOptions = {
    framing: "STREAMING-UNSIGNED-PAYLOAD-TRAILER",
    decodedLength: "5",
    trailer: "x-amz-checksum-crc32",
  };
  const text = (bytes: string) => Buffer.from(bytes);

  test("are decoded", async () => {
    const { body, trailers } = await decode(
      text("5\r\nhello\r\n0\r\nx-amz-checksum-crc32:NhCmhg==\r\n\r\n"),
      options,
      3,
    );
    assert.equal(body.toString(), "hello");
    assert.deepEqual(trailers, { "x-amz-checksum-crc32": "NhCmhg==" });
  });

  test("may be none at all", async () => {
    const { body } = await decode(text("0\r\nx-amz-checksum-crc32:AAAAAA==\r\n\r\n"), {
      ...options,
      decodedLength: "0",
    });
    assert.equal(body.length, 0);
  });

  const malformed: [string, string, string][] = [
    ["fewer bytes than announced", "4\r\nhell\r\n0\r\nx-amz-checksum-crc32:a\r\n\r\n", "IncompleteBody"],
    ["more bytes than announced", "6\r\nhello!\r\n0\r\nx-amz-checksum-crc32:a\r\n\r\n", "IncompleteBody"],
    ["a size that is no number", "x\r\nhello\r\n", "IncompleteBody"],
    ["an endless size", `${"0".repeat(40)}5\r\nhello\r\n`, "IncompleteBody"],
    ["data longer than its size", "4\r\nhello\r\n0\r\n", "IncompleteBody"],
    ["an endless line", "5".padEnd(20_000, " "), "IncompleteBody"],
    ["bytes after the end", "5\r\nhello\r\n0\r\nx-amz-checksum-crc32:a\r\n\r\nmore", "IncompleteBody"],
    ["a small chunk before the last", "2\r\nhe\r\n3\r\nllo\r\n0\r\n", "InvalidChunkSizeError"],
    ["no trailer", "5\r\nhello\r\n0\r\n\r\n", "MalformedTrailerError"],
    ["another trailer", "5\r\nhello\r\n0\r\nx-amz-checksum-sha1:a\r\n\r\n", "MalformedTrailerError"],
  ];
  for (const [name, bytes, code] of malformed)
    test(`are refused for ${name}`, () => refuses(code, text(bytes), options));

  test("are refused without x-amz-decoded-content-length", () => {
    for (const decodedLength of [undefined, "", "-1", "1e3"])
      assert.throws(() => decodeChunks({ ...options, decodedLength }), { code: "MissingContentLength", status: 411 });
  });
});

test("a plain body is checked against its SHA-256", async () => {
  const pass = async (sha256: string) => {
    const check = checkSha256(sha256);
    const [body] = await Promise.all([buffer(check), pipeline(Readable.from([Buffer.from("hello")]), check)]);
    return body.toString();
  };
  const right = hash("sha256", "hello", "hex");
  assert.equal(await pass(right), "hello");
  assert.equal(await pass(right.toUpperCase()), "hello");
  await assert.rejects(pass(hash("sha256", "other", "hex")), {
    code: "XAmzContentSHA256Mismatch",
    fields: {
      ClientComputedContentSHA256: hash("sha256", "other", "hex"),
      S3ComputedContentSHA256: right,
    },
  });
});

test("a signed body that was tampered with in any byte is refused", async () => {
  const seed = seedOf("4f232c4386841ef735655705268965c44a0e4690baa4adea153f7db9fa80a0a9");
  const options: FrameOptions = { framing: "STREAMING-AWS4-HMAC-SHA256-PAYLOAD", decodedLength: "66560", seed };
  const whole = Buffer.concat([
    frame(65_536, K64, "ad80c730a21e5b8d04586a2213dd63b9a0e99e0e2307b0ade35a65485a288648"),
    frame(1024, K1, "0055627c9e194cb4542bae2aa5492e3c1575bbb81b612b7d234b86a503ef5497"),
    frame(0, "", "b6c6ea8a5354eaf15b3cb7646744f4275b71ea724fed81ceb9323e279d449df9"),
    Buffer.from("\r\n"),
  ]);
  await fc.assert(
    fc.asyncProperty(fc.nat(whole.length - 3), fc.integer({ min: 1, max: 255 }), async (at, change) => {
      const altered = Buffer.from(whole);
      altered[at] = altered[at]! ^ change;
      const outcome = await decode(altered, options, 10_000).catch((error) => error);
      if (outcome instanceof AwsError) return;
      // Letter case of a size, or a line end: nothing that was signed.
      assert.ok(outcome.body.equals(Buffer.concat([K64, K1])), String(outcome));
    }),
    { numRuns: 100 },
  );
});
