// Documents (XML) that a request says the digest of. What streams is hashed on its way to the disk instead: objects.ts.
// https://docs.aws.amazon.com/AmazonS3/latest/userguide/checking-object-integrity-upload.html
import { createHash } from "node:crypto";
import type { Handler, Operations } from "../../kernel/mod.ts";
import { checkForm, claimedChecksum, openDigest } from "./checksums.ts";
import { errors } from "./errors.ts";
import { requestOf, wholeBodyOf } from "./request.ts";

/** Its checksums are those of the object that it makes. */
const OF_ANOTHER = "CompleteMultipartUpload";
/** AWS demands a digest of more operations; SDKs send it with all of these, other clients not. */
const DEMANDED = "DeleteObjects";

/** Every operation, with the digests of its document verified before it is done. */
export const withBodyDigests = (operations: Operations<"s3">): Operations<"s3"> =>
  Object.fromEntries(
    Object.entries(operations as Record<string, Handler<"s3", "PutBucketPolicy">>).map(([name, { access, handle }]) => [
      name,
      {
        access,
        handle: (ctx, input) => {
          checkDigests(name, input);
          return handle(ctx, input);
        },
      } satisfies Handler<"s3", "PutBucketPolicy">,
    ]),
  );

function checkDigests(operation: string, input: object): void {
  const [request, body] = [requestOf(input), wholeBodyOf(input)];
  if (!request || !body || body.length === 0 || operation === OF_ANOTHER) return;
  const { headers, trailers } = request;
  const md5 = headers["content-md5"];
  if (md5 !== undefined) checkMd5(md5, createHash("md5").update(body).digest("base64"));
  const sent = Object.entries(headers).filter(([name]) => name.startsWith("x-amz-checksum-"));
  const trailer = headers["x-amz-trailer"];
  const claimed = claimedChecksum(
    {
      ...Object.fromEntries(sent.map(([name, value]) => [memberOf(name), value])),
      ChecksumAlgorithm: headers["x-amz-sdk-checksum-algorithm"],
    },
    trailer,
  );
  if (!claimed) {
    if (md5 === undefined && operation === DEMANDED) throw errors.digestMissing();
    return;
  }
  const { algorithm } = claimed;
  const said = claimed.value ?? (trailer && trailers?.[trailer.toLowerCase()]);
  if (!said) return;
  checkForm(algorithm, said);
  const digest = openDigest(algorithm);
  digest.update(body);
  if (digest.digest() !== said) throw errors.badChecksum(algorithm);
}

/** `x-amz-checksum-crc32` is `ChecksumCRC32`. */
const memberOf = (header: string): string => `Checksum${header.slice("x-amz-checksum-".length).toUpperCase()}`;

/** Of a body; both base64. `expected`: as the error names it. Throws InvalidDigest, BadDigest. */
export function checkMd5(said: string, calculated: string, expected = said): void {
  const bytes = Buffer.from(said, "base64");
  if (bytes.length !== 16 || bytes.toString("base64") !== said) throw errors.invalidDigest(said);
  if (said !== calculated) throw errors.badMd5(expected, calculated);
}
