// Invitations: how an account that exists comes into an organization. https://docs.aws.amazon.com/organizations/latest/userguide/orgs_manage_accounts_invites.html
import { type Context, defineOperations, type Tx } from "../../kernel/mod.ts";
import { errors } from "./errors.ts";
import { checkLimit, join } from "./joining.ts";
import { knownAs } from "./known.ts";
import { managedBy, onAll, onIds, organizationOf } from "./membership.ts";
import { arnOf, newId } from "./names.ts";
import { cut, pageOf } from "./paging.ts";
import type { AccountRow, OrganizationRow } from "./tables.ts";
import { making, putTags, tagsOf } from "./tags.ts";

const DAY_MS = 24 * 3600_000;
/** An invitation is open for so long, and told of for so long after it was settled. */
const OPEN_MS = 15 * DAY_MS;
const KEPT_MS = 30 * DAY_MS;

type State = "OPEN" | "ACCEPTED" | "DECLINED" | "CANCELED" | "EXPIRED";

interface HandshakeRow {
  readonly id: string;
  readonly organization_id: string;
  readonly account: string;
  /** Where it was invited by its address. */
  readonly email: string | null;
  readonly notes: string | null;
  readonly tags: string;
  readonly state: State;
  readonly requested_ms: number;
  readonly expires_ms: number;
  readonly changed_ms: number;
}

/** With whose invitation it is. */
type Invitation = HandshakeRow &
  Pick<OrganizationRow, "management" | "feature_set"> & { readonly owner_name: string; readonly owner_email: string };

interface About {
  readonly HandshakeId?: string | undefined;
}
const idsOf = ({ HandshakeId }: About) => [HandshakeId];

export const handshakes = defineOperations("organizations", {
  InviteAccountToOrganization: {
    access: (_, { Tags }) => making("InviteAccountToOrganization", Tags),
    async handle(ctx, { Target, Notes, Tags }) {
      if (Target!.Type === "ORGANIZATION")
        throw errors.invalid("INVALID_PARTY_TYPE_TARGET", "You specified the wrong type of entity as a party.");
      const given = tagsOf(Tags);
      const id = newId("h", 32);
      return await ctx.write(async (tx) => {
        const organization = await managedBy(tx, ctx.account);
        await checkLimit(tx, organization);
        const account = Target!.Type === "EMAIL" ? await accountAt(tx, ctx, Target!.Id!) : Target!.Id!;
        if (!/^\d{12}$/.test(account)) throw errors.noAccount();
        if (await organizationOf(tx, account)) throw errors.handshakeMember();
        const open = await tx.one(
          `SELECT id FROM organizations_handshake
           WHERE organization_id = :organization AND account = :account AND state = 'OPEN' AND expires_ms > :now`,
          { organization: organization.id, account, now: ctx.now },
        );
        if (open) throw errors.handshakeExists();
        const row: HandshakeRow = {
          id,
          organization_id: organization.id,
          account,
          email: Target!.Type === "EMAIL" ? Target!.Id! : null,
          notes: Notes ?? null,
          tags: JSON.stringify(given),
          state: "OPEN",
          requested_ms: ctx.now,
          expires_ms: ctx.now + OPEN_MS,
          changed_ms: ctx.now,
        };
        await tx.run(
          `INSERT INTO organizations_handshake
           (id, organization_id, account, email, notes, tags, state, requested_ms, expires_ms, changed_ms)
           VALUES (:id, :organization_id, :account, :email, :notes, :tags, :state, :requested_ms, :expires_ms, :changed_ms)`,
          { ...row },
        );
        return { Handshake: described(ctx, await invitation(tx, id)) };
      });
    },
  },

  AcceptHandshake: {
    access: onAll("AcceptHandshake"),
    async handle(ctx, { HandshakeId }) {
      return await ctx.write(async (tx) => {
        const found = await settle(tx, ctx, { id: HandshakeId!, state: "ACCEPTED", by: ({ account }) => account });
        if (await organizationOf(tx, ctx.account)) throw errors.handshakeMember();
        const organization = await tx.one<OrganizationRow>("SELECT * FROM organizations_organization WHERE id = :id", {
          id: found.organization_id,
        });
        await checkLimit(tx, organization!);
        await join(tx, organization!, {
          account: ctx.account,
          ...knownAs(ctx, ctx.account),
          method: "INVITED",
          now: ctx.now,
        });
        const given = JSON.parse(found.tags) as Record<string, string>;
        await putTags(tx, organization!, { resource: ctx.account, change: () => given });
        return { Handshake: described(ctx, found) };
      });
    },
  },

  DeclineHandshake: {
    access: onAll("DeclineHandshake"),
    handle: (ctx, { HandshakeId }) =>
      ctx.write(async (tx) => {
        const found = await settle(tx, ctx, { id: HandshakeId!, state: "DECLINED", by: ({ account }) => account });
        return { Handshake: described(ctx, found) };
      }),
  },

  CancelHandshake: {
    access: onIds("CancelHandshake", idsOf),
    handle: (ctx, { HandshakeId }) =>
      ctx.write(async (tx) => {
        const found = await settle(tx, ctx, {
          id: HandshakeId!,
          state: "CANCELED",
          by: ({ management }) => management,
        });
        return { Handshake: described(ctx, found) };
      }),
  },

  DescribeHandshake: {
    access: onIds("DescribeHandshake", idsOf),
    async handle(ctx, { HandshakeId }) {
      const found = await ctx.read((tx) => invitation(tx, HandshakeId!));
      if (![found.account, found.management].includes(ctx.account)) throw errors.notManagement();
      return { Handshake: described(ctx, found) };
    },
  },

  ListHandshakesForAccount: {
    access: onAll("ListHandshakesForAccount"),
    async handle(ctx, input) {
      const page = pageOf(input);
      if (!ofInvites(input)) return { Handshakes: [] };
      const rows = await ctx.read((tx) =>
        tx.all<Invitation>(`${INVITATIONS} WHERE h.account = :account AND ${SHOWN}`, {
          account: ctx.account,
          ...page,
          ...shownAt(ctx),
        }),
      );
      const { shown, more } = cut(rows, page, ({ id }) => id);
      return { Handshakes: shown.map((row) => described(ctx, row)), ...more };
    },
  },

  ListHandshakesForOrganization: {
    access: onAll("ListHandshakesForOrganization"),
    async handle(ctx, input) {
      const page = pageOf(input);
      const rows = await ctx.read(async (tx) => {
        const { id } = await managedBy(tx, ctx.account);
        if (!ofInvites(input)) return [];
        return await tx.all<Invitation>(`${INVITATIONS} WHERE h.organization_id = :id AND ${SHOWN}`, {
          id,
          ...page,
          ...shownAt(ctx),
        });
      });
      const { shown, more } = cut(rows, page, ({ id }) => id);
      return { Handshakes: shown.map((row) => described(ctx, row)), ...more };
    },
  },
});

const INVITATIONS = `SELECT h.*, o.management, o.feature_set, m.name AS owner_name, m.email AS owner_email FROM organizations_handshake h
  JOIN organizations_organization o ON o.id = h.organization_id JOIN organizations_account m ON m.account = o.management`;
const SHOWN = `h.id > :after AND (h.state = 'OPEN' AND h.expires_ms > :since OR h.state <> 'OPEN' AND h.changed_ms > :since)
  ORDER BY h.id LIMIT :limit`;
const shownAt = ({ now }: Context) => ({ since: now - KEPT_MS });

/** Invitations are the only handshakes there are here. */
function ofInvites({
  Filter,
}: {
  Filter?: { ActionType?: string | undefined; ParentHandshakeId?: string | undefined } | undefined;
}): boolean {
  return Filter?.ParentHandshakeId === undefined && (Filter?.ActionType ?? "INVITE") === "INVITE";
}

/** Throws HandshakeNotFound. */
async function invitation(tx: Tx, id: string): Promise<Invitation> {
  const found = await tx.one<Invitation>(`${INVITATIONS} WHERE h.id = :id`, { id });
  if (!found) throw errors.noHandshake();
  return found;
}

const stateAt = ({ state, expires_ms }: HandshakeRow, now: number): State =>
  state === "OPEN" && now >= expires_ms ? "EXPIRED" : state;

/** An open invitation comes to its end, by whose it is to say so. */
async function settle(
  tx: Tx,
  ctx: Context,
  { id, state, by }: { id: string; state: State; by: (of: Invitation) => string },
): Promise<Invitation> {
  const found = await invitation(tx, id);
  if (by(found) !== ctx.account) throw errors.notManagement();
  const now = stateAt(found, ctx.now);
  if (now === state) throw errors.handshakeState();
  if (now !== "OPEN") throw errors.handshakeOver();
  await tx.run("UPDATE organizations_handshake SET state = :state, changed_ms = :now WHERE id = :id", {
    id,
    state,
    now: ctx.now,
  });
  return { ...found, state };
}

/** Nothing is mailed here: the address must be that of an account that is known. Throws InvalidInput. */
async function accountAt(tx: Tx, ctx: Context, email: string): Promise<string> {
  const row = await tx.one<Pick<AccountRow, "account">>(
    "SELECT account FROM organizations_account WHERE email = :email",
    {
      email,
    },
  );
  const account = row?.account ?? ctx.config.accounts.find((known) => known.email === email)?.id;
  if (account === undefined)
    throw errors.invalid(
      "INVALID_EMAIL_ADDRESS_TARGET",
      "You specified an invalid email address for the invited account owner.",
    );
  return account;
}

function described(ctx: Context, row: Invitation) {
  const target =
    row.email === null ? ({ Id: row.account, Type: "ACCOUNT" } as const) : ({ Id: row.email, Type: "EMAIL" } as const);
  const organization = { id: row.organization_id, management: row.management };
  return {
    Id: row.id,
    Arn: arnOf(organization, row.id),
    Parties: [{ Id: row.organization_id, Type: "ORGANIZATION" as const }, target],
    State: stateAt(row, ctx.now),
    RequestedTimestamp: new Date(row.requested_ms),
    ExpirationTimestamp: new Date(row.expires_ms),
    Action: "INVITE" as const,
    Resources: [
      {
        Type: "ORGANIZATION" as const,
        Value: row.organization_id,
        Resources: [
          { Type: "MASTER_EMAIL" as const, Value: row.owner_email },
          { Type: "MASTER_NAME" as const, Value: row.owner_name },
          { Type: "ORGANIZATION_FEATURE_SET" as const, Value: row.feature_set },
        ],
      },
      { Type: target.Type, Value: target.Id },
      ...(row.notes === null ? [] : [{ Type: "NOTES" as const, Value: row.notes }]),
    ],
  };
}
