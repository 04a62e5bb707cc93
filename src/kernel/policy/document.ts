// A policy's JSON, read once and kept by its text. It was validated when it was put (validate.ts); here a defect means: deny.
// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_grammar.html
import { type Condition, compileCondition, readOperator } from "./condition.ts";
import { compile, type Pattern, variablesOf } from "./pattern.ts";

export interface Policy {
  readonly statements: readonly Statement[];
  /** Those that name an action, once they were asked for. */
  readonly naming: Map<string, Selection>;
}

export interface Statement {
  /** Its Sid, or its place from 1 on. */
  readonly name: string;
  /** Its place from 0 on. */
  readonly place: number;
  readonly effect: "Allow" | "Deny";
  /** In lower case, and without variables: AWS has none there. */
  readonly action: Element<Pattern>;
  /** Undefined in a trust policy: the role itself. */
  readonly resource?: Element<Pattern>;
  /** Undefined in an identity policy: whoever it is attached to. */
  readonly principal?: Element<PrincipalPattern>;
  readonly conditions: readonly Condition[];
  /** Condition keys that conditions and variables ask for, in lower case. */
  readonly wants: readonly string[];
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

/** The statements of one or more policies that name an action. */
export interface Selection {
  readonly denies: readonly Selected[];
  readonly allows: readonly Selected[];
  /** Both, in their order. */
  readonly all: readonly Selected[];
  /** Condition keys that they ask for, in lower case: `aws:resourcetag/team`. What is not in it need not be worked out. */
  readonly wants: ReadonlySet<string>;
}

export interface Selected {
  readonly statement: Statement;
  /** The place of its policy among those that were looked through. */
  readonly of: number;
}

/** Characters of all policies that are kept parsed. */
const KEPT_LIMIT = 8 * 1024 * 1024;
const kept = new Map<string, Policy>();
let keptSize = 0;

export function readPolicy(text: string): Policy {
  const known = kept.get(text);
  if (known) return known;
  const policy: Policy = { statements: parse(text), naming: new Map() };
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

function parse(text: string): readonly Statement[] {
  try {
    const json = JSON.parse(text) as Json;
    const variables = json.Version === "2012-10-17";
    return list(json.Statement).map((one, place) => statement(one as Json, { place, variables }));
  } catch (error) {
    return [unreadable((error as Error).message)];
  }
}

/** What nobody can read allows nothing, and denies everything. */
const unreadable = (why: string): Statement => ({
  name: `unreadable: ${why}`,
  place: 0,
  effect: "Deny",
  action: { any: [compile("*", { variables: false })], not: false },
  conditions: [],
  wants: [],
});

function statement(json: Json, { place, variables }: { place: number; variables: boolean }): Statement {
  if (json.Effect !== "Allow" && json.Effect !== "Deny") throw new Error(`Effect of statement ${place + 1}`);
  const action = element(json, "Action", (text) => compile(text.toLowerCase(), { variables: false }));
  if (!action) throw new Error(`Action of statement ${place + 1}`);
  const resource = element(json, "Resource", (text) => compile(text, { variables }));
  const conditions = conditionsOf(json, { place, variables });
  return {
    name: typeof json.Sid === "string" && json.Sid !== "" ? json.Sid : String(place + 1),
    place,
    effect: json.Effect,
    action,
    resource,
    principal: principals(json),
    conditions,
    wants: wantsOf(resource, conditions),
  };
}

function conditionsOf(json: Json, { place, variables }: { place: number; variables: boolean }): Condition[] {
  return Object.entries((json.Condition ?? {}) as Json).flatMap(([name, keys]) => {
    const operator = readOperator(name);
    if (!operator) throw new Error(`Condition ${name} of statement ${place + 1}`);
    return Object.entries(keys as Json).map(([key, values]) =>
      compileCondition(operator, { key, values: list(values).map(String), variables }),
    );
  });
}

function wantsOf(resource: Element<Pattern> | undefined, conditions: readonly Condition[]): string[] {
  const patterns = (resource?.any ?? []).filter(({ kind }) => kind === "variable").map(({ text }) => text);
  const values = conditions.filter(({ variables }) => variables).flatMap((condition) => condition.values);
  const variables = [...patterns, ...values].flatMap(variablesOf).map((name) => name.toLowerCase());
  return [...new Set([...conditions.map(({ name }) => name), ...variables])];
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
