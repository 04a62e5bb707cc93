// Which policy stands where: each root, OU and account has one at least, while the root uses service control policies.
import { defineOperations, type Tx } from "../../kernel/mod.ts";
import { errors } from "./errors.ts";
import { managedBy, onIds } from "./membership.ts";
import { arnOf, FULL_ACCESS, parentType } from "./names.ts";
import { cut, pageOf } from "./paging.ts";
import { policyRow, summaryOf } from "./policies.ts";
import { fullAccess, ofType, onlyScps } from "./scp.ts";
import { LIMITS, type OrganizationRow, type PolicyRow } from "./tables.ts";

interface About {
  readonly PolicyId?: string | undefined;
  readonly TargetId?: string | undefined;
}
const onBoth = (action: string) =>
  onIds(
    action,
    ({ PolicyId, TargetId }: About) => [PolicyId, TargetId],
    () => ofType,
  );

export const attachments = defineOperations("organizations", {
  AttachPolicy: {
    access: onBoth("AttachPolicy"),
    async handle(ctx, { PolicyId, TargetId }) {
      await ctx.write(async (tx) => {
        const { organization, attached } = await both(tx, ctx.account, { PolicyId, TargetId });
        if (attached.includes(PolicyId!)) throw errors.attached();
        if (attached.length >= LIMITS.policiesPerTarget) throw errors.attachmentLimit();
        await tx.run(
          "INSERT INTO organizations_attachment (organization_id, target_id, policy_id) VALUES (:organization, :target, :policy)",
          { organization: organization.id, target: TargetId!, policy: PolicyId! },
        );
      });
      return {};
    },
  },

  DetachPolicy: {
    access: onBoth("DetachPolicy"),
    async handle(ctx, { PolicyId, TargetId }) {
      await ctx.write(async (tx) => {
        const { organization, attached } = await both(tx, ctx.account, { PolicyId, TargetId });
        if (!attached.includes(PolicyId!)) throw errors.notAttached();
        if (attached.length === 1) throw errors.lastAttachment();
        await tx.run(
          "DELETE FROM organizations_attachment WHERE organization_id = :organization AND target_id = :target AND policy_id = :policy",
          { organization: organization.id, target: TargetId!, policy: PolicyId! },
        );
      });
      return {};
    },
  },

  ListPoliciesForTarget: {
    access: onIds(
      "ListPoliciesForTarget",
      ({ TargetId }: About) => [TargetId],
      () => ofType,
    ),
    async handle(ctx, { TargetId, Filter, ...input }) {
      onlyScps(Filter);
      const page = pageOf(input);
      return await ctx.read(async (tx) => {
        const organization = await managedBy(tx, ctx.account);
        await checkTarget(tx, organization, TargetId!);
        const rows = await tx.all<Partial<PolicyRow> & { policy_id: string }>(
          `SELECT a.policy_id, p.* FROM organizations_attachment a LEFT JOIN organizations_policy p ON p.id = a.policy_id
           WHERE a.organization_id = :organization AND a.target_id = :target AND a.policy_id > :after
           ORDER BY a.policy_id LIMIT :limit`,
          { organization: organization.id, target: TargetId!, ...page },
        );
        const { shown, more } = cut(rows, page, ({ policy_id }) => policy_id);
        const full = fullAccess(organization.id);
        const all = shown.map((row) =>
          summaryOf(organization, row.policy_id === FULL_ACCESS ? full : (row as PolicyRow)),
        );
        return { Policies: all, ...more };
      });
    },
  },

  ListTargetsForPolicy: {
    access: onIds(
      "ListTargetsForPolicy",
      ({ PolicyId }: About) => [PolicyId],
      () => ofType,
    ),
    async handle(ctx, { PolicyId, ...input }) {
      const page = pageOf(input);
      return await ctx.read(async (tx) => {
        const organization = await managedBy(tx, ctx.account);
        await policyRow(tx, organization, PolicyId!);
        const rows = await tx.all<{ target_id: string; name: string }>(
          `SELECT t.target_id, COALESCE(u.name, a.name) AS name FROM organizations_attachment t
           LEFT JOIN organizations_unit u ON u.id = t.target_id LEFT JOIN organizations_account a ON a.account = t.target_id
           WHERE t.organization_id = :organization AND t.policy_id = :policy AND t.target_id > :after
           ORDER BY t.target_id LIMIT :limit`,
          { organization: organization.id, policy: PolicyId!, ...page },
        );
        const { shown, more } = cut(rows, page, ({ target_id }) => target_id);
        const Targets = shown.map(({ target_id: id, name }) => ({
          TargetId: id,
          Arn: arnOf(organization, id),
          Name: name,
          Type: /^\d/.test(id) ? ("ACCOUNT" as const) : parentType(id),
        }));
        return { Targets, ...more };
      });
    },
  },
});

/** Throws unless there are policy and target, and the root uses such policies. */
async function both(tx: Tx, account: string, { PolicyId, TargetId }: About) {
  const organization = await managedBy(tx, account);
  await policyRow(tx, organization, PolicyId!);
  await checkTarget(tx, organization, TargetId!);
  if (!organization.scps_enabled) throw errors.typeNotEnabled();
  const rows = await tx.all<{ policy_id: string }>(
    "SELECT policy_id FROM organizations_attachment WHERE organization_id = :organization AND target_id = :target",
    { organization: organization.id, target: TargetId! },
  );
  return { organization, attached: rows.map((row) => row.policy_id) };
}

async function checkTarget(tx: Tx, { id: organization }: OrganizationRow, target: string): Promise<void> {
  const found = await tx.one(
    `SELECT id FROM organizations_unit WHERE organization_id = :organization AND id = :target
     UNION ALL SELECT account FROM organizations_account WHERE organization_id = :organization AND account = :target`,
    { organization, target },
  );
  if (!found) throw errors.noTarget();
}
