// PutResourcePolicy, GetResourcePolicy, DeleteResourcePolicy: who else may use a table, or read a stream.
// https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/rbac-considerations.html
import { type Arn, type Context, defineOperations, evaluate, parseArn, policySet, type Tx } from "../../kernel/mod.ts";
import { errors } from "./errors.ts";
import { checkPolicy, sameMeaning } from "./policy-rules.ts";
import { findTable, type Table, type TableRef, tableRef } from "./schema.ts";
import { findStream } from "./streams/streams.ts";

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
      const policy = checkPolicy(input.Policy ?? "", ref.stream === undefined ? "table" : "stream");
      if (!input.ConfirmRemoveSelfResourceAccess && locksOut(ctx, ref.arn, policy)) throw errors.lockedOut();
      const RevisionId = await changing(ctx, (tx) =>
        putPolicy(tx, ctx, { ref, policy, expected: input.ExpectedRevisionId }),
      );
      ctx.log.info(`resource policy of ${titleOf(ref)} put`, { subject: ref.arn });
      return { RevisionId };
    },
  },

  GetResourcePolicy: {
    access: (ctx, input) => onResource(ctx, "GetResourcePolicy", input.ResourceArn),
    async handle(ctx, input) {
      const ref = refOfResource(ctx, input.ResourceArn);
      const row = await ctx.read(async (tx) => readPolicy(tx, await numberOf(tx, ctx, ref)));
      if (!row) throw errors.policyNotFound(ref.arn);
      return { Policy: row.policy, RevisionId: row.revision_id };
    },
  },

  DeleteResourcePolicy: {
    access: (ctx, input) => onResource(ctx, "DeleteResourcePolicy", input.ResourceArn),
    async handle(ctx, input) {
      const ref = refOfResource(ctx, input.ResourceArn);
      const row = await changing(ctx, async (tx) => {
        const number = await numberOf(tx, ctx, ref);
        const found = await readPolicy(tx, number);
        expect(ref, found, input.ExpectedRevisionId);
        await removePolicy(tx, { number });
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

/** For the door: a table's policy is that of its indexes too; a stream has its own. */
export function resourcePolicy(ctx: Context, resource: Arn): string | undefined | Promise<string | undefined> {
  const at = resource.indexOf("/index/");
  const holder = at < 0 ? resource : resource.slice(0, at);
  return ctx.recall(SHELF, holder, async () => {
    const { account, region, resource: path } = parseArn(holder)!;
    const [, name = "", , label] = PATH.exec(path) ?? [];
    const row = await ctx.read((tx) =>
      label === undefined
        ? tx.one<{ policy: string }>(
            `SELECT p.policy FROM dynamodb_table t JOIN dynamodb_resource_policy p ON p.number = t.number
             WHERE t.account = :account AND t.region = :region AND t.name = :name`,
            { account, region, name },
          )
        : tx.one<{ policy: string }>(
            `SELECT p.policy FROM dynamodb_stream s JOIN dynamodb_resource_policy p ON p.number = s.number
             WHERE s.account = :account AND s.region = :region AND s.table_name = :name AND s.label = :label`,
            { account, region, name, label },
          ),
    );
    return row?.policy;
  });
}

const PATH = /^table\/([^/]+)(?:\/(index|stream)\/([^/]+))?$/;

/** What has a policy of its own: a table, or one of its streams. `arn` is its own. */
interface Holder extends TableRef {
  /** Its label. */
  readonly stream?: string;
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
  { ref, policy, expected }: { ref: Holder; policy: string; expected?: string | undefined },
): Promise<string> {
  const number = await numberOf(tx, ctx, ref);
  const before = await readPolicy(tx, number);
  expect(ref, before, expected);
  if (before && sameMeaning(before.policy, policy)) return before.revision_id;
  // The time of the change, and never the same again.
  const revision = String(Math.max(ctx.now, Number(before?.revision_id ?? 0) + 1));
  await tx.run(
    `INSERT INTO dynamodb_resource_policy (number, revision_id, policy) VALUES (:number, :revision, :policy)
     ON CONFLICT (number) DO UPDATE SET revision_id = excluded.revision_id, policy = excluded.policy`,
    { number, revision, policy },
  );
  return revision;
}

export async function removePolicy(tx: Tx, { number }: Pick<Table, "number">): Promise<void> {
  await tx.run("DELETE FROM dynamodb_resource_policy WHERE number = :number", { number });
}

const readPolicy = (tx: Tx, number: number): Promise<Row | undefined> =>
  tx.one<Row>("SELECT revision_id, policy FROM dynamodb_resource_policy WHERE number = :number", { number });

function expect(holder: Holder, found: Row | undefined, expected: string | undefined): void {
  if (expected === undefined || expected === (found?.revision_id ?? NO_POLICY)) return;
  // The words after the code's own are ours: no answer of AWS was at hand.
  const has = found ? `has revision ${found.revision_id}` : "has no policy";
  throw errors.policyNotFound(`revision ${expected} was expected, but ${titleOf(holder)} ${has}`);
}

const titleOf = ({ name, stream }: Holder): string =>
  stream === undefined ? `table ${name}` : `stream ${stream} of table ${name}`;

async function numberOf(tx: Tx, ctx: Context, holder: Holder): Promise<number> {
  const { name, stream } = holder;
  if (stream === undefined) {
    const table = await findTable(tx, holder);
    if (!table) throw errors.tableNotFound(name);
    return table.number;
  }
  const found = await findStream(tx, ctx, holder.arn);
  if (!found) throw errors.streamNotFound(name, stream);
  return found.number;
}

const onResource = (ctx: Context, action: string, arn: string | undefined) => ({
  action: `dynamodb:${action}`,
  resource: refOfResource(ctx, arn).arn,
});

/** What AWS says of each form of ARN, before it looks who asks (seen on AWS, 2026-10). */
function refOfResource(ctx: Context, arn = ""): Holder {
  if (!arn.startsWith("arn:")) throw errors.invalid(`ARNs must start with 'arn:': ${arn}`);
  const parts = parseArn(arn);
  const path = parts?.service === "dynamodb" ? parts.resource : "";
  const [, name, , stream] = PATH.exec(path) ?? [];
  if (name === undefined) throw errors.invalid(`Provided Arn is not a DynamoDB resource arn: ${arn}`);
  if (path.includes("/index/"))
    throw errors.invalid(
      `Invalid resource arn provided, only table or stream is accepted. Provided resource arn: ${arn}`,
    );
  if (parts!.partition !== "aws" || parts!.region !== ctx.region) throw errors.invalid(`Invalid resource Arn: ${arn}`);
  if (parts!.account !== ctx.account)
    throw errors.validation("This action is only supported by accounts that match the resource owner’s account.");
  return stream === undefined
    ? tableRef(ctx, arn)
    : { ...tableRef(ctx, arn.slice(0, arn.indexOf("/stream/"))), arn, stream };
}
