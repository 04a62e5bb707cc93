// Resource policies: who else may invoke a function. One document for the function, one for each version and alias.
import {
  type Arn,
  type Conditions,
  type Context,
  defineOperations,
  type Input,
  newRequestId,
  type Tx,
} from "../../kernel/mod.ts";
import { findAlias } from "./aliases.ts";
import { findVersion } from "./configuration.ts";
import { errors, invalidParameter, notFound } from "./errors.ts";
import { layerPolicy } from "./layer-policies.ts";
import { type FunctionRef, functionArn, parseFunctionName, resolveName, resourceOf } from "./names.ts";

export const tables = `
CREATE TABLE lambda_policy (
  account TEXT NOT NULL,
  region TEXT NOT NULL,
  function_name TEXT NOT NULL,
  qualifier TEXT NOT NULL,
  revision_id TEXT NOT NULL,
  statements TEXT NOT NULL,
  PRIMARY KEY (account, region, function_name, qualifier)
)`;

interface Statement {
  readonly Sid: string;
  readonly Effect: "Allow";
  readonly Principal: "*" | { readonly Service: string } | { readonly AWS: string };
  readonly Action: string;
  readonly Resource: Arn;
  readonly Condition?: Readonly<Record<string, Readonly<Record<string, string>>>>;
}

interface Policy {
  /** AWS gives a policy a revision of its own; the function's stays (recorded 2025-11). */
  readonly revisionId: string;
  readonly statements: readonly Statement[];
}

export const policies = defineOperations("lambda", {
  AddPermission: {
    access: (ctx, input) => ({
      action: "lambda:AddPermission",
      resource: resourceOf(ctx, input.FunctionName, input.Qualifier),
      conditions: {
        ...(input.Principal !== undefined && { "lambda:Principal": input.Principal }),
        ...(input.FunctionUrlAuthType !== undefined && { "lambda:FunctionUrlAuthType": input.FunctionUrlAuthType }),
      },
    }),
    async handle(ctx, input) {
      const ref = resolveName(ctx, input.FunctionName!, input.Qualifier);
      if (ref.qualifier === "$LATEST")
        throw invalidParameter("We currently do not support adding policies for $LATEST.");
      const statement = newStatement(ref, input);
      await ctx.write(async (tx) => {
        await requireTarget(tx, ref);
        const policy = await findPolicy(tx, ref);
        if (input.RevisionId !== undefined && input.RevisionId !== policy?.revisionId)
          throw errors.revisionMismatch("GetPolicy");
        const statements = policy?.statements ?? [];
        if (statements.some(({ Sid }) => Sid === statement.Sid)) throw errors.statementExists(statement.Sid);
        if (policyDocument([...statements, statement]).length > MAX_POLICY_BYTES)
          throw errors.policyTooLong(policyDocument([...statements, statement]).length, MAX_POLICY_BYTES);
        await savePolicy(tx, ref, [...statements, statement]);
      });
      return { Statement: JSON.stringify(statement) };
    },
  },

  RemovePermission: {
    access: (ctx, input) => ({
      action: "lambda:RemovePermission",
      resource: resourceOf(ctx, input.FunctionName, input.Qualifier),
      // Whose permission goes: asked of the store only where a policy wants to know.
      conditions: () => removed(ctx, input),
    }),
    async handle(ctx, input) {
      const ref = resolveName(ctx, input.FunctionName!, input.Qualifier);
      await ctx.write(async (tx) => {
        if (!(await findVersion(tx, ref))) throw notFound(`No policy found for: ${functionArn(ref)}`);
        await requireTarget(tx, ref);
        const policy = await findPolicy(tx, ref);
        if (!policy) throw notFound("No policy is associated with the given resource.");
        const statements = policy.statements.filter(({ Sid }) => Sid !== input.StatementId);
        if (statements.length === policy.statements.length)
          throw notFound(`Statement ${input.StatementId} is not found in resource policy.`);
        if (input.RevisionId !== undefined && input.RevisionId !== policy.revisionId)
          throw errors.revisionMismatch("GetPolicy");
        await savePolicy(tx, ref, statements);
      });
      return {};
    },
  },

  GetPolicy: {
    access: (ctx, input) => ({
      action: "lambda:GetPolicy",
      resource: resourceOf(ctx, input.FunctionName, input.Qualifier),
    }),
    async handle(ctx, input) {
      const ref = resolveName(ctx, input.FunctionName!, input.Qualifier);
      const policy = await ctx.read((tx) => findPolicy(tx, ref));
      if (!policy) throw errors.noPolicy();
      return { Policy: policyDocument(policy.statements), RevisionId: policy.revisionId };
    },
  },
});

async function removed(ctx: Context, input: Input<"lambda", "RemovePermission">): Promise<Conditions> {
  const ref = parseFunctionName(input.FunctionName ?? "", ctx);
  const policy =
    ref && (await ctx.read((tx) => findPolicy(tx, { ...ref, qualifier: input.Qualifier ?? ref.qualifier })));
  const statement = policy?.statements.find(({ Sid }) => Sid === input.StatementId);
  if (!statement) return {};
  const { Principal: principal, Condition } = statement;
  const authType = Condition?.StringEquals?.["lambda:FunctionUrlAuthType"];
  return {
    "lambda:Principal": typeof principal === "string" ? principal : Object.values(principal),
    ...(authType !== undefined && { "lambda:FunctionUrlAuthType": authType }),
  };
}

/** For the door: the document on a function, a version or an alias. $LATEST has the function's. */
export function resourcePolicy(ctx: Context, resource: Arn): string | undefined | Promise<string | undefined> {
  if (resource.split(":")[5] === "layer")
    return ctx.recall("lambda", `policy ${resource}`, () => layerPolicy(ctx, resource));
  const ref = parseFunctionName(resource, ctx);
  if (!ref) return undefined;
  return ctx.recall("lambda", `policy ${resource}`, async () => {
    const policy = await ctx.read((tx) =>
      findPolicy(tx, ref.qualifier === "$LATEST" ? { ...ref, qualifier: undefined } : ref),
    );
    return policy && policyDocument(policy.statements);
  });
}

// https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html: "Function resource-based policy: 20 KB".
export const MAX_POLICY_BYTES = 20_480;

export const policyDocument = (statements: readonly object[]): string =>
  JSON.stringify({ Version: "2012-10-17", Id: "default", Statement: statements });

/** Members and conditions in the order in which AWS writes them. */
function newStatement(ref: FunctionRef, input: Input<"lambda", "AddPermission">): Statement {
  const equals = {
    ...(input.SourceAccount && { "AWS:SourceAccount": input.SourceAccount }),
    ...(input.EventSourceToken && { "lambda:EventSourceToken": input.EventSourceToken }),
    ...(input.FunctionUrlAuthType && { "lambda:FunctionUrlAuthType": input.FunctionUrlAuthType }),
    ...(input.PrincipalOrgID && { "aws:PrincipalOrgID": input.PrincipalOrgID }),
  };
  const conditions = {
    ...(Object.keys(equals).length > 0 && { StringEquals: equals }),
    ...(input.InvokedViaFunctionUrl && { Bool: { "lambda:InvokedViaFunctionUrl": "true" } }),
    ...(input.SourceArn && { ArnLike: { "AWS:SourceArn": input.SourceArn } }),
  };
  return {
    Sid: input.StatementId!,
    Effect: "Allow",
    Principal: principalOf(input.Principal!),
    Action: input.Action!,
    Resource: functionArn(ref),
    ...(Object.keys(conditions).length > 0 && { Condition: conditions }),
  };
}

function principalOf(principal: string): Statement["Principal"] {
  if (principal === "*") return "*";
  if (/^\d{12}$/.test(principal)) return { AWS: `arn:aws:iam::${principal}:root` };
  if (/^arn:aws[a-zA-Z-]*:(iam|sts)::\d{12}:\S+$/.test(principal)) return { AWS: principal };
  if (/^[a-z0-9-]+(\.[a-z0-9-]+)*\.amazonaws\.com(\.cn)?$/.test(principal)) return { Service: principal };
  throw errors.badPrincipal();
}

/** What a policy hangs on must be there. AWS's words differ for what looks like an alias and what looks like a version. */
async function requireTarget(tx: Tx, ref: FunctionRef): Promise<void> {
  const { qualifier } = ref;
  const isAlias = qualifier !== undefined && /^[a-zA-Z0-9-_]+$/.test(qualifier) && !/^\d+$/.test(qualifier);
  if (!(await findVersion(tx, ref))) throw errors.functionNotFound(functionArn(ref));
  if (qualifier === undefined) return;
  if (isAlias && !(await findAlias(tx, ref, qualifier))) throw notFound(`Cannot find alias arn: ${functionArn(ref)}`);
  if (!isAlias && !(await findVersion(tx, ref, qualifier))) throw errors.functionNotFound(functionArn(ref));
}

const keyOf = (ref: FunctionRef) => ({
  account: ref.account,
  region: ref.region,
  function_name: ref.name,
  qualifier: ref.qualifier ?? "",
});

async function findPolicy(tx: Tx, ref: FunctionRef): Promise<Policy | undefined> {
  const row = await tx.one<{ revision_id: string; statements: string }>(
    `SELECT revision_id, statements FROM lambda_policy
     WHERE account = :account AND region = :region AND function_name = :function_name AND qualifier = :qualifier`,
    keyOf(ref),
  );
  return row && { revisionId: row.revision_id, statements: JSON.parse(row.statements) };
}

/** The last statement takes the policy with it. */
async function savePolicy(tx: Tx, ref: FunctionRef, statements: readonly Statement[]): Promise<void> {
  if (statements.length === 0)
    await tx.run(
      `DELETE FROM lambda_policy
       WHERE account = :account AND region = :region AND function_name = :function_name AND qualifier = :qualifier`,
      keyOf(ref),
    );
  else
    await tx.run(
      `INSERT INTO lambda_policy (account, region, function_name, qualifier, revision_id, statements)
       VALUES (:account, :region, :function_name, :qualifier, :revision_id, :statements)
       ON CONFLICT (account, region, function_name, qualifier)
       DO UPDATE SET revision_id = excluded.revision_id, statements = excluded.statements`,
      { ...keyOf(ref), revision_id: newRequestId(), statements: JSON.stringify(statements) },
    );
}
