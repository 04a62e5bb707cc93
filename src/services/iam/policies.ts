// Managed policies: the account's own, and AWS's (aws-managed.ts), which are everyone's and cannot be changed. Their versions: policy-versions.ts.
import {
  type Access,
  type Arn,
  type Context,
  defineOperations,
  identityPolicyFault,
  newUniqueId,
  type Tx,
} from "../../kernel/mod.ts";
import { type AwsManaged, awsManaged } from "./aws-managed.ts";
import { errors } from "./errors.ts";
import { cut, pageOf, underPath } from "./paging.ts";
import { type Use, uses, usesOf } from "./policy-uses.ts";
import { keyOf, secondOf } from "./tables.ts";
import { making, tagPage, tagsOf, tagsText, withoutTags, withTags } from "./tags.ts";

/** IAM's quotas: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html. Characters without white space. */
const SIZE_LIMIT = 6144;
const POLICIES_LIMIT = 1500;

export interface PolicyRow {
  readonly name: string;
  readonly path: string;
  readonly id: string;
  readonly arn: Arn;
  readonly description: string | null;
  readonly default_version: string;
  readonly next_version: number;
  readonly created_ms: number;
  readonly updated_ms: number;
  readonly tags: string;
}

export const policies = defineOperations("iam", {
  CreatePolicy: {
    access: (ctx, { PolicyName, Path = "/", Tags }) =>
      making(
        {
          action: "iam:CreatePolicy",
          resource: policyArn(ctx.account, Path, PolicyName!),
        },
        "TagPolicy",
        Tags,
      ),
    async handle(ctx, { PolicyName, Path = "/", PolicyDocument, Description, Tags }) {
      const { account } = ctx;
      const now = secondOf(ctx.now);
      const document = checkedPolicy(PolicyDocument!);
      const policy: PolicyRow = {
        name: PolicyName!,
        path: Path,
        id: newUniqueId("ANPA"),
        arn: policyArn(account, Path, PolicyName!),
        description: Description ?? null,
        default_version: "v1",
        next_version: 2,
        created_ms: now,
        updated_ms: now,
        tags: tagsText(Tags),
      };
      await ctx.write(async (tx) => {
        const made = await tx.run(
          `INSERT INTO iam_policy (account, policy_key, name, path, id, arn, description, default_version, next_version,
             created_ms, updated_ms, tags)
           VALUES (:account, :policy_key, :name, :path, :id, :arn, :description, :default_version, :next_version,
             :created_ms, :updated_ms, :tags) ON CONFLICT DO NOTHING`,
          { account, policy_key: keyOf(policy.name), ...policy },
        );
        if (made === 0) throw errors.policyExists(policy.name);
        const count = await tx.one<{ n: number }>("SELECT COUNT(*) AS n FROM iam_policy WHERE account = :account", {
          account,
        });
        if (Number(count!.n) > POLICIES_LIMIT) throw errors.quota("PoliciesPerAccount", POLICIES_LIMIT);
        await addVersion(tx, { arn: policy.arn, version: "v1", document, created_ms: now });
      });
      return { Policy: { ...policyListed(policy), ...tagsOf(policy.tags) } };
    },
  },

  GetPolicy: {
    access: onPolicy("GetPolicy"),
    async handle(ctx, { PolicyArn }) {
      const { policy, use } = await ctx.read(async (tx) => ({
        policy: await policyRow(tx, ctx.account, PolicyArn!),
        use: await usesOf(tx, ctx.account, PolicyArn!),
      }));
      const description = policy.description === null ? {} : { Description: policy.description };
      return { Policy: { ...policyListed(policy, use), ...description, ...tagsOf(policy.tags) } };
    },
  },

  ListPolicies: {
    access: (_ctx, { PathPrefix = "/" }) => ({ action: "iam:ListPolicies", resource: `policy path ${PathPrefix}` }),
    async handle(ctx, input) {
      const { Scope = "All", OnlyAttached = false, PolicyUsageFilter, PathPrefix } = input;
      const page = pageOf(input);
      const range = { after: page.after, PathPrefix };
      const { own, used } = await ctx.read(async (tx) => ({
        own: Scope === "AWS" ? [] : await ownPolicies(tx, ctx.account, range),
        used: await uses(tx, ctx.account),
      }));
      const rows = [...own, ...(Scope === "Local" ? [] : awsPolicies(range))]
        .map((policy) => ({ policy, use: used.get(policy.arn) }))
        .filter(({ use }) => !OnlyAttached || (use?.attached ?? 0) + (use?.bounding ?? 0) > 0)
        .filter(({ use }) => !PolicyUsageFilter || (use?.[USAGE[PolicyUsageFilter]] ?? 0) > 0)
        .sort((a, b) => (a.policy.arn < b.policy.arn ? -1 : 1));
      const { shown, more } = cut(rows, page, ({ policy }) => policy.arn);
      return { Policies: shown.map(({ policy, use }) => policyListed(policy, use)), ...more };
    },
  },

  DeletePolicy: {
    access: onPolicy("DeletePolicy"),
    async handle(ctx, { PolicyArn }) {
      const arn = PolicyArn!;
      await ctx.write(async (tx) => {
        await ownPolicyRow(tx, ctx.account, arn);
        const { attached, bounding } = await usesOf(tx, ctx.account, arn);
        if (attached + bounding > 0) throw errors.attached();
        const versions = await tx.all("SELECT version FROM iam_policy_version WHERE arn = :arn", { arn });
        if (versions.length > 1) throw errors.versionsLeft();
        await tx.run("DELETE FROM iam_policy_version WHERE arn = :arn", { arn });
        await tx.run("DELETE FROM iam_policy WHERE arn = :arn", { arn });
      });
      return {};
    },
  },

  TagPolicy: {
    access: onPolicy("TagPolicy"),
    handle: (ctx, { PolicyArn, Tags }) => setTags(ctx, PolicyArn!, (old) => withTags(old, Tags)),
  },

  UntagPolicy: {
    access: onPolicy("UntagPolicy"),
    handle: (ctx, { PolicyArn, TagKeys }) => setTags(ctx, PolicyArn!, (old) => withoutTags(old, TagKeys)),
  },

  ListPolicyTags: {
    access: onPolicy("ListPolicyTags"),
    async handle(ctx, input) {
      const policy = await ctx.read((tx) => policyRow(tx, ctx.account, input.PolicyArn!));
      return tagPage(policy.tags, input);
    },
  },
});

const USAGE = { PermissionsPolicy: "attached", PermissionsBoundary: "bounding" } as const;

/** Throws ValidationError or NoSuchEntity. Policies of other accounts are not there. */
export async function policyRow(tx: Tx, account: string, arn: Arn): Promise<PolicyRow> {
  const aws = awsRow(checkedArn(arn));
  if (aws) return aws;
  const policy = await tx.one<PolicyRow>("SELECT * FROM iam_policy WHERE account = :account AND arn = :arn", {
    account,
    arn,
  });
  if (!policy) throw errors.noSuchPolicy(arn);
  return policy;
}

/** A policy to change: one of AWS's is nobody's to change. */
export async function ownPolicyRow(tx: Tx, account: string, arn: Arn): Promise<PolicyRow> {
  if (awsRow(checkedArn(arn))) throw errors.unmodifiable();
  return await policyRow(tx, account, arn);
}

const policyArn = (account: string, path: string, name: string): Arn => `arn:aws:iam::${account}:policy${path}${name}`;

function checkedArn(arn: string): Arn {
  if (!arn.startsWith("arn:")) throw errors.unparsableArn();
  if (!/^arn:aws:iam::(aws|\d{12}):policy\/./.test(arn)) throw errors.badArn(arn);
  return arn;
}

/** A malformed ARN is told before access is decided, as AWS does: nothing could be decided about it. */
export function onPolicy(action: string) {
  return (_ctx: Context, { PolicyArn }: { PolicyArn?: string | undefined }): Access => ({
    action: `iam:${action}`,
    resource: checkedArn(PolicyArn!),
  });
}

export function checkedPolicy(document: string): string {
  const fault = identityPolicyFault(document, { managed: true });
  if (fault) throw errors.malformed(fault);
  if (document.replace(/\s/g, "").length > SIZE_LIMIT) throw errors.quota("PolicySize", SIZE_LIMIT);
  return document;
}

export interface NewVersion {
  readonly arn: Arn;
  readonly version: string;
  readonly document: string;
  readonly created_ms: number;
}

export const addVersion = (tx: Tx, version: NewVersion) =>
  tx.run(
    "INSERT INTO iam_policy_version (arn, version, document, created_ms) VALUES (:arn, :version, :document, :created_ms)",
    { ...version },
  );

interface Range {
  readonly after: string;
  readonly PathPrefix: string | undefined;
}

const ownPolicies = (tx: Tx, account: string, { after, PathPrefix }: Range): Promise<PolicyRow[]> =>
  tx.all<PolicyRow>(
    "SELECT * FROM iam_policy WHERE account = :account AND arn > :after AND path >= :from AND path < :to",
    { account, after, ...underPath(PathPrefix) },
  );

const awsPolicies = ({ after, PathPrefix = "/" }: Range): PolicyRow[] =>
  [...awsManaged().values()]
    .filter(({ arn, path }) => arn > after && path.startsWith(PathPrefix))
    .map((policy) => rowOfAws(policy));

/** undefined: none of AWS's that we have. */
export function awsRow(arn: Arn): PolicyRow | undefined {
  const policy = arn.startsWith("arn:aws:iam::aws:") ? awsManaged().get(arn) : undefined;
  return policy && rowOfAws(policy);
}

const rowOfAws = ({ version, document: _, ...policy }: AwsManaged): PolicyRow => ({
  ...policy,
  description: null,
  default_version: version,
  next_version: 0,
  tags: "[]",
});

async function setTags(ctx: Context, arn: Arn, value: (old: string) => string) {
  await ctx.write(async (tx) => {
    const { tags } = await ownPolicyRow(tx, ctx.account, arn);
    await tx.run("UPDATE iam_policy SET tags = :tags WHERE arn = :arn", { arn, tags: value(tags) });
  });
  return {};
}

export const policyListed = (policy: PolicyRow, use?: Use) => ({
  PolicyName: policy.name,
  PolicyId: policy.id,
  Arn: policy.arn,
  Path: policy.path,
  DefaultVersionId: policy.default_version,
  AttachmentCount: use?.attached ?? 0,
  PermissionsBoundaryUsageCount: use?.bounding ?? 0,
  IsAttachable: true,
  CreateDate: new Date(policy.created_ms),
  UpdateDate: new Date(policy.updated_ms),
});
