// Who may use a layer's version besides its account: a policy for each version.
import { type Arn, type Context, defineOperations, newRequestId, type Tx } from "../../kernel/mod.ts";
import { errors, notFound } from "./errors.ts";
import {
  checkVersion,
  findLayerVersion,
  type LayerRow,
  type LayerVersionRef,
  layerVersionArn,
  parseLayerArn,
  resolveLayer,
} from "./layer-tables.ts";
import { MAX_POLICY_BYTES, policyDocument } from "./policies.ts";

interface Statement {
  readonly Sid: string;
  readonly Effect: "Allow";
  readonly Principal: "*" | { readonly AWS: string };
  readonly Action: string;
  readonly Resource: Arn;
  readonly Condition?: Readonly<Record<string, Readonly<Record<string, string>>>>;
}

interface Named {
  LayerName?: string | undefined;
  VersionNumber?: number | undefined;
}

export const layerPolicies = defineOperations("lambda", {
  AddLayerVersionPermission: {
    access: (ctx, input) => accessTo(ctx, "lambda:AddLayerVersionPermission", input),
    async handle(ctx, input) {
      const ref = refTo(ctx, input);
      const statement: Statement = {
        Sid: input.StatementId!,
        Effect: "Allow",
        Principal: principalOf(input.Principal!),
        Action: input.Action!,
        Resource: layerVersionArn(ref),
        ...(input.OrganizationId && {
          Condition: { StringEquals: { "aws:PrincipalOrgID": input.OrganizationId } },
        }),
      };
      const revisionId = await ctx.write(async (tx) => {
        const row = await requireLayerVersion(tx, ref);
        const statements = statementsOf(row);
        if (statements.some(({ Sid }) => Sid === statement.Sid)) throw errors.statementExists(statement.Sid);
        checkRevision(row, input.RevisionId);
        const size = policyDocument([...statements, statement]).length;
        if (size > MAX_POLICY_BYTES) throw errors.policyTooLong(size, MAX_POLICY_BYTES);
        return save(tx, ref, [...statements, statement]);
      });
      return { Statement: JSON.stringify(statement), RevisionId: revisionId };
    },
  },

  RemoveLayerVersionPermission: {
    access: (ctx, input) => accessTo(ctx, "lambda:RemoveLayerVersionPermission", input),
    async handle(ctx, input) {
      const ref = refTo(ctx, input);
      await ctx.write(async (tx) => {
        const row = await requireLayerVersion(tx, ref);
        const statements = statementsOf(row);
        const left = statements.filter(({ Sid }) => Sid !== input.StatementId);
        if (left.length === statements.length)
          throw notFound(`Statement ${input.StatementId} is not found in resource policy.`);
        checkRevision(row, input.RevisionId);
        await save(tx, ref, left);
      });
      return {};
    },
  },

  GetLayerVersionPolicy: {
    access: (ctx, input) => accessTo(ctx, "lambda:GetLayerVersionPolicy", input),
    async handle(ctx, input) {
      const ref = refTo(ctx, input);
      const row = await ctx.read((tx) => requireLayerVersion(tx, ref));
      const statements = statementsOf(row);
      if (statements.length === 0) throw notFound("No policy is associated with the given resource.");
      return { Policy: policyDocument(statements), RevisionId: row.revision_id };
    },
  },
});

/** For the door; undefined where the ARN is no layer's version, or it has no policy. */
export async function layerPolicy(ctx: Context, resource: Arn): Promise<string | undefined> {
  const ref = parseLayerArn(resource);
  const row = ref && (await ctx.read((tx) => findLayerVersion(tx, ref)));
  const statements = row ? statementsOf(row) : [];
  return statements.length > 0 ? policyDocument(statements) : undefined;
}

const statementsOf = (row: LayerRow): Statement[] => JSON.parse(row.statements);

const refTo = (ctx: Context, input: Named): LayerVersionRef => ({
  ...resolveLayer(ctx, input.LayerName!),
  version: checkVersion(input.VersionNumber),
});

const accessTo = (ctx: Context, action: string, input: Named) => ({
  action,
  resource: layerVersionArn({ ...resolveLayer(ctx, input.LayerName ?? ""), version: input.VersionNumber ?? 0 }),
});

async function requireLayerVersion(tx: Tx, ref: LayerVersionRef): Promise<LayerRow> {
  const row = await findLayerVersion(tx, ref);
  if (!row) throw notFound(`Layer version ${layerVersionArn(ref)} does not exist.`);
  return row;
}

function checkRevision(row: LayerRow, revisionId: string | undefined): void {
  if (revisionId !== undefined && revisionId !== row.revision_id) throw errors.revisionMismatch("GetLayerPolicy");
}

/** The model's pattern has let through an account, `*`, or the ARN of a root. */
function principalOf(principal: string): Statement["Principal"] {
  if (principal === "*") return "*";
  return { AWS: /^\d{12}$/.test(principal) ? `arn:aws:iam::${principal}:root` : principal };
}

/** The new revision: each change of a policy has one. */
async function save(tx: Tx, ref: LayerVersionRef, statements: readonly Statement[]): Promise<string> {
  const revision_id = newRequestId();
  await tx.run(
    `UPDATE lambda_layer_version SET statements = :statements, revision_id = :revision_id
     WHERE account = :account AND region = :region AND layer_name = :name AND version = :version`,
    {
      account: ref.account,
      region: ref.region,
      name: ref.name,
      version: ref.version,
      statements: JSON.stringify(statements),
      revision_id,
    },
  );
  return revision_id;
}
