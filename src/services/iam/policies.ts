// Managed policies: the account's own, in versions, and AWS's (aws-managed.ts), which are everyone's and cannot be changed.
import {
  type Access,
  type Arn,
  type Context,
  defineOperations,
  identityPolicyFault,
  newUniqueId,
  type Tx,
} from "../../kernel/mod.ts";
import { awsManaged } from "./aws-managed.ts";
import { errors } from "./errors.ts";
import { cut, pageOf, underPath } from "./paging.ts";
import { keyOf, secondOf } from "./tables.ts";
import { making, tagsOf, tagsText } from "./tags.ts";

const SIZE_LIMIT = 6144;
const VERSIONS_LIMIT = 5;

interface PolicyRow {
  readonly policy_key: string;
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
  readonly attachments: number;
}

interface VersionRow {
  readonly version: string;
  readonly document: string;
  readonly created_ms: number;
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
      const document = checked(PolicyDocument!);
      const arn = policyArn(account, Path, PolicyName!);
      const policy: PolicyRow = {
        policy_key: keyOf(PolicyName!),
        name: PolicyName!,
        path: Path,
        id: newUniqueId("ANPA"),
        arn,
        description: Description ?? null,
        default_version: "v1",
        next_version: 2,
        created_ms: now,
        updated_ms: now,
        tags: tagsText(Tags),
        attachments: 0,
      };
      await ctx.write(async (tx) => {
        const { attachments: _, ...row } = policy;
        const made = await tx.run(
          `INSERT INTO iam_policy (account, policy_key, name, path, id, arn, description, default_version, next_version,
             created_ms, updated_ms, tags)
           VALUES (:account, :policy_key, :name, :path, :id, :arn, :description, :default_version, :next_version,
             :created_ms, :updated_ms, :tags) ON CONFLICT DO NOTHING`,
          { account, ...row },
        );
        if (made === 0) throw errors.policyExists(policy.name);
        await addVersion(tx, { arn, version: "v1", document, created_ms: now });
      });
      return { Policy: { ...listed(policy), ...tagsOf(policy.tags) } };
    },
  },

  GetPolicy: {
    access: onPolicy("GetPolicy"),
    async handle(ctx, { PolicyArn }) {
      const policy = await ctx.read((tx) => policyRow(tx, ctx.account, PolicyArn!));
      const description = policy.description === null ? {} : { Description: policy.description };
      return { Policy: { ...listed(policy), ...description, ...tagsOf(policy.tags) } };
    },
  },

  ListPolicies: {
    access: (_ctx, { PathPrefix = "/" }) => ({ action: "iam:ListPolicies", resource: `policy path ${PathPrefix}` }),
    async handle(ctx, input) {
      const { Scope = "All", OnlyAttached, PolicyUsageFilter, PathPrefix } = input;
      if (PolicyUsageFilter === "PermissionsBoundary") throw errors.notImplemented("permissions boundaries");
      const page = pageOf(input);
      const rows = await ctx.read(async (tx) => {
        const own = Scope === "AWS" ? [] : await ownPolicies(tx, ctx.account, { after: page.after, PathPrefix });
        const awss = Scope === "Local" ? [] : await awsPolicies(tx, ctx.account, { after: page.after, PathPrefix });
        return [...own, ...awss].filter(({ attachments }) => !OnlyAttached || attachments > 0);
      });
      rows.sort((a, b) => (a.arn < b.arn ? -1 : 1));
      const { shown, more } = cut(rows.slice(0, page.limit), page, ({ arn }) => arn);
      return { Policies: shown.map(listed), ...more };
    },
  },

  DeletePolicy: {
    access: onPolicy("DeletePolicy"),
    async handle(ctx, { PolicyArn }) {
      const arn = PolicyArn!;
      await ctx.write(async (tx) => {
        const policy = await ownPolicyRow(tx, ctx.account, arn);
        if (policy.attachments > 0) throw errors.attached();
        const versions = await tx.all("SELECT version FROM iam_policy_version WHERE arn = :arn", { arn });
        if (versions.length > 1) throw errors.versionsLeft();
        await tx.run("DELETE FROM iam_policy_version WHERE arn = :arn", { arn });
        await tx.run("DELETE FROM iam_policy WHERE arn = :arn", { arn });
      });
      return {};
    },
  },

  CreatePolicyVersion: {
    access: onPolicy("CreatePolicyVersion"),
    async handle(ctx, { PolicyArn, PolicyDocument, SetAsDefault = false }) {
      const arn = PolicyArn!;
      const document = checked(PolicyDocument!);
      const version = await ctx.write(async (tx) => {
        const policy = await ownPolicyRow(tx, ctx.account, arn);
        const versions = await tx.all("SELECT version FROM iam_policy_version WHERE arn = :arn", { arn });
        if (versions.length >= VERSIONS_LIMIT) throw errors.versionQuota();
        const version: VersionRow = { version: `v${policy.next_version}`, document, created_ms: secondOf(ctx.now) };
        await addVersion(tx, { arn, ...version });
        await tx.run(
          `UPDATE iam_policy SET next_version = :next, default_version = :default_version, updated_ms = :now
           WHERE arn = :arn`,
          {
            arn,
            next: policy.next_version + 1,
            default_version: SetAsDefault ? version.version : policy.default_version,
            now: secondOf(ctx.now),
          },
        );
        return version;
      });
      const { VersionId, CreateDate } = versionOf(version);
      return { PolicyVersion: { VersionId, CreateDate, IsDefaultVersion: SetAsDefault } };
    },
  },

  GetPolicyVersion: {
    access: onPolicy("GetPolicyVersion"),
    async handle(ctx, { PolicyArn, VersionId }) {
      const { policy, version } = await ctx.read(async (tx) => {
        const policy = await policyRow(tx, ctx.account, PolicyArn!);
        const versions = await versionsOf(tx, policy);
        return { policy, version: versions.find(({ version }) => version === VersionId) };
      });
      if (!version) throw errors.noSuchVersion(PolicyArn!, VersionId!);
      const IsDefaultVersion = version.version === policy.default_version;
      return {
        PolicyVersion: { Document: encodeURIComponent(version.document), ...versionOf(version), IsDefaultVersion },
      };
    },
  },

  ListPolicyVersions: {
    access: onPolicy("ListPolicyVersions"),
    async handle(ctx, { PolicyArn }) {
      const { policy, versions } = await ctx.read(async (tx) => {
        const policy = await policyRow(tx, ctx.account, PolicyArn!);
        return { policy, versions: await versionsOf(tx, policy) };
      });
      const Versions = versions.map((version) => ({
        ...versionOf(version),
        IsDefaultVersion: version.version === policy.default_version,
      }));
      return { Versions, IsTruncated: false };
    },
  },

  SetDefaultPolicyVersion: {
    access: onPolicy("SetDefaultPolicyVersion"),
    async handle(ctx, { PolicyArn, VersionId }) {
      const [arn, version] = [PolicyArn!, VersionId!];
      await ctx.write(async (tx) => {
        await ownPolicyRow(tx, ctx.account, arn);
        const key = { arn, version };
        if (!(await tx.one("SELECT 1 AS one FROM iam_policy_version WHERE arn = :arn AND version = :version", key)))
          throw errors.noSuchVersion(arn, version);
        await tx.run("UPDATE iam_policy SET default_version = :version, updated_ms = :now WHERE arn = :arn", {
          ...key,
          now: secondOf(ctx.now),
        });
      });
      return {};
    },
  },

  DeletePolicyVersion: {
    access: onPolicy("DeletePolicyVersion"),
    async handle(ctx, { PolicyArn, VersionId }) {
      const [arn, version] = [PolicyArn!, VersionId!];
      await ctx.write(async (tx) => {
        const policy = await ownPolicyRow(tx, ctx.account, arn);
        if (policy.default_version === version) throw errors.defaultVersion();
        const sql = "DELETE FROM iam_policy_version WHERE arn = :arn AND version = :version";
        if ((await tx.run(sql, { arn, version })) === 0) throw errors.noSuchVersion(arn, version);
      });
      return {};
    },
  },
});

/** Throws ValidationError or NoSuchEntity. Policies of other accounts are not there. */
export async function policyRow(tx: Tx, account: string, arn: Arn): Promise<PolicyRow> {
  const aws = AWS_BY_ARN.get(checkedArn(arn));
  if (aws) return { ...aws, attachments: await attachments(tx, account, arn) };
  const policy = await tx.one<PolicyRow>("SELECT * FROM iam_policy WHERE account = :account AND arn = :arn", {
    account,
    arn,
  });
  if (!policy) throw errors.noSuchPolicy(arn);
  return { ...policy, attachments: await attachments(tx, account, arn) };
}

/** The document of a policy of AWS; undefined where it is none that we have. */
export const awsDocument = (arn: Arn): string | undefined => AWS_DOCUMENTS.get(arn);

async function ownPolicyRow(tx: Tx, account: string, arn: Arn): Promise<PolicyRow> {
  if (AWS_BY_ARN.has(checkedArn(arn))) throw errors.unmodifiable();
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

function checked(document: string): string {
  const fault = identityPolicyFault(document, { managed: true });
  if (fault) throw errors.malformed(fault);
  if (document.replace(/\s/g, "").length > SIZE_LIMIT) throw errors.quota("PolicySize", SIZE_LIMIT);
  return document;
}

const addVersion = (tx: Tx, version: VersionRow & { arn: Arn }) =>
  tx.run(
    "INSERT INTO iam_policy_version (arn, version, document, created_ms) VALUES (:arn, :version, :document, :created_ms)",
    { ...version },
  );

async function versionsOf(tx: Tx, { arn, default_version, updated_ms }: PolicyRow): Promise<VersionRow[]> {
  const document = AWS_DOCUMENTS.get(arn);
  if (document !== undefined) return [{ version: default_version, document, created_ms: updated_ms }];
  const rows = await tx.all<VersionRow>("SELECT * FROM iam_policy_version WHERE arn = :arn", { arn });
  const number = ({ version }: VersionRow) => Number(version.slice(1));
  return rows.sort((a, b) => number(b) - number(a));
}

async function attachments(tx: Tx, account: string, arn: Arn): Promise<number> {
  const found = await tx.one<{ n: number }>(
    "SELECT COUNT(*) AS n FROM iam_attached_policy WHERE account = :account AND arn = :arn",
    { account, arn },
  );
  return Number(found!.n);
}

interface Range {
  readonly after: string;
  readonly PathPrefix: string | undefined;
}

const ownPolicies = (tx: Tx, account: string, { after, PathPrefix }: Range): Promise<PolicyRow[]> =>
  tx.all<PolicyRow>(
    `SELECT p.*, (SELECT COUNT(*) FROM iam_attached_policy a WHERE a.account = p.account AND a.arn = p.arn) AS attachments
     FROM iam_policy p WHERE p.account = :account AND p.arn > :after AND p.path >= :from AND p.path < :to ORDER BY p.arn`,
    { account, after, ...underPath(PathPrefix) },
  );

async function awsPolicies(tx: Tx, account: string, { after, PathPrefix = "/" }: Range): Promise<PolicyRow[]> {
  const rows: PolicyRow[] = [];
  for (const policy of AWS_BY_ARN.values())
    if (policy.arn > after && policy.path.startsWith(PathPrefix))
      rows.push({ ...policy, attachments: await attachments(tx, account, policy.arn) });
  return rows;
}

const listed = (policy: PolicyRow) => ({
  PolicyName: policy.name,
  PolicyId: policy.id,
  Arn: policy.arn,
  Path: policy.path,
  DefaultVersionId: policy.default_version,
  AttachmentCount: Number(policy.attachments),
  PermissionsBoundaryUsageCount: 0,
  IsAttachable: true,
  CreateDate: new Date(policy.created_ms),
  UpdateDate: new Date(policy.updated_ms),
});

const versionOf = ({ version, created_ms }: VersionRow) => ({
  VersionId: version,
  CreateDate: new Date(created_ms),
});

const AWS_BY_ARN: ReadonlyMap<Arn, PolicyRow> = new Map(
  awsManaged.map(({ path, name, version, updated }, at) => {
    const arn = policyArn("aws", path, name);
    const row: PolicyRow = {
      policy_key: keyOf(name),
      name,
      path,
      // AWS's own ids are not published; these are stable, and tell apart.
      id: `ANPAAWSLIKE${String(at).padStart(10, "0").replaceAll("0", "A").replaceAll("1", "B").replace(/[89]/g, "Z")}`,
      arn,
      description: null,
      default_version: version,
      next_version: 0,
      created_ms: Date.parse(updated),
      updated_ms: Date.parse(updated),
      tags: "[]",
      attachments: 0,
    };
    return [arn, row];
  }),
);

const AWS_DOCUMENTS: ReadonlyMap<Arn, string> = new Map(
  awsManaged.map(({ path, name, statements }) => [
    policyArn("aws", path, name),
    JSON.stringify({ Version: "2012-10-17", Statement: statements }),
  ]),
);
