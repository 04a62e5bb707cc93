// Which organization an account belongs to, and what it may do there: nearly everything is the management account's alone.
import type { Access, Conditions, Context, Tx } from "../../kernel/mod.ts";
import { errors } from "./errors.ts";
import { arnOf } from "./names.ts";
import type { AccountRow, OrganizationRow } from "./tables.ts";

/** undefined: of none. */
export const organizationOf = (tx: Tx, account: string): Promise<OrganizationRow | undefined> =>
  tx.one<OrganizationRow>(
    `SELECT o.* FROM organizations_account a JOIN organizations_organization o ON o.id = a.organization_id
     WHERE a.account = :account`,
    { account },
  );

/** Throws AWSOrganizationsNotInUse. */
export async function memberOf(tx: Tx, account: string): Promise<OrganizationRow> {
  const organization = await organizationOf(tx, account);
  if (!organization) throw errors.notInUse();
  return organization;
}

/** Throws AWSOrganizationsNotInUse, or AccessDenied where the account does not manage it. */
export async function managedBy(tx: Tx, account: string): Promise<OrganizationRow> {
  const organization = await memberOf(tx, account);
  if (organization.management !== account) throw errors.notManagement();
  return organization;
}

/** Throws AccountNotFound, unless it is an account of the organization. */
export async function accountRow(tx: Tx, organization: OrganizationRow, account: string): Promise<AccountRow> {
  const row = await tx.one<AccountRow>(
    "SELECT * FROM organizations_account WHERE account = :account AND organization_id = :organization",
    { account, organization: organization.id },
  );
  if (!row) throw errors.noAccount();
  return row;
}

/** `access` of an operation on what `ids` names; on "*" where it names nothing, or the caller manages no organization: the handler says so. */
export const onIds =
  <I>(action: string, ids: (input: I) => readonly (string | undefined)[], keys?: (input: I) => Conditions) =>
  async (ctx: Context, input: I): Promise<Access[]> => {
    const organization = await ctx.recall("organizations", `of ${ctx.account}`, () =>
      ctx.read(async (tx) => (await organizationOf(tx, ctx.account)) ?? null),
    );
    const managed = organization?.management === ctx.account;
    const named = managed ? ids(input).filter((id) => id !== undefined) : [];
    const resources = named.length > 0 ? named.map((id) => arnOf(organization!, id)) : ["*"];
    const conditions = keys?.(input);
    return resources.map((resource) => ({
      action: `organizations:${action}`,
      resource,
      ...(conditions && { conditions }),
    }));
  };

/** `access` of an operation that is about no resource. */
export const onAll = (action: string) => (): Access => ({ action: `organizations:${action}`, resource: "*" });
