// S3's framed bodies: aws-chunked with signed or unsigned chunks and trailers, and the plain body with a literal SHA-256. Checked as the
// bytes pass, nothing is held back: an error ends the stream, and a handler stores nothing before its stream has ended well.
// https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-streaming.html, sigv4-streaming-trailers.html
import { createHash, createHmac, hash, timingSafeEqual } from "node:crypto";
import { Transform, type TransformCallback } from "node:stream";
import { AwsError } from "../kernel/error.ts";

export type Framing =
  | "STREAMING-AWS4-HMAC-SHA256-PAYLOAD"
  | "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER"
  | "STREAMING-UNSIGNED-PAYLOAD-TRAILER";

export const isFraming = (payloadHash: string | undefined): payloadHash is Framing =>
  payloadHash?.startsWith("STREAMING-") === true;

/** Where the chain of chunk signatures begins: what `verify` answers. */
export interface Seed {
  readonly signingKey: Uint8Array;
  readonly scope: string;
  readonly timestamp: string;
  readonly signature: string;
}

export interface FrameOptions {
  readonly framing: Framing;
  /** x-amz-decoded-content-length, as sent. */
  readonly decodedLength: string | undefined;
  /** x-amz-trailer, as sent: the names of what follows the body. */
  readonly trailer?: string;
  /** Absent where nothing is verified (--relaxed): signatures are then passed over. */
  readonly seed?: Seed;
}

export interface Decoder {
  /** Frames in, the entity out. Pipe into it. */
  readonly stream: Transform;
  /** By lower-case name; complete when the stream has ended. */
  readonly trailers: Readonly<Record<string, string>>;
}

const LINE_LIMIT = 16 * 1024;
/** "Only the last chunk is allowed to have a size less than 8192 bytes". */
const SMALLEST_CHUNK = 8192;
const EMPTY_SHA256 = hash("sha256", "", "hex");

const errors = {
  incomplete: () => new AwsError("IncompleteBody", 400, "The request body terminated unexpectedly"),
  noLength: () => new AwsError("MissingContentLength", 411, "You must provide the Content-Length HTTP header."),
  small: (chunk: number, size: number) =>
    new AwsError("InvalidChunkSizeError", 403, "Only the last chunk is allowed to have a size less than 8192 bytes", {
      Chunk: chunk,
      BadChunkSize: size,
    }),
  trailer: () =>
    new AwsError(
      "MalformedTrailerError",
      400,
      "The request contained trailing data that was not well-formed or did not conform to our published schema.",
    ),
  signature: (stringToSign: string, provided: string) =>
    new AwsError(
      "SignatureDoesNotMatch",
      403,
      "The request signature we calculated does not match the signature you provided. Check your key and signing method.",
      { StringToSign: stringToSign, SignatureProvided: provided },
    ),
  sha256: (client: string, computed: string) =>
    new AwsError(
      "XAmzContentSHA256Mismatch",
      400,
      "The provided 'x-amz-content-sha256' header does not match what was computed.",
      { ClientComputedContentSHA256: client, S3ComputedContentSHA256: computed },
    ),
};

/** Throws MissingContentLength at once; the stream fails with IncompleteBody, SignatureDoesNotMatch, MalformedTrailerError, ... */
export function decodeChunks(options: FrameOptions): Decoder {
  if (!/^\d{1,15}$/.test(options.decodedLength ?? "")) throw errors.noLength();
  const trailers: Record<string, string> = {};
  const frames = frameReader(options, trailers);
  const stream = new Transform({
    transform(bytes: Buffer, _encoding, done: TransformCallback) {
      settle(done, () => {
        for (let at = 0; at < bytes.length; ) at = frames.take(bytes, at, (part) => this.push(part));
      });
    },
    flush(done: TransformCallback) {
      settle(done, () => frames.end());
    },
  });
  return { stream, trailers };
}

/** Passes the bytes on and fails at their end where they have not the SHA-256 that x-amz-content-sha256 said. */
export function checkSha256(expected: string): Transform {
  const digest = createHash("sha256");
  return new Transform({
    transform(bytes: Buffer, _encoding, done: TransformCallback) {
      digest.update(bytes);
      done(null, bytes);
    },
    flush(done: TransformCallback) {
      done(sha256Mismatch(expected, digest.digest("hex")));
    },
  });
}

/** XAmzContentSHA256Mismatch, where it is one. */
export const sha256Mismatch = (expected: string, computed: string): AwsError | null =>
  computed === expected.toLowerCase() ? null : errors.sha256(expected, computed);

function settle(done: TransformCallback, work: () => void): void {
  try {
    work();
  } catch (error) {
    done(error as Error);
    return;
  }
  done();
}

// A size line, data, an empty line; again and again; the size line of an empty chunk; then the tail: trailers and an empty line.
type State = "size" | "data" | "dataEnd" | "tail" | "end";

function frameReader(options: FrameOptions, trailers: Record<string, string>) {
  const expected = Number(options.decodedLength);
  const signed = options.framing !== "STREAMING-UNSIGNED-PAYLOAD-TRAILER";
  const chain = signed && options.seed ? signatureChain(options.seed) : undefined;
  const tail = options.framing.endsWith("-TRAILER") ? trailerReader(options, { trailers, chain }) : undefined;
  let state: State = "size";
  let line = "";
  let left = 0;
  let total = 0;
  let count = 0;
  let lastSize = SMALLEST_CHUNK;

  function onSize(text: string): void {
    const found = /^([0-9a-fA-F]{1,13})(?:;(.*))?$/.exec(text);
    if (!found) throw errors.incomplete();
    chain?.begin(found[2] ?? "");
    left = Number.parseInt(found[1]!, 16);
    state = left === 0 ? "tail" : "data";
    if (left === 0) {
      if (total !== expected) throw errors.incomplete();
      chain?.check();
      return;
    }
    if (lastSize < SMALLEST_CHUNK) throw errors.small(count, lastSize);
    count++;
    lastSize = left;
    total += left;
    if (total > expected) throw errors.incomplete();
  }

  function onLine(text: string): void {
    if (state === "size") onSize(text);
    else if (state === "tail" && tail) state = tail.line(text) ? "end" : "tail";
    else if (text !== "") throw errors.incomplete();
    else state = state === "dataEnd" ? "size" : "end";
  }

  return {
    /** Takes what it can of `bytes` from `at` on; answers where it stopped. */
    take(bytes: Buffer, at: number, push: (part: Buffer) => void): number {
      if (state === "end") throw errors.incomplete();
      if (state === "data") {
        const part = bytes.subarray(at, at + left);
        chain?.update(part);
        push(part);
        left -= part.length;
        if (left === 0) {
          chain?.check();
          state = "dataEnd";
        }
        return at + part.length;
      }
      const newline = bytes.indexOf(0x0a, at);
      const stop = newline < 0 ? bytes.length : newline;
      if (line.length + stop - at > LINE_LIMIT) throw errors.incomplete();
      line += bytes.toString("latin1", at, stop);
      if (newline < 0) return stop;
      const text = line.endsWith("\r") ? line.slice(0, -1) : line;
      line = "";
      onLine(text);
      return newline + 1;
    },
    end(): void {
      if (state === "end") return;
      // The last empty line may be missing; nothing else may.
      if (state !== "tail" || line !== "") throw errors.incomplete();
      tail?.finish();
    },
  };
}

type Chain = ReturnType<typeof signatureChain>;

/** Each signature covers its chunk and the signature before it, from that of the headers on. */
function signatureChain({ signingKey, scope, timestamp, signature }: Seed) {
  let previous = signature;
  let claimed = "";
  let digest = createHash("sha256");

  function check(stringToSign: string): void {
    const right = createHmac("sha256", signingKey).update(stringToSign).digest("hex");
    if (claimed.length !== right.length || !timingSafeEqual(Buffer.from(claimed, "latin1"), Buffer.from(right)))
      throw errors.signature(stringToSign, claimed);
    previous = right;
  }

  return {
    /** `extension` is what follows the chunk's size: `chunk-signature=...`. */
    begin(extension: string): void {
      const found = /^chunk-signature=(\w{1,64})$/.exec(extension.trim());
      if (!found) throw errors.incomplete();
      claimed = found[1]!;
      digest = createHash("sha256");
    },
    update: (bytes: Buffer): void => void digest.update(bytes),
    check(): void {
      check(`AWS4-HMAC-SHA256-PAYLOAD\n${timestamp}\n${scope}\n${previous}\n${EMPTY_SHA256}\n${digest.digest("hex")}`);
    },
    checkTrailers(text: string, given: string): void {
      claimed = given;
      check(`AWS4-HMAC-SHA256-TRAILER\n${timestamp}\n${scope}\n${previous}\n${hash("sha256", text, "hex")}`);
    },
  };
}

/** Exactly those that x-amz-trailer named, once each; signed ones end with their signature. */
function trailerReader(
  options: FrameOptions,
  into: { trailers: Record<string, string>; chain: Chain | undefined },
): { line(text: string): boolean; finish(): void } {
  const { trailers, chain } = into;
  const wanted = new Set((options.trailer ?? "").toLowerCase().split(/[, ]+/).filter(Boolean));
  let signature: string | undefined;

  function finish(): void {
    if (wanted.size === 0 || [...wanted].some((name) => trailers[name] === undefined)) throw errors.trailer();
    if (!chain) return;
    if (signature === undefined) throw errors.trailer();
    const lines = Object.keys(trailers).sort();
    chain.checkTrailers(lines.map((name) => `${name}:${trailers[name]}\n`).join(""), signature);
  }

  return {
    finish,
    /** True after the last one. */
    line(text: string): boolean {
      if (text === "") {
        // AWS's own example has an empty line between the trailers and their signature.
        if (chain && signature === undefined) return false;
        finish();
        return true;
      }
      const at = text.indexOf(":");
      const name = text.slice(0, at).trim().toLowerCase();
      const value = text.slice(at + 1).trim();
      if (at < 1) throw errors.trailer();
      const signed = options.framing !== "STREAMING-UNSIGNED-PAYLOAD-TRAILER";
      if (signed && name === "x-amz-trailer-signature" && signature === undefined) signature = value;
      else if (wanted.has(name) && trailers[name] === undefined) trailers[name] = value;
      else throw errors.trailer();
      return false;
    },
  };
}
