// Member accounts: who they are, where they hang, how they go.
import { type Context, defineOperations, type Tx } from "../../kernel/mod.ts";
import { errors } from "./errors.ts";
import { leave } from "./joining.ts";
import { accountRow, managedBy, memberOf, onAll, onIds } from "./membership.ts";
import { arnOf } from "./names.ts";
import { cut, pageOf } from "./paging.ts";
import type { AccountRow, OrganizationRow } from "./tables.ts";
import { pathText, pathTo, pathToParent } from "./units.ts";

/** https://docs.aws.amazon.com/organizations/latest/APIReference/API_RemoveAccountFromOrganization.html (WAIT_PERIOD_ACTIVE) */
const WAIT_MS = 4 * 24 * 3600_000;

interface About {
  readonly AccountId?: string | undefined;
  readonly ParentId?: string | undefined;
}

export const accounts = defineOperations("organizations", {
  ListAccounts: {
    access: onAll("ListAccounts"),
    async handle(ctx, input) {
      const page = pageOf(input);
      return await ctx.read(async (tx) => {
        const organization = await managedBy(tx, ctx.account);
        const rows = await tx.all<AccountRow>(
          "SELECT * FROM organizations_account WHERE organization_id = :id AND account > :after ORDER BY account LIMIT :limit",
          { id: organization.id, ...page },
        );
        const { shown, more } = cut(rows, page, ({ account }) => account);
        const parents = await allPaths(tx, organization);
        return { Accounts: shown.map((row) => described(organization, row, parents.get(row.parent_id!)!)), ...more };
      });
    },
  },

  ListAccountsForParent: {
    access: onIds("ListAccountsForParent", ({ ParentId }: About) => [ParentId]),
    async handle(ctx, { ParentId, ...input }) {
      const page = pageOf(input);
      return await ctx.read(async (tx) => {
        const organization = await managedBy(tx, ctx.account);
        const above = await pathToParent(tx, organization, ParentId!);
        const rows = await tx.all<AccountRow>(
          "SELECT * FROM organizations_account WHERE parent_id = :parent AND account > :after ORDER BY account LIMIT :limit",
          { parent: ParentId!, ...page },
        );
        const { shown, more } = cut(rows, page, ({ account }) => account);
        return { Accounts: shown.map((row) => described(organization, row, above)), ...more };
      });
    },
  },

  DescribeAccount: {
    access: onIds("DescribeAccount", accountOf),
    async handle(ctx, { AccountId }) {
      return await ctx.read(async (tx) => {
        const organization = await managedBy(tx, ctx.account);
        const row = await accountRow(tx, organization, AccountId!);
        return { Account: described(organization, row, await pathTo(tx, organization, row.parent_id!)) };
      });
    },
  },

  MoveAccount: {
    access: onIds(
      "MoveAccount",
      (input: About & { SourceParentId?: string | undefined; DestinationParentId?: string | undefined }) => [
        input.AccountId,
        input.SourceParentId,
        input.DestinationParentId,
      ],
    ),
    async handle(ctx, { AccountId, SourceParentId, DestinationParentId }) {
      await ctx.write(async (tx) => {
        const organization = await managedBy(tx, ctx.account);
        const row = await accountRow(tx, organization, AccountId!);
        if ((await pathTo(tx, organization, SourceParentId!)).length === 0) throw errors.noSourceParent();
        if ((await pathTo(tx, organization, DestinationParentId!)).length === 0) throw errors.noDestination();
        if (row.parent_id === DestinationParentId) throw errors.accountThere();
        if (row.parent_id !== SourceParentId) throw errors.noSourceParent();
        await tx.run("UPDATE organizations_account SET parent_id = :parent WHERE account = :account", {
          parent: DestinationParentId!,
          account: row.account,
        });
      });
      return {};
    },
  },

  RemoveAccountFromOrganization: {
    access: onIds("RemoveAccountFromOrganization", accountOf),
    async handle(ctx, { AccountId }) {
      await ctx.write(async (tx) => goes(tx, ctx, await managedBy(tx, ctx.account), AccountId!));
      return {};
    },
  },

  LeaveOrganization: {
    access: onAll("LeaveOrganization"),
    async handle(ctx) {
      await ctx.write(async (tx) => goes(tx, ctx, await memberOf(tx, ctx.account), ctx.account));
      return {};
    },
  },

  CloseAccount: {
    access: onIds("CloseAccount", accountOf),
    async handle(ctx, { AccountId }) {
      await ctx.write(async (tx) => {
        const organization = await managedBy(tx, ctx.account);
        if (organization.feature_set !== "ALL") throw errors.notAllFeatures();
        const row = await accountRow(tx, organization, AccountId!);
        if (row.account === organization.management) throw errors.closesManagement();
        if (row.state === "CLOSED") throw errors.alreadyClosed();
        await tx.run("UPDATE organizations_account SET state = 'CLOSED' WHERE account = :account", {
          account: row.account,
        });
      });
      return {};
    },
  },
});

function accountOf({ AccountId }: About) {
  return [AccountId];
}

/** Paths of all roots and units of the organization, by id. */
async function allPaths(tx: Tx, { id }: OrganizationRow): Promise<ReadonlyMap<string, readonly string[]>> {
  const rows = await tx.all<{ id: string; parent_id: string | null }>(
    `WITH RECURSIVE below (id, parent_id, depth) AS (
       SELECT id, parent_id, 0 FROM organizations_unit WHERE organization_id = :id AND parent_id IS NULL
       UNION ALL SELECT u.id, u.parent_id, b.depth + 1 FROM below b JOIN organizations_unit u ON u.parent_id = b.id)
     SELECT id, parent_id FROM below ORDER BY depth`,
    { id },
  );
  const paths = new Map<string, readonly string[]>();
  for (const row of rows) paths.set(row.id, [...(paths.get(row.parent_id ?? "") ?? []), row.id]);
  return paths;
}

async function goes(tx: Tx, ctx: Context, organization: OrganizationRow, account: string): Promise<void> {
  if (account === organization.management) throw errors.managementStays();
  const row = await accountRow(tx, organization, account);
  if (row.joined_method === "CREATED" && ctx.now < row.joined_ms! + WAIT_MS) throw errors.waitPeriod();
  await leave(tx, organization, account);
}

function described(organization: OrganizationRow, row: AccountRow, above: readonly string[]) {
  return {
    Id: row.account,
    Arn: arnOf(organization, row.account),
    Email: row.email,
    Name: row.name,
    // Status is the older word for it.
    Status: row.state === "CLOSED" ? ("SUSPENDED" as const) : row.state,
    State: row.state,
    Paths: [pathText(organization, [...above, row.account])],
    JoinedMethod: row.joined_method!,
    JoinedTimestamp: new Date(row.joined_ms!),
  };
}
