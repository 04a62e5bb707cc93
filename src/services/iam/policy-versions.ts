// Versions of a managed policy: five at most, of which the default one counts.
import { defineOperations, type Tx } from "../../kernel/mod.ts";
import { awsDocument } from "./aws-managed.ts";
import { errors } from "./errors.ts";
import { cut, pageOf } from "./paging.ts";
import { addVersion, checkedPolicy, onPolicy, ownPolicyRow, type PolicyRow, policyRow } from "./policies.ts";
import { secondOf } from "./tables.ts";

const VERSIONS_LIMIT = 5;

interface VersionRow {
  readonly version: string;
  readonly document: string;
  readonly created_ms: number;
}

export const policyVersions = defineOperations("iam", {
  CreatePolicyVersion: {
    access: onPolicy("CreatePolicyVersion"),
    async handle(ctx, { PolicyArn, PolicyDocument, SetAsDefault = false }) {
      const arn = PolicyArn!;
      const document = checkedPolicy(PolicyDocument!);
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
    async handle(ctx, input) {
      const page = pageOf(input);
      const { policy, versions } = await ctx.read(async (tx) => {
        const policy = await policyRow(tx, ctx.account, input.PolicyArn!);
        return { policy, versions: await versionsOf(tx, policy) };
      });
      const rest = versions.slice(versions.findIndex(({ version }) => version === page.after) + 1);
      const { shown, more } = cut(rest, page, ({ version }) => version);
      const Versions = shown.map((version) => ({
        ...versionOf(version),
        IsDefaultVersion: version.version === policy.default_version,
      }));
      return { Versions, ...more };
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

/** The document that counts. */
export async function documentOf(tx: Tx, policy: PolicyRow): Promise<string> {
  const versions = await versionsOf(tx, policy);
  return versions.find(({ version }) => version === policy.default_version)!.document;
}

/** The newest first. */
async function versionsOf(tx: Tx, { arn, default_version, updated_ms }: PolicyRow): Promise<VersionRow[]> {
  const document = awsDocument(arn);
  if (document !== undefined) return [{ version: default_version, document, created_ms: updated_ms }];
  const rows = await tx.all<VersionRow>("SELECT * FROM iam_policy_version WHERE arn = :arn", { arn });
  return rows.sort((a, b) => numberOf(b) - numberOf(a));
}

const numberOf = ({ version }: { version: string }): number => Number(version.slice(1));

const versionOf = ({ version, created_ms }: VersionRow) => ({
  VersionId: version,
  CreateDate: new Date(created_ms),
});
