// Server-side encryption, as DescribeTable tells it. What it tells is kept; the file is as encrypted as the disk it lies on.
import { createHash } from "node:crypto";
import type { Context, Input } from "../../kernel/mod.ts";
import { errors } from "./errors.ts";

type Specification = NonNullable<Input<"dynamodb", "CreateTable">["SSESpecification"]>;

/** ARN of the key; empty: AWS's own, which is the default and no part of the description. Seen on AWS: a type without `Enabled` enables. */
export function wantedKey(ctx: Context, given: Specification): string {
  const { Enabled, SSEType, KMSMasterKeyId } = given;
  if (Enabled === false) {
    if (SSEType) throw errors.invalid("SSEType can not be specified if Enabled is false");
    if (KMSMasterKeyId !== undefined) throw errors.invalid("KMSMasterKeyId can not be specified if Enabled is false");
  }
  if (SSEType === "AES256") throw errors.invalid("SSEType AES256 is not supported");
  if (KMSMasterKeyId !== undefined && !SSEType)
    throw errors.invalid("SSEType KMS is required if KMSMasterKeyId is specified");
  return Enabled || SSEType ? keyArn(ctx, KMSMasterKeyId ?? MANAGED) : "";
}

/** UpdateTable: what is there already is refused. */
export function changedKey(ctx: Context, given: Specification, current: string): string {
  const key = wantedKey(ctx, given);
  if (key === "" && current === "") throw errors.invalid("Table is already encrypted by default");
  if (key !== "" && key === current && given.KMSMasterKeyId === current)
    throw errors.invalid(
      "Table is already encrypted with given KMSMasterKeyId. Use KMSMasterKeyId parameter if you want to change Master Key",
    );
  return key;
}

const MANAGED = "alias/aws/dynamodb";

/** There is no KMS to ask: a key id, and an ARN, are taken for keys that are there; an alias stays an alias, but for AWS's own. */
function keyArn({ region, account }: Context, key: string): string {
  if (key.startsWith("arn:")) return key;
  const arn = (resource: string) => `arn:aws:kms:${region}:${account}:${resource}`;
  if (key !== MANAGED) return arn(key.startsWith("alias/") ? key : `key/${key}`);
  const hex = createHash("sha256").update(`${account} ${region} ${MANAGED}`).digest("hex");
  return arn(`key/${[8, 12, 16, 20, 32].map((end, i, ends) => hex.slice(ends[i - 1] ?? 0, end)).join("-")}`);
}
