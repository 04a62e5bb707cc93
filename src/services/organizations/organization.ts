// The organization itself, its root, and which kinds of policies it uses.
import { type Context, defineOperations, type Tx } from "../../kernel/mod.ts";
import { errors } from "./errors.ts";
import { attachFullAccess, goneFrom, join } from "./joining.ts";
import { knownAs } from "./known.ts";
import { managedBy, memberOf, onAll, onIds, organizationOf } from "./membership.ts";
import { arnOf, newId } from "./names.ts";
import { onlyScps, SCP } from "./scp.ts";
import type { OrganizationRow } from "./tables.ts";

interface AboutType {
  readonly RootId?: string | undefined;
  readonly PolicyType?: string | undefined;
}
const onType = (action: string) =>
  onIds(
    action,
    ({ RootId }: AboutType) => [RootId],
    ({ PolicyType }) => ({ "organizations:PolicyType": PolicyType! }),
  );

export const organization = defineOperations("organizations", {
  CreateOrganization: {
    access: onAll("CreateOrganization"),
    async handle(ctx, { FeatureSet = "ALL" }) {
      const all = FeatureSet === "ALL";
      const made: OrganizationRow = {
        id: newId("o", 10),
        management: ctx.account,
        feature_set: FeatureSet,
        root_id: newId("r", 4),
        scps_enabled: all ? 1 : 0,
      };
      const { name, email } = knownAs(ctx, ctx.account);
      const described = await ctx.write(async (tx) => {
        if (await organizationOf(tx, ctx.account)) throw errors.alreadyIn();
        await tx.run(
          `INSERT INTO organizations_organization (id, management, feature_set, root_id, scps_enabled)
           VALUES (:id, :management, :feature_set, :root_id, :scps_enabled)`,
          { ...made },
        );
        await tx.run(
          "INSERT INTO organizations_unit (id, organization_id, parent_id, name) VALUES (:root, :id, NULL, 'Root')",
          { root: made.root_id, id: made.id },
        );
        await join(tx, made, { account: ctx.account, name, email, method: "INVITED", now: ctx.now });
        if (all) await attachFullAccess(tx, made, made.root_id);
        return await describe(tx, made);
      });
      return { Organization: described };
    },
  },

  DescribeOrganization: {
    access: onAll("DescribeOrganization"),
    async handle(ctx) {
      return { Organization: await ctx.read(async (tx) => describe(tx, await memberOf(tx, ctx.account))) };
    },
  },

  DeleteOrganization: {
    access: onAll("DeleteOrganization"),
    async handle(ctx) {
      await ctx.write(async (tx) => {
        const { id } = await managedBy(tx, ctx.account);
        const accounts = await tx.one<{ n: number }>(
          "SELECT COUNT(*) AS n FROM organizations_account WHERE organization_id = :id",
          { id },
        );
        if (accounts!.n > 1) throw errors.notEmpty();
        await goneFrom(tx, ctx.account);
        for (const table of OWNED) await tx.run(table, { id });
      });
      return {};
    },
  },

  ListRoots: {
    access: onAll("ListRoots"),
    async handle(ctx) {
      const found = await ctx.read((tx) => managedBy(tx, ctx.account));
      return { Roots: [rootOf(found)] };
    },
  },

  EnablePolicyType: {
    access: onType("EnablePolicyType"),
    async handle(ctx, { RootId, PolicyType }) {
      onlyScps(PolicyType);
      return await ctx.write(async (tx) => {
        const found = await withRoot(tx, ctx, RootId!);
        if (found.feature_set !== "ALL") throw errors.typeNotAvailable();
        if (found.scps_enabled) throw errors.typeEnabled();
        // All begin with FullAWSAccess again, whatever was attached before.
        const enabled = await setEnabled(tx, found, 1);
        await tx.run(
          `INSERT INTO organizations_attachment (organization_id, target_id, policy_id)
           SELECT organization_id, id, 'p-FullAWSAccess' FROM organizations_unit WHERE organization_id = :id
           UNION ALL SELECT organization_id, account, 'p-FullAWSAccess' FROM organizations_account WHERE organization_id = :id`,
          { id: found.id },
        );
        return { Root: rootOf(enabled) };
      });
    },
  },

  DisablePolicyType: {
    access: onType("DisablePolicyType"),
    async handle(ctx, { RootId, PolicyType }) {
      onlyScps(PolicyType);
      return await ctx.write(async (tx) => {
        const found = await withRoot(tx, ctx, RootId!);
        if (!found.scps_enabled) throw errors.typeNotEnabled();
        await tx.run("DELETE FROM organizations_attachment WHERE organization_id = :id", { id: found.id });
        return { Root: rootOf(await setEnabled(tx, found, 0)) };
      });
    },
  },
});

const OWNED = [
  "DELETE FROM organizations_unit WHERE organization_id = :id",
  "DELETE FROM organizations_account_request WHERE organization_id = :id",
  "DELETE FROM organizations_policy WHERE organization_id = :id",
  "DELETE FROM organizations_attachment WHERE organization_id = :id",
  "DELETE FROM organizations_tag WHERE organization_id = :id",
  "DELETE FROM organizations_handshake WHERE organization_id = :id",
  "DELETE FROM organizations_organization WHERE id = :id",
];

async function withRoot(tx: Tx, ctx: Context, root: string): Promise<OrganizationRow> {
  const found = await managedBy(tx, ctx.account);
  if (found.root_id !== root) throw errors.noRoot();
  return found;
}

async function setEnabled(tx: Tx, of: OrganizationRow, enabled: 0 | 1): Promise<OrganizationRow> {
  await tx.run("UPDATE organizations_organization SET scps_enabled = :enabled WHERE id = :id", { enabled, id: of.id });
  return { ...of, scps_enabled: enabled };
}

const enabledTypes = (enabled: boolean) => (enabled ? [{ Type: SCP, Status: "ENABLED" } as const] : []);

const rootOf = (of: OrganizationRow) => ({
  Id: of.root_id,
  Arn: arnOf(of, of.root_id),
  Name: "Root",
  PolicyTypes: enabledTypes(of.scps_enabled === 1),
});

async function describe(tx: Tx, of: OrganizationRow) {
  const management = await tx.one<{ email: string }>(
    "SELECT email FROM organizations_account WHERE account = :account",
    {
      account: of.management,
    },
  );
  return {
    Id: of.id,
    Arn: `arn:aws:organizations::${of.management}:organization/${of.id}`,
    FeatureSet: of.feature_set,
    MasterAccountArn: arnOf(of, of.management),
    MasterAccountId: of.management,
    MasterAccountEmail: management!.email,
    // What the organization may use; what its root does use, ListRoots says.
    AvailablePolicyTypes: enabledTypes(of.feature_set === "ALL"),
  };
}
