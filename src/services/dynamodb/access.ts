// What a caller must be allowed to do, with the condition keys of fine-grained access control.
// https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/specifying-conditions.html
import { type Access, AwsError, type Conditions, type Context } from "../../kernel/mod.ts";
import { lex, type Token } from "./expression/lex.ts";
import { findTable, type TableRef, tableRef } from "./schema.ts";
import { base64, type Item, member } from "./value.ts";

export const onTable = (
  ctx: Context,
  action: string,
  nameOrArn: string | undefined,
  conditions?: Conditions,
): Access => ({
  action: `dynamodb:${action}`,
  resource: tableRef(ctx, nameOrArn).arn,
  ...(conditions && { conditions }),
});

/** Operations that no resource is named for. */
export const onAll = (ctx: Context, action: string): Access => ({
  action: `dynamodb:${action}`,
  resource: `arn:aws:dynamodb:${ctx.region}:${ctx.account}:table/*`,
});

/** The parameters that name items and attributes; each operation has some of them. */
export interface Touching {
  readonly keys?: readonly Item[];
  readonly attributes?: readonly string[];
  readonly expressions?: readonly (string | undefined)[];
  readonly names?: Readonly<Record<string, string>> | undefined;
  /** Of a read: what it asks for, said or not. */
  readonly select?: string;
  readonly returnValues?: string | undefined;
  readonly capacity?: string | undefined;
  /** Of PartiQL's SELECT: whether it reads all of a table or of an index. */
  readonly fullScan?: boolean | undefined;
  /** The transaction that it is part of. */
  readonly enclosing?: string;
}

interface Asked {
  readonly table: string | undefined;
  readonly index?: string | undefined;
  readonly touching: () => Touching | Promise<Touching>;
}

/** What is touched is worked out where a policy has a condition on it. */
export function onItems(ctx: Context, action: string, { table, index, touching }: Asked): Access {
  const ref = tableRef(ctx, table);
  return {
    action: `dynamodb:${action}`,
    resource: index ? `${ref.arn}/index/${index}` : ref.arn,
    conditions: async (wanted) => {
      const { keys = [], attributes = [], expressions = [], names, ...said } = await touching();
      const named = expressions.flatMap((text) => (text === undefined ? [] : topLevelNames(text, names ?? {})));
      const touched = [...new Set([...keys.flatMap((key) => Object.keys(key)), ...attributes, ...named])];
      return {
        ...(PARTITION_KEYS.some((key) => wanted.has(key.toLowerCase())) &&
          (await partitionKeys(ctx, { ref, index, keys }))),
        ...(touched.length > 0 && { "dynamodb:Attributes": touched }),
        ...(said.select !== undefined && { "dynamodb:Select": said.select }),
        ...(said.returnValues !== undefined && { "dynamodb:ReturnValues": said.returnValues }),
        ...(said.capacity !== undefined && { "dynamodb:ReturnConsumedCapacity": said.capacity }),
        ...(said.fullScan !== undefined && { "dynamodb:FullTableScan": String(said.fullScan) }),
        ...(said.enclosing !== undefined && { "dynamodb:EnclosingOperation": said.enclosing }),
      };
    },
  };
}

/** The first partition key has two names; global indexes have up to four. */
const PARTITION_KEYS = [
  "dynamodb:LeadingKeys",
  "dynamodb:FirstPartitionKeyValues",
  "dynamodb:SecondPartitionKeyValues",
  "dynamodb:ThirdPartitionKeyValues",
  "dynamodb:FourthPartitionKeyValues",
];

async function partitionKeys(
  ctx: Context,
  { ref, index, keys }: { ref: TableRef; index: string | undefined; keys: readonly Item[] },
): Promise<Conditions> {
  const found = await ctx.read((tx) => findTable(tx, ref));
  const schema = index ? found?.indexes.find(({ name }) => name === index)?.key : found?.key;
  const named = (schema?.hash ?? []).flatMap(({ name }, at) => {
    const values = [...new Set(keys.map((key) => keyText(key, name)).filter((text) => text !== undefined))];
    if (values.length === 0) return [];
    const first: [string, string[]][] = at === 0 ? [[PARTITION_KEYS[0]!, values]] : [];
    return [...first, [PARTITION_KEYS[at + 1]!, values] as [string, string[]]];
  });
  return Object.fromEntries(named);
}

function keyText(key: Item, name: string): string | undefined {
  const value = member(key, name);
  return value?.S ?? value?.N ?? (value?.B && base64(value.B));
}

const NOT_NAMES: ReadonlySet<string> = new Set(["and", "or", "not", "between", "in", "set", "remove", "add", "delete"]);

/** Of an expression that may yet be wrong: then its handler refuses it, and no name of it matters. */
export function topLevelNames(text: string, names: Readonly<Record<string, string>>): readonly string[] {
  let tokens: readonly Token[];
  try {
    tokens = lex(text, "expression");
  } catch (error) {
    if (error instanceof AwsError) return [];
    throw error;
  }
  return tokens
    .filter(
      ({ kind, text: word }, i) =>
        (kind === "name" || kind === "alias") &&
        tokens[i - 1]?.text !== "." &&
        !(kind === "name" && (tokens[i + 1]?.text === "(" || NOT_NAMES.has(word.toLowerCase()))),
    )
    .map(({ text: word }) => (word.startsWith("#") ? (names[word] ?? word) : word));
}

/** The value of dynamodb:Select where the request does not say it: policies that keep to attributes rely on it. */
export const selectOf = (input: {
  readonly Select?: string | undefined;
  readonly ProjectionExpression?: string | undefined;
  readonly AttributesToGet?: readonly string[] | undefined;
  readonly IndexName?: string | undefined;
}): string =>
  input.Select ??
  (input.ProjectionExpression !== undefined || input.AttributesToGet
    ? "SPECIFIC_ATTRIBUTES"
    : input.IndexName === undefined
      ? "ALL_ATTRIBUTES"
      : "ALL_PROJECTED_ATTRIBUTES");
