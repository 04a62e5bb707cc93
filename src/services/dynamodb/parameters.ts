// The rules of a request that need no table, in AWS's order: old and new parameters mixed, names and values without use, then the
// expressions themselves, then names and values that none of them used.
import { AwsError, type Input } from "../../kernel/mod.ts";
import { errors } from "./errors.ts";
import type { Condition, Path, Update } from "./expression/ast.ts";
import { type Bindings, bindCondition, bindProjection, bindUpdate } from "./expression/bind.ts";
import { compileCondition, compileProjection, compileUpdate } from "./expression/compile.ts";
import { attributesToGet, attributeUpdates, expectedCondition, filterCondition } from "./legacy.ts";
import { ANY_DEPTH, type Item, soundValue } from "./value.ts";

/** Every parameter that is, or replaces, an expression. Each operation has some of them. */
type Parameters = Pick<Input<"dynamodb", "UpdateItem">, "UpdateExpression" | "AttributeUpdates"> &
  Pick<Input<"dynamodb", "PutItem">, "ConditionExpression" | "Expected" | "ConditionalOperator"> &
  Pick<Input<"dynamodb", "Scan">, "FilterExpression" | "ProjectionExpression" | "ScanFilter" | "AttributesToGet"> &
  Pick<Input<"dynamodb", "Query">, "KeyConditionExpression" | "KeyConditions" | "QueryFilter"> &
  Pick<Input<"dynamodb", "PutItem">, "ExpressionAttributeNames" | "ExpressionAttributeValues">;

/** Bound, from whichever form the request had. */
export interface Expressions {
  readonly condition?: Condition | undefined;
  readonly update?: Update | undefined;
  readonly keyCondition?: Condition | undefined;
  readonly filter?: Condition | undefined;
  readonly projection?: readonly Path[] | undefined;
}

const EXPRESSIONS = [
  "ProjectionExpression",
  "UpdateExpression",
  "ConditionExpression",
  "FilterExpression",
  "KeyConditionExpression",
] as const;
const LEGACY = [
  "AttributesToGet",
  "AttributeUpdates",
  "Expected",
  "QueryFilter",
  "ScanFilter",
  "ConditionalOperator",
  "KeyConditions",
] as const;

type ExpressionName = (typeof EXPRESSIONS)[number];

/** `takes` are the expressions that the operation has. `partly`: others of the request are left out, and may use what these do not. */
export function readExpressions(
  input: Parameters,
  takes: readonly ExpressionName[],
  { partly = false }: { partly?: boolean } = {},
): Expressions {
  notMixed(input);
  const bindings = readBindings(input, takes);
  const bound = bind(input, bindings);
  if (!partly) allUsed(input, bindings);
  return bound;
}

/**
 * PutItem, UpdateItem, DeleteItem, and Query for its Select, have put these words before sentences of their own validator since 2026; GetItem,
 * Scan, the batches and the transactions have not.
 */
export function detecting<T>(read: () => T, sentences = DETECTED): T {
  try {
    return read();
  } catch (error) {
    if (error instanceof AwsError && sentences.test(error.message))
      throw errors.validation(`1 validation error detected: ${error.message}`);
    throw error;
  }
}
const DETECTED =
  /^(Invalid \w+Expression: |Value provided in ExpressionAttribute|ExpressionAttribute(Names|Values) must not be empty|One or more parameter values were invalid: (An (string|number) set|Binary sets))/;

/** KeyConditions go with a FilterExpression and a ProjectionExpression (recorded). */
function notMixed(input: Parameters): void {
  const keyed = input.KeyConditionExpression !== undefined;
  const legacy = LEGACY.filter((name) => input[name] !== undefined && (keyed || name !== "KeyConditions"));
  const modern = EXPRESSIONS.filter((name) => input[name] !== undefined);
  if (legacy.length > 0 && modern.length > 0)
    throw errors.validation(
      `Can not use both expression and non-expression parameters in the same request: Non-expression parameters: {${legacy.join(", ")}} Expression parameters: {${modern.join(", ")}}`,
    );
}

function readBindings(input: Parameters, takes: readonly ExpressionName[]): Bindings {
  const { ExpressionAttributeNames: names, ExpressionAttributeValues: values } = input;
  if (names && EXPRESSIONS.every((name) => input[name] === undefined))
    throw errors.validation("ExpressionAttributeNames can only be specified when using expressions");
  const withValues = takes.filter((name) => name !== "ProjectionExpression");
  if (values && withValues.every((name) => input[name] === undefined))
    throw errors.validation(
      `ExpressionAttributeValues can only be specified when using expressions: ${withValues.join(" and ")} ${withValues.length > 1 ? "are" : "is"} null`,
    );
  if (names && Object.keys(names).length === 0) throw errors.validation("ExpressionAttributeNames must not be empty");
  for (const [name, attribute] of Object.entries(names ?? {})) {
    const bytes = Buffer.byteLength(name);
    if (bytes > LONGEST_REFERENCE)
      throw errors.validation(`ExpressionAttributeNames contains invalid key: ${TOO_LONG} size of key: ${bytes}`);
    if (!/^#[A-Za-z0-9_]+$/.test(name))
      throw errors.validation(`ExpressionAttributeNames contains invalid key: Syntax error; key: "${name}"`);
    if (attribute === "")
      throw errors.validation(`ExpressionAttributeNames contains invalid value: Empty attribute name for key ${name}`);
  }
  if (values && Object.keys(values).length === 0)
    throw errors.validation("ExpressionAttributeValues must not be empty");
  return { names: names ?? {}, values: soundValues(values ?? {}), usedNames: new Set(), usedValues: new Set() };
}

/** With its # or colon; bytes. https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Constraints.html */
const LONGEST_REFERENCE = 255;
const TOO_LONG = "The expression attribute map contains a key that is too long;";

function soundValues(values: Item): Item {
  return Object.fromEntries(
    Object.entries(values).map(([name, value]) => {
      // Recorded: of values it does not say the size.
      if (Buffer.byteLength(name) > LONGEST_REFERENCE)
        throw errors.validation(`ExpressionAttributeValues contains invalid key: ${TOO_LONG}`);
      if (!/^:[A-Za-z0-9_]+$/.test(name))
        throw errors.validation(`ExpressionAttributeValues contains invalid key: Syntax error; key: "${name}"`);
      try {
        return [name, soundValue(value, ANY_DEPTH)];
      } catch (error) {
        if (!(error instanceof AwsError)) throw error;
        throw errors.validation(`ExpressionAttributeValues contains invalid value: ${error.message} for key ${name}`);
      }
    }),
  );
}

function bind(input: Parameters, bindings: Bindings): Expressions {
  const { ProjectionExpression, UpdateExpression, ConditionExpression, FilterExpression } = input;
  const condition = (text: string | undefined, label: ExpressionName) =>
    text === undefined ? undefined : bindCondition(compileCondition(text, label), label, bindings);
  return {
    projection:
      ProjectionExpression !== undefined
        ? bindProjection(
            compileProjection(ProjectionExpression, "ProjectionExpression"),
            "ProjectionExpression",
            bindings,
          )
        : input.AttributesToGet && attributesToGet(input.AttributesToGet),
    update:
      UpdateExpression !== undefined
        ? bindUpdate(compileUpdate(UpdateExpression, "UpdateExpression"), "UpdateExpression", bindings)
        : input.AttributeUpdates && attributeUpdates(input.AttributeUpdates),
    condition:
      condition(ConditionExpression, "ConditionExpression") ??
      (input.Expected && expectedCondition(input.Expected, input.ConditionalOperator)),
    filter:
      condition(FilterExpression, "FilterExpression") ??
      filterCondition(input.QueryFilter ?? input.ScanFilter, legacyOperator(input)),
    keyCondition: condition(input.KeyConditionExpression, "KeyConditionExpression"),
  };
}

/** Expected has used it already. */
const legacyOperator = (input: Parameters) => (input.Expected ? undefined : input.ConditionalOperator);

function allUsed({ ExpressionAttributeNames, ExpressionAttributeValues }: Parameters, bindings: Bindings): void {
  unused("ExpressionAttributeNames", ExpressionAttributeNames, bindings.usedNames);
  unused("ExpressionAttributeValues", ExpressionAttributeValues, bindings.usedValues);
}

function unused(parameter: string, given: object | undefined, used: ReadonlySet<string>): void {
  const idle = Object.keys(given ?? {}).filter((name) => !used.has(name));
  if (idle.length > 0)
    throw errors.validation(`Value provided in ${parameter} unused in expressions: keys: {${idle.join(", ")}}`);
}
