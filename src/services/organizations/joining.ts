// How accounts come into an organization, and go.
import type { Tx } from "../../kernel/mod.ts";
import { errors } from "./errors.ts";
import { FULL_ACCESS } from "./names.ts";
import { LIMITS, type OrganizationRow } from "./tables.ts";
import { dropTags } from "./tags.ts";

/** Hangs an account below the root. */
export async function join(
  tx: Tx,
  organization: OrganizationRow,
  of: { account: string; name: string; email: string; method: "CREATED" | "INVITED"; now: number },
): Promise<void> {
  await tx.run(
    `INSERT INTO organizations_account (account, organization_id, parent_id, name, email, state, joined_method, joined_ms)
     VALUES (:account, :organization, :parent, :name, :email, 'ACTIVE', :method, :now)
     ON CONFLICT (account) DO UPDATE SET organization_id = excluded.organization_id, parent_id = excluded.parent_id,
       joined_method = excluded.joined_method, joined_ms = excluded.joined_ms`,
    { organization: organization.id, parent: organization.root_id, ...of },
  );
  if (organization.scps_enabled) await attachFullAccess(tx, organization, of.account);
}

/** Takes an account and what is said of it out of the organization. */
export async function leave(tx: Tx, { id }: OrganizationRow, account: string): Promise<void> {
  await goneFrom(tx, account);
  await tx.run("DELETE FROM organizations_attachment WHERE organization_id = :id AND target_id = :account", {
    id,
    account,
  });
  await dropTags(tx, { id }, account);
}

/** It keeps its name and address. */
export async function goneFrom(tx: Tx, account: string): Promise<void> {
  await tx.run(
    `UPDATE organizations_account SET organization_id = NULL, parent_id = NULL, joined_method = NULL, joined_ms = NULL
     WHERE account = :account`,
    { account },
  );
}

/** What comes into an organization that uses service control policies begins with FullAWSAccess. */
export async function attachFullAccess(tx: Tx, { id }: OrganizationRow, target: string): Promise<void> {
  await tx.run(
    "INSERT INTO organizations_attachment (organization_id, target_id, policy_id) VALUES (:id, :target, :policy)",
    { id, target, policy: FULL_ACCESS },
  );
}

/** Throws ConstraintViolation. */
export async function checkLimit(tx: Tx, { id }: OrganizationRow): Promise<void> {
  const count = await tx.one<{ n: number }>(
    "SELECT COUNT(*) AS n FROM organizations_account WHERE organization_id = :id",
    { id },
  );
  if (count!.n >= LIMITS.accounts) throw errors.accountLimit();
}
