// How objects are encrypted: what requests and buckets ask for, what is kept of it, and what is answered.
// https://docs.aws.amazon.com/AmazonS3/latest/userguide/UsingEncryption.html
import { type Context, newHex } from "../../kernel/mod.ts";
import { defaultEncryption, isBlocked } from "./bucket-encryption.ts";
import { errors } from "./errors.ts";
import { kmsKeyArn } from "./kms-keys.ts";
import {
  type CustomerKey,
  customerKey,
  isKey,
  type Known,
  newSeal,
  openerAt,
  remember,
  type Seal,
  type Segment,
} from "./sse-c.ts";
import type { Staged } from "./staging.ts";
import type { BucketRow } from "./tables.ts";

/** The `encryption` column; null: AES256, which every object says. */
type Encryption =
  | {
      readonly sse: "aws:kms" | "aws:kms:dsse";
      readonly keyId: string;
      readonly bucketKey: boolean;
      readonly context?: string;
    }
  | { readonly customer: Known; readonly segments: readonly Segment[] };

export interface EncryptionInput {
  readonly ServerSideEncryption?: string | undefined;
  readonly SSEKMSKeyId?: string | undefined;
  readonly SSEKMSEncryptionContext?: string | undefined;
  readonly BucketKeyEnabled?: boolean | undefined;
  readonly SSECustomerAlgorithm?: string | undefined;
  readonly SSECustomerKey?: string | undefined;
  readonly SSECustomerKeyMD5?: string | undefined;
}

const KMS = ["aws:kms", "aws:kms:dsse"] as const;
const isKms = (name: string | undefined): name is (typeof KMS)[number] => KMS.some((one) => one === name);

/** How a new object, or the parts of an upload, are to be encrypted. */
export interface Plan {
  readonly encryption: Encryption | null;
  readonly key?: CustomerKey | undefined;
}

/** What the request asks for, or else the bucket. Throws what AWS refuses. */
export function planOf(ctx: Context, bucket: BucketRow, input: EncryptionInput): Plan {
  const { ServerSideEncryption: asked, SSEKMSKeyId, SSEKMSEncryptionContext, BucketKeyEnabled } = input;
  const key = customerKey(input);
  if (key && asked !== undefined) throw errors.encryptionTwice(asked);
  if (key) {
    if (isBlocked(bucket, "SSE-C")) throw errors.accessDenied();
    return { encryption: { customer: remember(key), segments: [] }, key };
  }
  if (asked !== undefined && asked !== "AES256" && !isKms(asked)) throw errors.invalidEncryption(asked);
  if (SSEKMSKeyId !== undefined && !isKms(asked)) throw errors.kmsHeaderMissing();
  if (SSEKMSEncryptionContext !== undefined) checkContext(SSEKMSEncryptionContext);
  const byDefault = defaultEncryption(bucket);
  const sse = asked ?? byDefault.sse;
  if (!isKms(sse)) return { encryption: null };
  const keyId = kmsKeyArn(ctx, bucket, asked === undefined ? byDefault.keyId : SSEKMSKeyId);
  const bucketKey = sse === "aws:kms" && (BucketKeyEnabled ?? byDefault.bucketKey);
  const context = SSEKMSEncryptionContext === undefined ? {} : { context: SSEKMSEncryptionContext };
  return { encryption: { sse, keyId, bucketKey, ...context } };
}

function checkContext(text: string): void {
  try {
    const context = JSON.parse(Buffer.from(text, "base64").toString("utf8")) as unknown;
    if (Object.values(context as object).every((value) => typeof value === "string")) return;
  } catch {
    // Said below.
  }
  throw errors.invalidArgument(
    "The header 'x-amz-server-side-encryption-context' shall be Base64-encoded UTF-8 string holding JSON which represents a string-string map",
    "x-amz-server-side-encryption-context",
    text,
  );
}

export const sealOf = ({ key }: Plan): Seal | undefined => key && newSeal(key);

/** The columns `etag` and `encryption` of what was staged whole. An ETag is the MD5 of the bytes only where AWS alone has the key. */
export function encrypted(
  plan: Plan,
  staged: Pick<Staged, "md5" | "size">,
  seal: Seal | undefined,
): { etag: string; encryption: string | null } {
  const { encryption } = plan;
  return {
    etag: etagOf(plan, staged, seal),
    encryption: columnOf(encryption, seal ? [{ size: staged.size, nonce: seal.nonce }] : []),
  };
}

export const etagOf = ({ encryption }: Plan, { md5 }: Pick<Staged, "md5">, seal: Seal | undefined): string =>
  seal ? seal.md5() : encryption ? newHex(32) : md5;

export const columnOf = (encryption: Encryption | null, segments: readonly Segment[]): string | null =>
  encryption && JSON.stringify("customer" in encryption ? { ...encryption, segments } : encryption);

const readColumn = (column: string | null): Encryption | null =>
  column === null ? null : (JSON.parse(column) as Encryption);

/** What an upload was begun with; a part of it must bring the same key. */
export function planOfPart(column: string | null, input: EncryptionInput): Plan {
  const encryption = readColumn(column);
  const key = customerKey(input);
  const customer = encryption && "customer" in encryption ? encryption.customer : undefined;
  if ((customer === undefined) !== (key === undefined)) throw errors.partEncryptionMissing();
  if (customer && !isKey(customer, key!)) throw errors.partEncryptionDiffers();
  return { encryption, key };
}

/** The upload's, as the object's; `segments` are its parts'. */
export const completedColumn = (column: string | null, segments: readonly Segment[]): string | null =>
  columnOf(readColumn(column), segments);

/** How to read an object with the key that the request brings: undefined where its file is plain. Throws where the key is missing, wrong or not wanted. */
export function openerOf(
  column: string | null,
  key: CustomerKey | undefined,
): ((start: number) => (chunk: Uint8Array) => Uint8Array) | undefined {
  const encryption = readColumn(column);
  if (!encryption || !("customer" in encryption)) {
    if (key) throw errors.encryptionNotApplicable();
    return undefined;
  }
  if (!key) throw errors.encryptionMissing();
  if (!isKey(encryption.customer, key)) throw errors.wrongCustomerKey();
  return (start) => openerAt(key, encryption.segments, start);
}

/** As an inventory says it. */
export function encryptionStatus(column: string | null): string {
  const encryption = readColumn(column);
  if (!encryption) return "SSE-S3";
  if ("customer" in encryption) return "SSE-C";
  return encryption.sse === "aws:kms" ? "SSE-KMS" : "DSSE-KMS";
}

/** What answers say. */
export function encryptionMembers(column: string | null) {
  const encryption = readColumn(column);
  if (!encryption) return { ServerSideEncryption: "AES256" as const };
  if ("customer" in encryption) return { SSECustomerAlgorithm: "AES256", SSECustomerKeyMD5: encryption.customer.md5 };
  const { sse, keyId, bucketKey } = encryption;
  return { ServerSideEncryption: sse, SSEKMSKeyId: keyId, ...(bucketKey && { BucketKeyEnabled: true }) };
}

/** Also the context, where it was given: of the answer that makes the object. */
export function newEncryptionMembers(column: string | null) {
  const encryption = readColumn(column);
  const context = encryption && "sse" in encryption ? encryption.context : undefined;
  return { ...encryptionMembers(column), ...(context !== undefined && { SSEKMSEncryptionContext: context }) };
}
