// Names of KMS keys. There is no KMS here yet: any key of the bucket's region and the caller's account is taken for one that is there.
import { createHash } from "node:crypto";
import { type Context, parseArn } from "../../kernel/mod.ts";
import { errors } from "./errors.ts";
import type { BucketRow } from "./tables.ts";

/** As an ARN. Undefined: the account's own key for S3, aws/s3. Throws KMS.NotFoundException. */
export function kmsKeyArn({ account }: Context, { region }: BucketRow, id: string | undefined): string {
  const arnOf = (key: string) => `arn:aws:kms:${region}:${account}:${key}`;
  if (id === undefined) return arnOf(`key/${ownKey(region, account)}`);
  if (!id.startsWith("arn:")) {
    if (!/^[\w/-]{1,256}$/.test(id)) throw errors.kmsNotFound(`Invalid keyId '${id}'`);
    return arnOf(id.startsWith("alias/") ? id : `key/${id}`);
  }
  const arn = parseArn(id);
  if (arn?.service !== "kms" || !/^(key|alias)\/[\w/-]+$/.test(arn.resource))
    throw errors.kmsNotFound(`Invalid keyId '${id}'`);
  if (arn.region !== region) throw errors.kmsNotFound(`Invalid arn ${arn.region}`);
  if (arn.account !== account) throw errors.kmsNotFound(`Key '${id}' does not exist`);
  return id;
}

/** The same for ever, as AWS's is. */
function ownKey(region: string, account: string): string {
  const hex = createHash("sha256").update(`aws/s3 ${region} ${account}`).digest("hex");
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-4${hex.slice(13, 16)}-a${hex.slice(17, 20)}-${hex.slice(20, 32)}`;
}
