// Query and Scan.
import { AwsError, type Context, defineOperations, type Input, type Output, type Singly } from "../../kernel/mod.ts";
import { onItems, selectOf } from "./access.ts";
import { type Cost, consumed, readUnits } from "./capacity.ts";
import { errors } from "./errors.ts";
import type { Condition, Operand, Path } from "./expression/ast.ts";
import { matches } from "./expression/evaluate.ts";
import { project } from "./expression/project.ts";
import { keyAttributes, keyItem, rowKey } from "./item-key.ts";
import { type KeyTests, keyTests, rangeOf } from "./key-condition.ts";
import { segmentBounds } from "./keys.ts";
import { keyConditionTests } from "./legacy.ts";
import { type Page, readAll, readPartition, WHOLE_TABLE } from "./pages.ts";
import { detecting, type Expressions, readExpressions } from "./parameters.ts";
import { projectedNames, readItem } from "./rows.ts";
import { findIndex, knownTable } from "./schema.ts";
import { positionOf, queryStart, type Source, scanStart } from "./start-key.ts";
import { type StoredItem, storedItems } from "./stored.ts";
import { type Item, itemSize, soundItem } from "./value.ts";

type QueryInput = Input<"dynamodb", "Query">;
type ScanInput = Input<"dynamodb", "Scan">;

export const queries = defineOperations("dynamodb", {
  Query: {
    access: (ctx, input) =>
      onItems(ctx, "Query", {
        table: input.TableName,
        index: input.IndexName,
        touching: () => ({
          keys: [equalKeys(input)],
          attributes: [...(input.AttributesToGet ?? []), ...Object.keys(input.QueryFilter ?? {})],
          expressions: [input.KeyConditionExpression, input.FilterExpression, input.ProjectionExpression],
          names: input.ExpressionAttributeNames,
          select: selectOf(input),
          capacity: input.ReturnConsumedCapacity,
        }),
      }),
    async handle(ctx, input) {
      detecting(() => selectRules(input), /./);
      const expressions = readExpressions(input, [
        "FilterExpression",
        "KeyConditionExpression",
        "ProjectionExpression",
      ]);
      const tests = testsOf(input, expressions);
      const start = input.ExclusiveStartKey && soundItem(input.ExclusiveStartKey);
      const forward = input.ScanIndexForward ?? true;
      return answer(ctx, input, expressions, async (tx, source) => {
        const { table, index } = source;
        const key = index?.key ?? table.key;
        noKeyInFilter(
          input,
          expressions.filter,
          keyAttributes(key).map(({ name }) => name),
        );
        const range = rangeOf(key, tests);
        const after = start && queryStart(source, start, range);
        const rows = { ...range, number: index?.number ?? table.number, forward };
        return readPartition(tx, rows, { after, limit: input.Limit, positionOf: (item) => positionOf(source, item) });
      });
    },
  },

  Scan: {
    access: (ctx, input) =>
      onItems(ctx, "Scan", {
        table: input.TableName,
        index: input.IndexName,
        touching: () => ({
          attributes: [...(input.AttributesToGet ?? []), ...Object.keys(input.ScanFilter ?? {})],
          expressions: [input.FilterExpression, input.ProjectionExpression],
          names: input.ExpressionAttributeNames,
          select: selectOf(input),
          capacity: input.ReturnConsumedCapacity,
        }),
      }),
    async handle(ctx, input) {
      selectRules(input);
      segmentRules(input);
      const expressions = readExpressions(input, ["FilterExpression", "ProjectionExpression"]);
      const start = input.ExclusiveStartKey && soundItem(input.ExclusiveStartKey);
      return answer(ctx, input, expressions, async (tx, source) => {
        const bounds =
          input.TotalSegments === undefined ? WHOLE_TABLE : segmentBounds(input.Segment!, input.TotalSegments);
        const rows = { ...bounds, number: (source.index ?? source.table).number };
        const after = start && scanStart(source, start, rows);
        return readAll(tx, rows, { after, limit: input.Limit, positionOf: (item) => positionOf(source, item) });
      });
    },
  },
});

/** What both do with the rows that they read. A page is of no one moment, on AWS neither: a transaction's items may be seen in part. */
async function answer(
  ctx: Context,
  input: QueryInput | ScanInput,
  { filter, projection }: Expressions,
  read: (tx: Singly, source: Source) => Promise<Page>,
): Promise<Output<"dynamodb", "Query">> {
  const table = await knownTable(ctx, input.TableName);
  const index = input.IndexName === undefined ? undefined : findIndex(table, input.IndexName);
  const source = { table, index };
  indexRules(input, source, projection);
  const page = await read(ctx.singly, source);
  const fetched = await fetchMissing(ctx.singly, source, page, { input, filter, projection });
  const whole: readonly StoredItem[] = fetched ?? page.rows;
  const matching = filter ? whole.filter(({ item }) => matches(filter, item)) : whole;
  const cost = readCost(source, page, { fetched, consistent: input.ConsistentRead });
  const capacity = consumed(table, cost, input.ReturnConsumedCapacity);
  return {
    ...(input.Select !== "COUNT" && {
      Items: projection ? matching.map(({ item }) => project(item, projection)) : storedItems(matching),
    }),
    Count: matching.length,
    ScannedCount: page.rows.length,
    ...(page.stopped && { LastEvaluatedKey: keyItem(table.key, page.rows.at(-1)!.item, index?.key) }),
    ...(capacity && { ConsumedCapacity: capacity }),
  };
}

/** A local index fetches from the table what it does not hold itself. */
async function fetchMissing(
  tx: Singly,
  { table, index }: Source,
  { rows }: Page,
  { input, filter, projection }: { input: QueryInput | ScanInput } & Pick<Expressions, "filter" | "projection">,
): Promise<StoredItem[] | undefined> {
  if (index?.kind !== "local" || index.projection === "ALL") return undefined;
  const held = projectedNames(table, index);
  const wanted = [...(projection ?? []), ...pathsOf(filter)].map(({ parts }) => parts[0] as string);
  if (input.Select !== "ALL_ATTRIBUTES" && wanted.every((name) => held.includes(name))) return undefined;
  const fetched: StoredItem[] = [];
  for (const row of rows) fetched.push((await readItem(tx, table, rowKey(table.key, row.item))) ?? row);
  return fetched;
}

function readCost(
  { index }: Source,
  page: Page,
  { fetched, consistent }: { fetched: readonly StoredItem[] | undefined; consistent: boolean | undefined },
): Cost {
  const units = readUnits(page.bytes, consistent);
  const fetches = (fetched ?? []).reduce((sum, { item }) => sum + readUnits(itemSize(item), consistent), 0);
  return index ? { table: fetches, indexes: new Map([[index, units]]) } : { table: units };
}

// Rules that need no table.

function selectRules(input: QueryInput | ScanInput): void {
  const { Select, IndexName, AttributesToGet, ProjectionExpression } = input;
  const asked = AttributesToGet ? "AttributesToGet" : ProjectionExpression !== undefined ? "ProjectionExpression" : "";
  if (Select === "SPECIFIC_ATTRIBUTES" && !asked)
    throw errors.invalid(
      "Must specify the AttributesToGet or ProjectionExpression when choosing to get SPECIFIC_ATTRIBUTES",
    );
  if (Select !== undefined && Select !== "SPECIFIC_ATTRIBUTES" && asked)
    throw errors.invalid(
      `Cannot specify the ${asked} when choosing to get ${Select === "COUNT" ? "only the Count" : Select}`,
    );
  if (Select === "ALL_PROJECTED_ATTRIBUTES" && IndexName === undefined)
    throw errors.invalid("ALL_PROJECTED_ATTRIBUTES can be used only when Querying using an IndexName");
}

function segmentRules({ Segment, TotalSegments }: ScanInput): void {
  if (Segment !== undefined && TotalSegments === undefined)
    throw errors.validation(
      "The TotalSegments parameter is required but was not present in the request when Segment parameter is present",
    );
  if (TotalSegments !== undefined && Segment === undefined)
    throw errors.validation(
      "The Segment parameter is required but was not present in the request when parameter TotalSegments is present",
    );
  if (Segment !== undefined && Segment >= TotalSegments!)
    throw errors.validation(
      `The Segment parameter is zero-based and must be less than parameter TotalSegments: Segment: ${Segment} is not less than TotalSegments: ${TotalSegments}`,
    );
}

function testsOf(input: QueryInput, { keyCondition }: Expressions): KeyTests {
  if (keyCondition) return keyTests(keyCondition);
  if (!input.KeyConditions)
    throw errors.validation(
      "Either the KeyConditions or KeyConditionExpression parameter must be specified in the request.",
    );
  return keyConditionTests(input.KeyConditions);
}

/** For the condition key dynamodb:LeadingKeys; a wrong condition names no key, and its handler refuses it. */
function equalKeys(input: QueryInput): Item {
  const { KeyConditionExpression, KeyConditions, ExpressionAttributeNames, ExpressionAttributeValues } = input;
  try {
    const tests = testsOf(
      input,
      readExpressions(
        { KeyConditionExpression, KeyConditions, ExpressionAttributeNames, ExpressionAttributeValues },
        ["KeyConditionExpression"],
        { partly: true },
      ),
    );
    return Object.fromEntries(
      [...tests].filter(([, { operator }]) => operator === "=").map(([name, { values }]) => [name, values[0]!]),
    );
  } catch (error) {
    if (error instanceof AwsError) return {};
    throw error;
  }
}

// Rules of the table and its indexes.

function indexRules(
  input: QueryInput | ScanInput,
  { table, index }: Source,
  projection: readonly Path[] | undefined,
): void {
  if (index?.kind !== "global") return;
  if (input.ConsistentRead) throw errors.validation("Consistent reads are not supported on global secondary indexes");
  if (index.projection === "ALL") return;
  if (input.Select === "ALL_ATTRIBUTES")
    throw errors.invalid(
      `Select type ALL_ATTRIBUTES is not supported for global secondary index ${index.name} because its projection type is not ALL`,
    );
  const held = projectedNames(table, index);
  const missing = (projection ?? []).map(({ parts }) => parts[0] as string).filter((name) => !held.includes(name));
  if (missing.length > 0)
    throw errors.invalid(`Global secondary index ${index.name} does not project [${missing.join(", ")}]`);
}

function noKeyInFilter(input: QueryInput, filter: Condition | undefined, keys: readonly string[]): void {
  const named = pathsOf(filter).map(({ parts }) => parts[0] as string);
  const key = named.find((name) => keys.includes(name));
  if (key === undefined) return;
  const parameter = input.QueryFilter ? "QueryFilter" : "Filter Expression";
  throw errors.validation(`${parameter} can only contain non-primary key attributes: Primary key attribute: ${key}`);
}

/** Every path in a condition. */
export function pathsOf(node: Condition | Operand | undefined): readonly Path[] {
  switch (node?.kind) {
    case undefined:
    case "value":
      return [];
    case "path":
      return [node];
    case "and":
    case "or":
    case "compare":
    case "arithmetic":
      return [...pathsOf(node.left), ...pathsOf(node.right)];
    case "not":
    case "truth":
      return pathsOf(node.condition);
    case "between":
      return [node.operand, node.low, node.high].flatMap(pathsOf);
    case "in":
      return [node.operand, ...node.list].flatMap(pathsOf);
    case "call":
      return node.args.flatMap(pathsOf);
  }
}
