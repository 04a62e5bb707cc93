// A policy's JSON, read once and kept by its text. It was validated when it was put (validate.ts); here a defect means: deny.
// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_grammar.html
import { type Condition, readOperator } from "./condition.ts";
import { compile, type Pattern } from "./pattern.ts";

export interface Policy {
  readonly statements: readonly Statement[];
  /** ${...} are variables: since Version 2012-10-17. */
  readonly variables: boolean;
  /** What is wrong with it: nothing may be allowed by it, and everything is denied. */
  readonly unreadable?: string;
}

export interface Statement {
  /** Its Sid, or its place from 1 on. */
  readonly name: string;
  readonly effect: "Allow" | "Deny";
  readonly action: Element<Pattern>;
  /** Undefined in a trust policy: the role itself. */
  readonly resource?: Element<Pattern>;
  /** Undefined in an identity policy: whoever it is attached to. */
  readonly principal?: Element<PrincipalPattern>;
  readonly conditions: readonly Condition[];
}

export interface Element<T> {
  readonly any: readonly T[];
  /** NotAction, NotResource, NotPrincipal. */
  readonly not: boolean;
}

export interface PrincipalPattern {
  readonly type: "AWS" | "Service" | "Federated" | "CanonicalUser";
  readonly value: string;
}

/** Characters of all policies that are kept parsed. */
const KEPT_LIMIT = 8 * 1024 * 1024;
const kept = new Map<string, Policy>();
let keptSize = 0;

export function readPolicy(text: string): Policy {
  const known = kept.get(text);
  if (known) return known;
  const policy = parse(text);
  kept.set(text, policy);
  keptSize += text.length;
  // The oldest go first.
  for (const old of kept.keys()) {
    if (keptSize <= KEPT_LIMIT) break;
    kept.delete(old);
    keptSize -= old.length;
  }
  return policy;
}

type Json = Record<string, unknown>;

function parse(text: string): Policy {
  try {
    const json = JSON.parse(text) as Json;
    const variables = json.Version === "2012-10-17";
    const statements = list(json.Statement).map((one, at) => statement(one as Json, { at, variables }));
    return { statements, variables };
  } catch (error) {
    return { statements: [], variables: false, unreadable: (error as Error).message };
  }
}

function statement(json: Json, { at, variables }: { at: number; variables: boolean }): Statement {
  if (json.Effect !== "Allow" && json.Effect !== "Deny") throw new Error(`Effect of statement ${at + 1}`);
  const action = element(json, "Action", (text) => compile(text, { variables, ignoreCase: true }));
  if (!action) throw new Error(`Action of statement ${at + 1}`);
  return {
    name: typeof json.Sid === "string" && json.Sid !== "" ? json.Sid : String(at + 1),
    effect: json.Effect,
    action,
    resource: element(json, "Resource", (text) => compile(text, { variables })),
    principal: principals(json),
    conditions: Object.entries((json.Condition ?? {}) as Json).flatMap(([name, keys]) => {
      const operator = readOperator(name);
      if (!operator) throw new Error(`Condition ${name} of statement ${at + 1}`);
      return Object.entries(keys as Json).map(([key, values]) => ({ operator, key, values: list(values).map(String) }));
    }),
  };
}

function element(json: Json, name: string, read: (text: string) => Pattern): Element<Pattern> | undefined {
  const not = json[name] === undefined && json[`Not${name}`] !== undefined;
  const given = not ? json[`Not${name}`] : json[name];
  return given === undefined ? undefined : { any: list(given).map((one) => read(String(one))), not };
}

function principals(json: Json): Element<PrincipalPattern> | undefined {
  const not = json.Principal === undefined && json.NotPrincipal !== undefined;
  const given = not ? json.NotPrincipal : json.Principal;
  if (given === undefined) return undefined;
  if (given === "*") return { any: [{ type: "AWS", value: "*" }], not };
  const any = Object.entries(given as Json).flatMap(([type, values]) =>
    list(values).map((value) => ({ type: type as PrincipalPattern["type"], value: String(value) })),
  );
  return { any, not };
}

const list = (value: unknown): unknown[] => (Array.isArray(value) ? value : value === undefined ? [] : [value]);
