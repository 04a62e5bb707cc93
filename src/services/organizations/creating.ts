// CreateAccount: asked for now, made a moment later, as on AWS: its number, its place below the root, and the role by which the management
// account gets in. Its root key is its number, as everyone's here.
import { AwsError, type Context, defineOperations, type Principal, type Tx, type Work } from "../../kernel/mod.ts";
import { errors } from "./errors.ts";
import { checkLimit, join } from "./joining.ts";
import { managedBy, onAll } from "./membership.ts";
import { newAccount, newId } from "./names.ts";
import { cut, pageOf } from "./paging.ts";
import type { OrganizationRow } from "./tables.ts";
import { making, putTags, tagsOf } from "./tags.ts";

const ACCESS_ROLE = "OrganizationAccountAccessRole";
const ADMINISTRATOR = "arn:aws:iam::aws:policy/AdministratorAccess";

interface RequestRow {
  readonly id: string;
  readonly organization_id: string;
  readonly account: string;
  readonly name: string;
  readonly email: string;
  readonly role: string;
  readonly tags: string;
  readonly state: "IN_PROGRESS" | "SUCCEEDED" | "FAILED";
  readonly failure: "EMAIL_ALREADY_EXISTS" | null;
  readonly requested_ms: number;
  readonly completed_ms: number | null;
}

export const creating = defineOperations("organizations", {
  CreateAccount: {
    access: (_, { Tags }) => making("CreateAccount", Tags),
    async handle(ctx, { AccountName, Email, RoleName = ACCESS_ROLE, Tags }) {
      if (RoleName.startsWith("AWSServiceRoleFor")) throw errors.roleName();
      const given = tagsOf(Tags);
      const id = newId("car", 32);
      const account = newAccount();
      const request = await ctx.write(async (tx) => {
        const organization = await managedBy(tx, ctx.account);
        await checkLimit(tx, organization);
        // A number that was drawn before: the next draw is another.
        if (ctx.config.accounts.some(({ id }) => id === account) || (await isKnown(tx, account)))
          throw errors.concurrent();
        const row: RequestRow = {
          id,
          organization_id: organization.id,
          account,
          name: AccountName!,
          email: Email!,
          role: RoleName,
          tags: JSON.stringify(given),
          state: "IN_PROGRESS",
          failure: null,
          requested_ms: ctx.now,
          completed_ms: null,
        };
        await tx.run(
          `INSERT INTO organizations_account_request
           (id, organization_id, account, name, email, role, tags, state, failure, requested_ms, completed_ms)
           VALUES (:id, :organization_id, :account, :name, :email, :role, :tags, :state, :failure, :requested_ms, :completed_ms)`,
          { ...row },
        );
        const as: Principal = { kind: "service", name: "organizations.amazonaws.com", account };
        await ctx.put(tx, {
          to: `arn:aws:organizations::${ctx.account}:request/${organization.id}/${id}`,
          as,
          payload: { id },
        });
        return row;
      });
      return { CreateAccountStatus: described(request) };
    },
  },

  DescribeCreateAccountStatus: {
    access: onAll("DescribeCreateAccountStatus"),
    async handle(ctx, { CreateAccountRequestId: id }) {
      const row = await ctx.read(async (tx) => {
        const { id: organization } = await managedBy(tx, ctx.account);
        return await tx.one<RequestRow>(
          "SELECT * FROM organizations_account_request WHERE organization_id = :organization AND id = :id",
          { organization, id: id! },
        );
      });
      if (!row) throw errors.noRequest();
      return { CreateAccountStatus: described(row) };
    },
  },

  ListCreateAccountStatus: {
    access: onAll("ListCreateAccountStatus"),
    async handle(ctx, { States, ...input }) {
      const page = pageOf(input);
      const wanted = (state: RequestRow["state"]) => (!States?.length || States.includes(state) ? state : "");
      const rows = await ctx.read(async (tx) => {
        const { id: organization } = await managedBy(tx, ctx.account);
        return await tx.all<RequestRow>(
          `SELECT * FROM organizations_account_request WHERE organization_id = :organization AND id > :after
           AND state IN (:progress, :succeeded, :failed) ORDER BY id LIMIT :limit`,
          {
            organization,
            ...page,
            progress: wanted("IN_PROGRESS"),
            succeeded: wanted("SUCCEEDED"),
            failed: wanted("FAILED"),
          },
        );
      });
      const { shown, more } = cut(rows, page, ({ id }) => id);
      return { CreateAccountStatuses: shown.map(described), ...more };
    },
  },
});

/** Makes the account that was asked for. May come twice: the second time finds it done, or goes on. */
export async function deliver(ctx: Context, work: Work): Promise<void> {
  const { id } = work.payload as { id: string };
  const request = await ctx.read((tx) => requestRow(tx, id));
  if (request?.state !== "IN_PROGRESS") return;
  const { role, ...asked } = request;
  // The role first: who sees the account in the list can get in.
  const taken = await ctx.read((tx) => isTaken(tx, ctx, asked.email));
  if (!taken) await makeRole(ctx, { role, management: request.management, account: asked.account });
  await ctx.write(async (tx) => {
    const still = await requestRow(tx, id);
    if (still?.state !== "IN_PROGRESS") return;
    const failed = await isTaken(tx, ctx, asked.email);
    const organization = (await tx.one<OrganizationRow>("SELECT * FROM organizations_organization WHERE id = :id", {
      id: asked.organization_id,
    }))!;
    if (!failed) {
      const { account, name, email } = asked;
      await join(tx, organization, { account, name, email, method: "CREATED", now: ctx.now });
      await putTags(tx, organization, {
        resource: account,
        change: () => JSON.parse(asked.tags) as Record<string, string>,
      });
    }
    await tx.run(
      "UPDATE organizations_account_request SET state = :state, failure = :failure, completed_ms = :now WHERE id = :id",
      { id, state: failed ? "FAILED" : "SUCCEEDED", failure: failed ? "EMAIL_ALREADY_EXISTS" : null, now: ctx.now },
    );
  });
}

const requestRow = (tx: Tx, id: string) =>
  tx.one<RequestRow & { management: string }>(
    `SELECT r.*, o.management FROM organizations_account_request r JOIN organizations_organization o ON o.id = r.organization_id
     WHERE r.id = :id`,
    { id },
  );

const isKnown = (tx: Tx, account: string) =>
  tx.one(
    `SELECT account FROM organizations_account WHERE account = :account
     UNION ALL SELECT account FROM organizations_account_request WHERE account = :account`,
    { account },
  );

async function isTaken(tx: Tx, { config }: Context, email: string): Promise<boolean> {
  if (config.accounts.some((account) => account.email === email)) return true;
  return (await tx.one("SELECT account FROM organizations_account WHERE email = :email", { email })) !== undefined;
}

async function makeRole(ctx: Context, of: { role: string; management: string; account: string }): Promise<void> {
  const as: Principal = { kind: "service", name: "organizations.amazonaws.com", account: of.account };
  const Principal = { AWS: `arn:aws:iam::${of.management}:root` };
  const trust = { Version: "2012-10-17", Statement: [{ Effect: "Allow", Principal, Action: "sts:AssumeRole" }] };
  try {
    const AssumeRolePolicyDocument = JSON.stringify(trust);
    await ctx.call("iam", "CreateRole", { RoleName: of.role, AssumeRolePolicyDocument }, as);
  } catch (error) {
    // Made by a delivery that did not come to its end.
    if (!(error instanceof AwsError && error.code === "EntityAlreadyExists")) throw error;
  }
  await ctx.call("iam", "AttachRolePolicy", { RoleName: of.role, PolicyArn: ADMINISTRATOR }, as);
}

const described = ({ id, name, state, failure, account, requested_ms, completed_ms }: RequestRow) => ({
  Id: id,
  AccountName: name,
  State: state,
  RequestedTimestamp: new Date(requested_ms),
  ...(completed_ms !== null && { CompletedTimestamp: new Date(completed_ms) }),
  ...(state === "SUCCEEDED" && { AccountId: account }),
  ...(failure !== null && { FailureReason: failure }),
});
