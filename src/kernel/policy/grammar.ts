// The grammar that all policies share, whatever they are attached to. https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_grammar.html
import { readOperator } from "./condition.ts";
import { hasRepeatedKey, scan } from "./json.ts";

export type Json = Record<string, unknown>;

export const VERSIONS = ["2008-10-17", "2012-10-17"];
const DOCUMENT = ["Version", "Id", "Statement"];
const STATEMENT = ["Sid", "Effect", "Action", "NotAction", "Resource", "NotResource", "Condition"];
const PRINCIPALS = ["Principal", "NotPrincipal"];

/** undefined: no JSON, no object, or one that has a key more than once. */
export function parsePolicy(text: string): Json | undefined {
  const node = scan(text);
  return node?.entries && !hasRepeatedKey(node) ? (JSON.parse(text) as Json) : undefined;
}

export const unknownElement = (document: Json): string | undefined => other(document, DOCUMENT);
export const unknownOfStatement = (statement: Json): string | undefined =>
  other(statement, [...STATEMENT, ...PRINCIPALS]);
const other = (json: Json, names: readonly string[]) => Object.keys(json).find((name) => !names.includes(name));

/** Types only: which elements there may be, and of what kind. */
export function isShaped(statement: unknown): statement is Json {
  if (!isObject(statement) || unknownOfStatement(statement) !== undefined) return false;
  const { Sid, Effect, Action, NotAction, Resource, NotResource, Condition } = statement;
  if (Effect !== "Allow" && Effect !== "Deny") return false;
  if (Sid !== undefined && typeof Sid !== "string") return false;
  if (Action !== undefined && NotAction !== undefined) return false;
  if (Resource !== undefined && NotResource !== undefined) return false;
  const lists = [Action, NotAction, Resource, NotResource];
  return lists.every((value) => value === undefined || isStrings(value)) && isCondition(Condition);
}

export function isCondition(condition: unknown): boolean {
  if (condition === undefined) return true;
  if (!isObject(condition)) return false;
  return Object.entries(condition).every(
    ([operator, keys]) =>
      readOperator(operator) !== undefined && isObject(keys) && Object.values(keys).every(isConditionValue),
  );
}

const isConditionValue = (value: unknown): boolean =>
  asList(value).every((one) => ["string", "number", "boolean"].includes(typeof one));

/** The keys of all conditions, as written. */
export const conditionKeys = ({ Condition }: Json): string[] =>
  Object.values((Condition ?? {}) as Json).flatMap((keys) => Object.keys(keys as Json));

export function hasRepeatedSid(statements: readonly Json[]): boolean {
  const sids = statements.map(({ Sid }) => Sid).filter((sid) => sid !== undefined && sid !== "");
  return new Set(sids).size < sids.length;
}

export const isObject = (value: unknown): value is Json =>
  typeof value === "object" && value !== null && !Array.isArray(value);
export const isStrings = (value: unknown): boolean => asList(value).every((one) => typeof one === "string");
export const asList = (value: unknown): unknown[] =>
  Array.isArray(value) ? value : value === undefined ? [] : [value];
