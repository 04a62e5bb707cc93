// What a statement demands of its caller. https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/ql-iam.html
import { type Access, AwsError, type Context } from "../../../kernel/mod.ts";
import { onItems, type Touching } from "../access.ts";
import { updatedPaths } from "../expression/bind.ts";
import { pathsOf } from "../queries.ts";
import { findTable, tableRef } from "../schema.ts";
import type { AttributeValue, Item } from "../value.ts";
import { bindStatement, soundParameters } from "./bind.ts";
import { compileStatement } from "./compile.ts";
import { partitionsOf } from "./plan.ts";
import type { Statement } from "./statement.ts";
import { keyOfWhere } from "./where.ts";

const ACTIONS = {
  select: "PartiQLSelect",
  exists: "PartiQLSelect",
  insert: "PartiQLInsert",
  update: "PartiQLUpdate",
  delete: "PartiQLDelete",
} as const;

const RETURN_VALUES = {
  "ALL OLD": "ALL_OLD",
  "MODIFIED OLD": "UPDATED_OLD",
  "ALL NEW": "ALL_NEW",
  "MODIFIED NEW": "UPDATED_NEW",
} as const;

/** Nothing is demanded for a statement that is wrong: its handler refuses it. */
export function onStatement(
  ctx: Context,
  {
    Statement: text = "",
    Parameters = [],
  }: { Statement?: string | undefined; Parameters?: AttributeValue[] | undefined },
  said: Pick<Touching, "capacity" | "enclosing">,
): Access[] {
  try {
    const statement = bindStatement(compileStatement(text), soundParameters({ Parameters }));
    const { table, index } = statement.target;
    return [
      onItems(ctx, ACTIONS[statement.kind], {
        table,
        index,
        touching: async () => ({ ...said, ...(await touched(ctx, statement)) }),
      }),
    ];
  } catch (error) {
    if (error instanceof AwsError) return [];
    throw error;
  }
}

async function touched(ctx: Context, statement: Statement): Promise<Touching> {
  const returnValues = "returning" in statement && statement.returning ? RETURN_VALUES[statement.returning] : undefined;
  if (statement.kind === "insert")
    return { keys: [Object.fromEntries(statement.members.map(([name, { value }]) => [name, value]))] };
  const table = await ctx.read((tx) => findTable(tx, tableRef(ctx, statement.target.table)));
  const { index: wanted } = statement.target;
  const key = wanted === undefined ? table?.key : table?.indexes.find(({ name }) => name === wanted)?.key;
  const named = pathsOf(statement.where).map(({ parts }) => parts[0] as string);
  if (statement.kind !== "select") {
    const changed = statement.kind === "update" ? updatedPaths(statement.update) : [];
    const attributes = [...named, ...changed.map(({ parts }) => parts[0] as string)];
    const keys = key ? [keyOfWhere(statement.where, key, { lists: false }).key] : [];
    return { keys, attributes, returnValues };
  }
  const columns = statement.columns?.map(({ path }) => path.parts[0] as string);
  const partitions = key && partitionsOf(statement.where, key);
  const [hash] = key?.hash ?? [];
  return {
    keys: hash ? (partitions ?? []).map((value): Item => ({ [hash.name]: value })) : [],
    attributes: [...named, ...(columns ?? [])],
    select: columns ? "SPECIFIC_ATTRIBUTES" : wanted === undefined ? "ALL_ATTRIBUTES" : "ALL_PROJECTED_ATTRIBUTES",
    fullScan: partitions === undefined,
  };
}
