// Tags of functions. They belong to the function as a whole, so they stand in the row of $LATEST.
import {
  type Arn,
  type Context,
  defineOperations,
  requestTagKeys,
  requestTags,
  type Tags,
  type Tx,
} from "../../kernel/mod.ts";
import { type FunctionRow, findVersion } from "./configuration.ts";
import { errors, invalidParameter } from "./errors.ts";
import { findMapping, type MappingKey, mappingArn, parseMappingArn, saveTags } from "./event-sources/rows.ts";
import { type FunctionRef, functionArn, parseFunctionName, resolveName } from "./names.ts";

export const tags = defineOperations("lambda", {
  TagResource: {
    access: (_ctx, input) => ({
      action: "lambda:TagResource",
      resource: input.Resource ?? "",
      conditions: requestTags(input.Tags),
    }),
    async handle(ctx, input) {
      const given = input.Tags ?? {};
      if (Object.keys(given).length === 0)
        throw invalidParameter("An error occurred and the request cannot be processed.");
      const mapping = parseMappingArn(input.Resource!);
      if (mapping) return changeOfMapping(ctx, mapping, (before) => ({ ...before, ...given }));
      const ref = resolveResource(ctx, input.Resource!);
      await change(ctx, ref, (before) => ({ ...before, ...given }));
      return {};
    },
  },

  UntagResource: {
    access: (_ctx, input) => ({
      action: "lambda:UntagResource",
      resource: input.Resource ?? "",
      conditions: requestTagKeys(input.TagKeys),
    }),
    async handle(ctx, input) {
      const gone = new Set(input.TagKeys);
      const without = (before: Tags) => Object.fromEntries(Object.entries(before).filter(([name]) => !gone.has(name)));
      const mapping = parseMappingArn(input.Resource!);
      if (mapping) return changeOfMapping(ctx, mapping, without);
      await change(ctx, resolveResource(ctx, input.Resource!), without);
      return {};
    },
  },

  ListTags: {
    access: (_ctx, input) => ({ action: "lambda:ListTags", resource: input.Resource ?? "" }),
    async handle(ctx, input) {
      const mapping = parseMappingArn(input.Resource!);
      if (mapping) return { Tags: await ctx.read((tx) => tagsOfMapping(tx, mapping)) };
      const ref = resolveResource(ctx, input.Resource!);
      return { Tags: { ...tagsOf(await ctx.read((tx) => requireRow(tx, ref))) } };
    },
  },
});

export const tagsOf = (row: FunctionRow): Record<string, string> => JSON.parse(row.tags);

/** For the door: versions and aliases have the function's. */
export async function resourceTags(ctx: Context, resource: Arn): Promise<Tags | undefined> {
  const mapping = parseMappingArn(resource);
  if (mapping) {
    const found = await findMapping(ctx.singly, mapping);
    return found && (JSON.parse(found.tags) as Tags);
  }
  const ref = parseFunctionName(resource, ctx);
  const row = ref && (await ctx.read((tx) => findVersion(tx, ref)));
  return row && tagsOf(row);
}

// https://docs.aws.amazon.com/lambda/latest/dg/configuration-tags.html
const MAX_TAGS = 50;

export function checkTags(tags: Tags): void {
  if (Object.keys(tags).length > MAX_TAGS) throw errors.tooManyTags();
}

async function changeOfMapping(ctx: Context, of: MappingKey, edit: (before: Tags) => Tags): Promise<object> {
  await ctx.write(async (tx) => {
    const after = edit(await tagsOfMapping(tx, of));
    checkTags(after);
    await saveTags(tx, of.uuid, JSON.stringify(after));
  });
  return {};
}

async function tagsOfMapping(tx: Tx, of: MappingKey): Promise<Record<string, string>> {
  const row = await findMapping(tx, of);
  if (!row) throw errors.mappingNotFound(mappingArn(of));
  return JSON.parse(row.tags);
}

const NOT_OURS = /:(code-signing-config|capacity-provider|layer):/;

function resolveResource(ctx: Context, resource: string): FunctionRef {
  const other = NOT_OURS.exec(resource);
  if (other) throw errors.unsupported(`tags of ${other[1]}`);
  const ref = resolveName(ctx, resource);
  if (ref.qualifier !== undefined)
    throw invalidParameter("Tags on function aliases and versions are not supported. Please specify a function ARN.");
  return ref;
}

async function requireRow(tx: Tx, ref: FunctionRef): Promise<FunctionRow> {
  const row = await findVersion(tx, ref);
  if (!row) throw errors.functionNotFound(functionArn(ref));
  return row;
}

const change = (ctx: Context, ref: FunctionRef, edit: (before: Tags) => Tags): Promise<void> =>
  ctx.write(async (tx) => {
    const after = edit(tagsOf(await requireRow(tx, ref)));
    checkTags(after);
    await tx.run(
      `UPDATE lambda_function SET tags = :tags
       WHERE account = :account AND region = :region AND function_name = :name AND version = '$LATEST'`,
      { account: ref.account, region: ref.region, name: ref.name, tags: JSON.stringify(after) },
    );
  });
