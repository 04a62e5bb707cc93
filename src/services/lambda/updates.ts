// UpdateFunctionCode and UpdateFunctionConfiguration. Both change $LATEST, give it a new revision, and end its warm sandboxes.
import { type Context, defineOperations, newRequestId, type Tx } from "../../kernel/mod.ts";
import { codeColumns, stageCode } from "./code.ts";
import {
  choose,
  configurationOf,
  describe,
  type FunctionRow,
  findVersion,
  updateVersion,
  withLayers,
} from "./configuration.ts";
import { errors, invalidParameter } from "./errors.ts";
import { checkUnzipped, chooseLayers } from "./function-layers.ts";
import { configured, passRole } from "./functions.ts";
import { layerAccess } from "./layers.ts";
import { type FunctionRef, functionArn, resolveName, resourceOf } from "./names.ts";
import { assumeRole } from "./roles.ts";
import { runtimeOf } from "./runtime.ts";
import { begins, refuseUnsettled, settleLater } from "./states.ts";
import { frozenOf, publish } from "./versions.ts";

export const updates = defineOperations("lambda", {
  UpdateFunctionCode: {
    access: (ctx, input) => ({
      action: "lambda:UpdateFunctionCode",
      resource: resourceOf(ctx, input.FunctionName),
    }),
    async handle(ctx, input) {
      const ref = resolveLatest(ctx, input.FunctionName!);
      const before = await ctx.read((tx) => requireLatest(tx, ref, input.RevisionId));
      if (input.PublishTo !== undefined) throw errors.unsupported("PublishTo");
      const code = await stageCode(ctx, input);
      await checkUnzipped(ctx, configurationOf(before).Layers ?? [], code);
      const update = (row: FunctionRow): FunctionRow => ({
        ...row,
        ...codeColumns(code),
        configuration: JSON.stringify({
          ...configurationOf(row),
          ...(input.Architectures?.length && { Architectures: input.Architectures }),
        }),
        revision_id: newRequestId(),
        last_modified_ms: ctx.now,
        progress: begins(ctx, "Updating"),
      });
      if (input.DryRun) return describe(update(await ctx.read((tx) => requireLatest(tx, ref, input.RevisionId))));
      const frozen = input.Publish ? await frozenOf(ctx, code) : undefined;
      const row = await ctx.write(async (tx) => {
        const next = update(await requireLatest(tx, ref, input.RevisionId));
        await updateVersion(tx, next);
        const version = input.Publish ? await publish(tx, next, { frozen, now: ctx.now }) : undefined;
        await settleLater(ctx, tx, version ? [next, version] : [next]);
        return version ?? next;
      });
      runtimeOf(ctx).retire(functionArn(ref));
      return describe(row);
    },
  },

  UpdateFunctionConfiguration: {
    access(ctx, input) {
      const resource = resourceOf(ctx, input.FunctionName);
      return [
        { action: "lambda:UpdateFunctionConfiguration", resource, conditions: configured(input) },
        ...(input.Role === undefined ? [] : [passRole(input.Role, resource)]),
        ...layerAccess(input.Layers),
      ];
    },
    async handle(ctx, input) {
      const ref = resolveLatest(ctx, input.FunctionName!);
      const was = await ctx.read((tx) => requireLatest(tx, ref, input.RevisionId));
      const before = configurationOf(was);
      choose(input, before);
      const layers = input.Layers && (await ctx.read((tx) => chooseLayers(tx, ref, input.Layers!)));
      await checkUnzipped(ctx, layers ?? [], { sha256: was.code_sha256, size: was.code_size, live: was.live });
      if (input.Role !== undefined && input.Role !== before.Role)
        await assumeRole(ctx, ref, input.Role, errors.roleNotAssumable);
      const row = await ctx.write(async (tx) => {
        const latest = await requireLatest(tx, ref, input.RevisionId);
        const next = {
          ...latest,
          configuration: JSON.stringify(withLayers(choose(input, configurationOf(latest)), layers)),
          revision_id: newRequestId(),
          last_modified_ms: ctx.now,
          progress: begins(ctx, "Updating"),
        };
        await updateVersion(tx, next);
        await settleLater(ctx, tx, [next]);
        return next;
      });
      runtimeOf(ctx).retire(functionArn(ref));
      return describe(row);
    },
  },
});

/** Only $LATEST can be changed. */
function resolveLatest(ctx: Context, functionName: string): FunctionRef {
  const { qualifier, ...ref } = resolveName(ctx, functionName);
  if (qualifier !== undefined && qualifier !== "$LATEST")
    throw invalidParameter(`Versions cannot be changed: ${functionArn({ ...ref, qualifier })}`);
  return ref;
}

async function requireLatest(tx: Tx, ref: FunctionRef, revisionId: string | undefined): Promise<FunctionRow> {
  const row = await findVersion(tx, ref);
  if (!row) throw errors.functionNotFound(functionArn(ref));
  if (revisionId !== undefined && revisionId !== row.revision_id) throw errors.revisionMismatch("GetFunction/GetAlias");
  refuseUnsettled(row);
  return row;
}
