// What a caller must be allowed to do, with the condition keys of fine-grained access control.
// https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/specifying-conditions.html
import { type Access, AwsError, type Context } from "../../kernel/mod.ts";
import { lex, type Token } from "./expression/lex.ts";
import { findTable, tableRef } from "./schema.ts";
import { base64, type Item, member } from "./value.ts";

export const onTable = (ctx: Context, action: string, nameOrArn: string | undefined): Access => ({
  action: `dynamodb:${action}`,
  resource: tableRef(ctx, nameOrArn).arn,
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
}

/** The root user is asked nothing, so nothing is worked out for it. */
export async function onItems(
  ctx: Context,
  action: string,
  { table, index, touching }: { table: string | undefined; index?: string | undefined; touching: () => Touching },
): Promise<Access> {
  const ref = tableRef(ctx, table);
  const access = { action: `dynamodb:${action}`, resource: index ? `${ref.arn}/index/${index}` : ref.arn };
  if (ctx.principal.kind === "root") return access;
  const { keys = [], attributes = [], expressions = [], names, select, returnValues } = touching();
  const found = await ctx.read((tx) => findTable(tx, ref));
  const schema = index ? found?.indexes.find(({ name }) => name === index)?.key : found?.key;
  const hash = schema?.hash[0]?.name;
  const leading = hash === undefined ? [] : keys.map((key) => keyText(key, hash)).filter((text) => text !== undefined);
  const named = expressions.flatMap((text) => (text === undefined ? [] : topLevelNames(text, names ?? {})));
  const touched = [...new Set([...keys.flatMap((key) => Object.keys(key)), ...attributes, ...named])];
  return {
    ...access,
    conditions: {
      ...(leading.length > 0 && { "dynamodb:LeadingKeys": [...new Set(leading)] }),
      ...(touched.length > 0 && { "dynamodb:Attributes": touched }),
      ...(select !== undefined && { "dynamodb:Select": select }),
      ...(returnValues !== undefined && { "dynamodb:ReturnValues": returnValues }),
    },
  };
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
