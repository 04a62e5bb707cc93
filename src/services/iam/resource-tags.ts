// aws:ResourceTag/KEY of everything in IAM that has tags.
import { type Arn, type Context, parseArn } from "../../kernel/mod.ts";
import { keyOf } from "./tables.ts";
import { tagRecord } from "./tags.ts";

/** undefined: there is no such resource, or it is of a kind without tags. */
export async function resourceTags(ctx: Context, arn: Arn): Promise<Readonly<Record<string, string>> | undefined> {
  const parts = parseArn(arn);
  const [kind = "", name = ""] = parts?.resource.split(/\/(.*)/s) ?? [];
  const byArn = BY_ARN.get(kind);
  const byName = BY_NAME.get(kind);
  if (!parts || !(byArn ?? byName)) return undefined;
  const key = keyOf(name.slice(name.lastIndexOf("/") + 1));
  const row = await ctx.read((tx) =>
    byArn
      ? tx.one<{ tags: string }>(byArn, { arn })
      : tx.one<{ tags: string }>(byName!, { account: parts.account, key }),
  );
  return row && tagRecord(row.tags);
}

const BY_NAME: ReadonlyMap<string, string> = new Map(
  Object.entries({
    user: "SELECT tags FROM iam_user WHERE account = :account AND user_key = :key",
    role: "SELECT tags FROM iam_role WHERE account = :account AND role_key = :key",
    "instance-profile": "SELECT tags FROM iam_instance_profile WHERE account = :account AND profile_key = :key",
    "server-certificate": "SELECT tags FROM iam_server_certificate WHERE account = :account AND certificate_key = :key",
  }),
);

const BY_ARN: ReadonlyMap<string, string> = new Map(
  Object.entries({
    policy: "SELECT tags FROM iam_policy WHERE arn = :arn",
    mfa: "SELECT tags FROM iam_mfa_device WHERE serial = :arn",
    "oidc-provider": "SELECT tags FROM iam_oidc_provider WHERE arn = :arn",
    "saml-provider": "SELECT tags FROM iam_saml_provider WHERE arn = :arn",
  }),
);
