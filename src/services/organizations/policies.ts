// Service control policies: what they say. https://docs.aws.amazon.com/organizations/latest/userguide/orgs_manage_policies_scps_syntax.html
import { defineOperations, identityPolicyFault, type Tx } from "../../kernel/mod.ts";
import { errors } from "./errors.ts";
import { managedBy, onIds } from "./membership.ts";
import { arnOf, FULL_ACCESS, newId } from "./names.ts";
import { cut, pageOf } from "./paging.ts";
import { fullAccess, ofType, onlyScps, SCP } from "./scp.ts";
import { LIMITS, type OrganizationRow, type PolicyRow } from "./tables.ts";
import { dropTags, making, putTags, tagsOf } from "./tags.ts";

const onPolicy = (action: string) =>
  onIds(
    action,
    ({ PolicyId }: { PolicyId?: string | undefined }) => [PolicyId],
    () => ofType,
  );

export const policies = defineOperations("organizations", {
  CreatePolicy: {
    access: (_, { Type, Tags }) =>
      making("CreatePolicy", Tags).map((access) => ({
        ...access,
        conditions: { ...access.conditions, "organizations:PolicyType": Type! },
      })),
    async handle(ctx, { Content, Description, Name, Type, Tags }) {
      onlyScps(Type);
      const given = tagsOf(Tags);
      checkContent(Content!);
      const id = newId("p", 8);
      return await ctx.write(async (tx) => {
        const organization = await managedBy(tx, ctx.account);
        if (organization.feature_set !== "ALL") throw errors.typeNotAvailable();
        const count = await tx.one<{ n: number }>(
          "SELECT COUNT(*) AS n FROM organizations_policy WHERE organization_id = :id",
          { id: organization.id },
        );
        if (count!.n >= LIMITS.policies) throw errors.policyLimit();
        const policy: PolicyRow = {
          id,
          organization_id: organization.id,
          name: Name!,
          description: Description!,
          content: Content!,
        };
        await checkName(tx, policy);
        await tx.run(
          `INSERT INTO organizations_policy (id, organization_id, name, description, content)
           VALUES (:id, :organization_id, :name, :description, :content)`,
          { ...policy },
        );
        await putTags(tx, organization, { resource: id, change: () => given });
        return { Policy: described(organization, policy) };
      });
    },
  },

  UpdatePolicy: {
    access: onPolicy("UpdatePolicy"),
    async handle(ctx, { PolicyId, Name, Description, Content }) {
      if (Content !== undefined) checkContent(Content);
      return await ctx.write(async (tx) => {
        const organization = await managedBy(tx, ctx.account);
        const old = await policyRow(tx, organization, PolicyId!);
        if (old.id === FULL_ACCESS) throw errors.awsPolicy();
        const policy = {
          ...old,
          name: Name ?? old.name,
          description: Description ?? old.description,
          content: Content ?? old.content,
        };
        await checkName(tx, policy);
        const { id, name, description, content } = policy;
        await tx.run(
          "UPDATE organizations_policy SET name = :name, description = :description, content = :content WHERE id = :id",
          { id, name, description, content },
        );
        return { Policy: described(organization, policy) };
      });
    },
  },

  DescribePolicy: {
    access: onPolicy("DescribePolicy"),
    async handle(ctx, { PolicyId }) {
      return await ctx.read(async (tx) => {
        const organization = await managedBy(tx, ctx.account);
        return { Policy: described(organization, await policyRow(tx, organization, PolicyId!)) };
      });
    },
  },

  DeletePolicy: {
    access: onPolicy("DeletePolicy"),
    async handle(ctx, { PolicyId: id }) {
      await ctx.write(async (tx) => {
        const organization = await managedBy(tx, ctx.account);
        const policy = await policyRow(tx, organization, id!);
        if (policy.id === FULL_ACCESS) throw errors.awsPolicy();
        const attached = await tx.one(
          "SELECT target_id FROM organizations_attachment WHERE organization_id = :organization AND policy_id = :id LIMIT 1",
          { organization: organization.id, id: id! },
        );
        if (attached) throw errors.inUse();
        await tx.run("DELETE FROM organizations_policy WHERE id = :id", { id: id! });
        await dropTags(tx, organization, id!);
      });
      return {};
    },
  },

  ListPolicies: {
    access: (_, { Filter }) => ({
      action: "organizations:ListPolicies",
      resource: "*",
      conditions: { "organizations:PolicyType": Filter! },
    }),
    async handle(ctx, { Filter, ...input }) {
      onlyScps(Filter);
      const page = pageOf(input);
      return await ctx.read(async (tx) => {
        const organization = await managedBy(tx, ctx.account);
        const rows = await tx.all<PolicyRow>(
          "SELECT * FROM organizations_policy WHERE organization_id = :id AND id > :after ORDER BY id LIMIT :limit",
          { id: organization.id, ...page },
        );
        // FullAWSAccess has its place in the order, too.
        const all = page.after < FULL_ACCESS ? [...rows, fullAccess(organization.id)].sort(byId) : rows;
        const { shown, more } = cut(all, page, ({ id }) => id);
        return { Policies: shown.map((policy) => summaryOf(organization, policy)), ...more };
      });
    },
  },
});

const byId = (one: PolicyRow, other: PolicyRow): number => (one.id < other.id ? -1 : 1);

/** Throws PolicyNotFound. */
export async function policyRow(tx: Tx, { id: organization }: OrganizationRow, id: string): Promise<PolicyRow> {
  if (id === FULL_ACCESS) return fullAccess(organization);
  const policy = await tx.one<PolicyRow>(
    "SELECT * FROM organizations_policy WHERE organization_id = :organization AND id = :id",
    { organization, id },
  );
  if (!policy) throw errors.noPolicy();
  return policy;
}

export const summaryOf = (organization: OrganizationRow, { id, name, description }: PolicyRow) => ({
  Id: id,
  Arn: arnOf(organization, id),
  Name: name,
  Description: description,
  Type: SCP,
  AwsManaged: id === FULL_ACCESS,
});

const described = (organization: OrganizationRow, policy: PolicyRow) => ({
  PolicySummary: summaryOf(organization, policy),
  Content: policy.content,
});

function checkContent(content: string): void {
  if (content.length > LIMITS.policySize) throw errors.policySize();
  if (identityPolicyFault(content, { managed: true }) !== undefined) throw errors.malformed();
}

async function checkName(tx: Tx, { id, organization_id: organization, name }: PolicyRow): Promise<void> {
  const same = await tx.one(
    "SELECT id FROM organizations_policy WHERE organization_id = :organization AND name = :name AND id <> :id",
    { organization, name, id },
  );
  if (same || name === "FullAWSAccess") throw errors.policyExists();
}
