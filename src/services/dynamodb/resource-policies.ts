// PutResourcePolicy, GetResourcePolicy, DeleteResourcePolicy: who else may use a table.
// https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/rbac-considerations.html
import { type Arn, type Context, defineOperations, evaluate, parseArn, policySet, type Tx } from "../../kernel/mod.ts";
import { errors } from "./errors.ts";
import { checkPolicy, sameMeaning } from "./policy-rules.ts";
import { findTable, type Table, type TableRef, tableRef } from "./schema.ts";

export const MIGRATION = `
  CREATE TABLE dynamodb_resource_policy (
    number BIGINT PRIMARY KEY, revision_id TEXT NOT NULL, policy TEXT NOT NULL
  )`;

/** Of memory: policies change seldom, items always. */
const SHELF = "dynamodb resource policy";

interface Row {
  readonly revision_id: string;
  /** Without the white space that it was put with: so AWS gives it back. */
  readonly policy: string;
}

/** ExpectedRevisionId of who expects that there is none. */
const NO_POLICY = "NO_POLICY";

export const resourcePolicies = defineOperations("dynamodb", {
  PutResourcePolicy: {
    access: (ctx, input) => onResource(ctx, "PutResourcePolicy", input.ResourceArn),
    async handle(ctx, input) {
      const ref = refOfResource(ctx, input.ResourceArn);
      const policy = checkPolicy(input.Policy ?? "");
      if (!input.ConfirmRemoveSelfResourceAccess && locksOut(ctx, ref.arn, policy)) throw errors.lockedOut();
      const RevisionId = await changing(ctx, (tx) =>
        putPolicy(tx, ctx, { ref, policy, expected: input.ExpectedRevisionId }),
      );
      ctx.log.info(`resource policy of table ${ref.name} put`, { subject: ref.arn });
      return { RevisionId };
    },
  },

  GetResourcePolicy: {
    access: (ctx, input) => onResource(ctx, "GetResourcePolicy", input.ResourceArn),
    async handle(ctx, input) {
      const ref = refOfResource(ctx, input.ResourceArn);
      const row = await ctx.read(async (tx) => readPolicy(tx, await openTable(tx, ref)));
      if (!row) throw errors.policyNotFound(ref.arn);
      return { Policy: row.policy, RevisionId: row.revision_id };
    },
  },

  DeleteResourcePolicy: {
    access: (ctx, input) => onResource(ctx, "DeleteResourcePolicy", input.ResourceArn),
    async handle(ctx, input) {
      const ref = refOfResource(ctx, input.ResourceArn);
      const row = await changing(ctx, async (tx) => {
        const table = await openTable(tx, ref);
        const found = await readPolicy(tx, table);
        expect(table, found, input.ExpectedRevisionId);
        await removePolicy(tx, table);
        return found;
      });
      return row ? { RevisionId: row.revision_id } : {};
    },
  },
});

/** Whether its maker could not change it any more. AWS asks about putting only, not about deleting (seen on AWS, 2026-10). */
function locksOut({ principal }: Context, resource: Arn, document: string): boolean {
  if (!("arn" in principal)) return false;
  const keys = {
    "aws:principalarn": principal.kind === "session" ? principal.roleArn : principal.arn,
    "aws:principalaccount": principal.account,
    "aws:userid": principal.id,
  };
  const decision = evaluate({
    caller: principal,
    action: "dynamodb:PutResourcePolicy",
    resource,
    keys: new Map(Object.entries(keys).map(([key, value]) => [key, [value]])),
    identityPolicies: ALL,
    resourcePolicy: policySet("resource-based policy", [{ name: resource, document }]),
    sameAccount: true,
  });
  return !decision.allowed;
}

const ALL = policySet("identity-based policy", [
  { name: "all", document: '{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"*","Resource":"*"}}' },
]);

/** For the door: a table's policy is that of its indexes too. */
export function resourcePolicy(ctx: Context, resource: Arn): string | undefined | Promise<string | undefined> {
  const at = resource.indexOf("/index/");
  const table = at < 0 ? resource : resource.slice(0, at);
  return ctx.recall(SHELF, table, async () => {
    const { account, region, resource: path } = parseArn(table)!;
    const row = await ctx.read((tx) =>
      tx.one<{ policy: string }>(
        `SELECT p.policy FROM dynamodb_table t JOIN dynamodb_resource_policy p ON p.number = t.number
         WHERE t.account = :account AND t.region = :region AND t.name = :name`,
        { account, region, name: path.replace(/^table\//, "") },
      ),
    );
    return row?.policy;
  });
}

/** A transaction that gives tables policies, or takes them. */
export async function changing<T>(ctx: Context, work: (tx: Tx) => Promise<T>): Promise<T> {
  const answer = await ctx.write(work);
  ctx.forget(SHELF);
  return answer;
}

/** The same policy again is the same revision. */
export async function putPolicy(
  tx: Tx,
  ctx: Context,
  { ref, policy, expected }: { ref: TableRef; policy: string; expected?: string | undefined },
): Promise<string> {
  const table = await openTable(tx, ref);
  const before = await readPolicy(tx, table);
  expect(table, before, expected);
  if (before && sameMeaning(before.policy, policy)) return before.revision_id;
  // The time of the change, and never the same again.
  const revision = String(Math.max(ctx.now, Number(before?.revision_id ?? 0) + 1));
  await tx.run(
    `INSERT INTO dynamodb_resource_policy (number, revision_id, policy) VALUES (:number, :revision, :policy)
     ON CONFLICT (number) DO UPDATE SET revision_id = excluded.revision_id, policy = excluded.policy`,
    { number: table.number, revision, policy },
  );
  return revision;
}

export async function removePolicy(tx: Tx, { number }: Table): Promise<void> {
  await tx.run("DELETE FROM dynamodb_resource_policy WHERE number = :number", { number });
}

const readPolicy = (tx: Tx, { number }: Table): Promise<Row | undefined> =>
  tx.one<Row>("SELECT revision_id, policy FROM dynamodb_resource_policy WHERE number = :number", { number });

function expect(table: Table, found: Row | undefined, expected: string | undefined): void {
  if (expected === undefined || expected === (found?.revision_id ?? NO_POLICY)) return;
  // The words after the code's own are ours: no answer of AWS was at hand.
  const has = found ? `has revision ${found.revision_id}` : "has no policy";
  throw errors.policyNotFound(`revision ${expected} was expected, but table ${table.name} ${has}`);
}

async function openTable(tx: Tx, ref: TableRef): Promise<Table> {
  const table = await findTable(tx, ref);
  if (!table) throw errors.tableNotFound(ref.name);
  return table;
}

const onResource = (ctx: Context, action: string, arn: string | undefined) => ({
  action: `dynamodb:${action}`,
  resource: refOfResource(ctx, arn).arn,
});

/** What AWS says of each form of ARN, before it looks who asks (seen on AWS, 2026-10). */
function refOfResource(ctx: Context, arn = ""): TableRef {
  if (!arn.startsWith("arn:")) throw errors.invalid(`ARNs must start with 'arn:': ${arn}`);
  const parts = parseArn(arn);
  const path = parts?.service === "dynamodb" ? parts.resource : "";
  const [, name, , stream] = /^table\/([^/]+)(?:\/(index|stream)\/([^/]+))?$/.exec(path) ?? [];
  if (name === undefined) throw errors.invalid(`Provided Arn is not a DynamoDB resource arn: ${arn}`);
  if (path.includes("/index/"))
    throw errors.invalid(
      `Invalid resource arn provided, only table or stream is accepted. Provided resource arn: ${arn}`,
    );
  if (parts!.partition !== "aws" || parts!.region !== ctx.region) throw errors.invalid(`Invalid resource Arn: ${arn}`);
  if (parts!.account !== ctx.account)
    throw errors.validation("This action is only supported by accounts that match the resource owner’s account.");
  // No table has a stream yet.
  if (stream !== undefined) throw errors.streamNotFound(name, stream);
  return tableRef(ctx, arn);
}
