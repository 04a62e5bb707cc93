// What an account may do at most, and which organization it belongs to: what the door asks. One statement each, remembered until this service writes.
import type { Context, Controls, Identity, NamedPolicy, Organization } from "../../kernel/mod.ts";
import { arnOf, FULL_ACCESS } from "./names.ts";
import { fullAccess } from "./scp.ts";
import type { OrganizationRow } from "./tables.ts";

export const identity: Identity = {
  controls: (ctx, account) => ctx.recall("organizations", `controls ${account}`, () => readControls(ctx, account)),
  organization: (ctx, account) =>
    ctx.recall("organizations", `organization ${account}`, () => readOrganization(ctx, account)),
};

interface Level extends Pick<OrganizationRow, "id" | "management" | "scps_enabled"> {
  readonly state: string;
  readonly height: number;
  readonly policy_id: string | null;
  readonly content: string | null;
}

/** The account, and all above it. The management account is not bound, nor is anyone where the root does not use such policies. */
const LEVELS = `WITH RECURSIVE level (target, parent_id, height, organization_id, state) AS (
    SELECT account, parent_id, 0, organization_id, state FROM organizations_account WHERE account = :account
    UNION ALL SELECT u.id, u.parent_id, l.height + 1, l.organization_id, l.state
    FROM level l JOIN organizations_unit u ON u.id = l.parent_id)
  SELECT l.height, l.state, o.id, o.management, o.scps_enabled, a.policy_id, p.content FROM level l
  LEFT JOIN organizations_organization o ON o.id = l.organization_id
  LEFT JOIN organizations_attachment a ON a.organization_id = l.organization_id AND a.target_id = l.target
  LEFT JOIN organizations_policy p ON p.id = a.policy_id
  ORDER BY l.height DESC, a.policy_id`;

async function readControls(ctx: Context, account: string): Promise<Controls | undefined> {
  const rows = await ctx.read((tx) => tx.all<Level>(LEVELS, { account }));
  // A closed account can do nothing more: no policy of anyone's allows anything.
  if (rows[0]?.state === "CLOSED") return [[]];
  const [of] = rows;
  if (!of?.scps_enabled || of.management === account) return undefined;
  const levels = Map.groupBy(rows, ({ height }) => height);
  return [...levels.values()].map((level) => level.flatMap(named));
}

function named({ policy_id, content, ...organization }: Level): NamedPolicy[] {
  if (policy_id === null) return [];
  const document = policy_id === FULL_ACCESS ? fullAccess(organization.id).content : content!;
  return [{ name: arnOf(organization, policy_id), document }];
}

async function readOrganization(ctx: Context, account: string): Promise<Organization | undefined> {
  const rows = await ctx.read((tx) =>
    tx.all<{ id: string; organization_id: string }>(
      `WITH RECURSIVE level (id, parent_id, height, organization_id) AS (
         SELECT account, parent_id, 0, organization_id FROM organizations_account
         WHERE account = :account AND organization_id IS NOT NULL
         UNION ALL SELECT u.id, u.parent_id, l.height + 1, l.organization_id
         FROM level l JOIN organizations_unit u ON u.id = l.parent_id)
       SELECT id, organization_id FROM level WHERE height > 0 ORDER BY height DESC`,
      { account },
    ),
  );
  const id = rows[0]?.organization_id;
  return id === undefined ? undefined : { id, paths: [`${[id, ...rows.map((row) => row.id)].join("/")}/`] };
}
