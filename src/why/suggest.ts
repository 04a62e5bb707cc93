// The least that a principal needs, from what it really called: one statement for actions that share their resources, exact ARNs as long as
// there are few. Conditions are not invented.
import type { Entry } from "../kernel/journal.ts";
import { means } from "./names.ts";
import { type Asked, askedOf } from "./record.ts";
import { type Document, literal, type Statement } from "./remedy.ts";

/** Of a managed policy, white space not counted. https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html */
export const MAX_POLICY_CHARACTERS = 6_144;
/** More keys than this in one folder of a bucket, or more resources than that beneath one, are written as one pattern. */
const MAX_KEYS_BESIDE = 5;
const MAX_BENEATH = 20;

export interface Wanted {
  readonly principal: string;
  /** ms since the epoch, on the clock. */
  readonly since: number;
  /** What was denied is wanted, too. */
  readonly denied: boolean;
}

export interface Suggestion {
  /** Whose policies they would be: one user, role or root; more than one where the name is ambiguous. */
  readonly holders: readonly string[];
  /** Each fits into a managed policy. */
  readonly policies: readonly Document[];
  /** Decisions that it is made of. */
  readonly calls: number;
  /** Decisions that were denied and are left out. */
  readonly leftOut: number;
}

export function suggest(entries: readonly Entry[], { principal, since, denied }: Wanted): Suggestion {
  const asked = entries
    .filter(({ at }) => at >= since)
    .map(askedOf)
    .filter((one): one is Asked => one !== undefined && means(principal, one));
  const holders = [...new Set(asked.map((one) => one.holder ?? one.principal))].sort();
  const used = asked.filter(({ allowed }) => allowed || denied);
  const policies = holders.length > 1 ? [] : packed(statementsOf(used));
  return { holders, policies, calls: used.length, leftOut: asked.length - used.length };
}

/** Sorted, so that the same calls give the same policy. */
function statementsOf(asked: readonly Pick<Asked, "action" | "resource">[]): Statement[] {
  const resources = new Map<string, Set<string>>();
  for (const { action, resource } of asked) {
    const known = resources.get(action) ?? new Set();
    resources.set(action, known.add(literal(resource)));
  }
  const actions = new Map<string, string[]>();
  for (const action of [...resources.keys()].sort()) {
    const key = JSON.stringify(collapsed([...resources.get(action)!]));
    actions.set(key, [...(actions.get(key) ?? []), action]);
  }
  return [...actions].map(([key, names]) => ({
    Effect: "Allow",
    Action: oneOrMany(names),
    Resource: oneOrMany(JSON.parse(key) as string[]),
  }));
}

const oneOrMany = (values: readonly string[]): string | readonly string[] =>
  values.length === 1 ? values[0]! : values;

/** Many keys of one folder become `photos/cats/*`, and many folders `photos/*`: the deepest first. */
function collapsed(resources: readonly string[]): string[] {
  if (resources.includes("*")) return ["*"];
  let left = [...resources];
  for (let depth = Math.max(...left.map((one) => parts(one).length)) - 1; depth > 0; depth--)
    left = atDepth(left, depth);
  return left.sort();
}

function atDepth(resources: readonly string[], depth: number): string[] {
  const below = Map.groupBy(resources, (resource) => parts(resource).slice(0, depth).join("/"));
  return [...below].flatMap(([folder, all]) => {
    const beneath = all.filter((one) => parts(one).length > depth);
    const beside = beneath.filter((one) => parts(one).length === depth + 1);
    const limit = folder.startsWith("arn:aws:s3:") ? MAX_KEYS_BESIDE : MAX_BENEATH;
    if (beside.length <= limit && beneath.length <= MAX_BENEATH) return all;
    return [...all.filter((one) => !beneath.includes(one)), `${folder}/*`];
  });
}

/** `arn:aws:s3:::photos`, `cats`, `1.jpg`. A pattern stands for its folder; a name without a slash has none. */
const parts = (resource: string): string[] => resource.replace(/\/\*$/, "").split("/");

function packed(statements: readonly Statement[]): Document[] {
  const documents: Statement[][] = [];
  for (const statement of statements.flatMap(fitting)) {
    const last = documents.at(-1);
    if (last && lengthOf([...last, statement]) <= MAX_POLICY_CHARACTERS) last.push(statement);
    else documents.push([statement]);
  }
  return documents.map(documentOf);
}

/** A statement too long for a policy, in halves. */
function fitting(statement: Statement): Statement[] {
  if (lengthOf([statement]) <= MAX_POLICY_CHARACTERS) return [statement];
  const member = typeof statement.Resource === "string" ? "Action" : "Resource";
  const values = statement[member] as readonly string[];
  const half = Math.ceil(values.length / 2);
  const halves = [values.slice(0, half), values.slice(half)];
  return halves.flatMap((some) => fitting({ ...statement, [member]: oneOrMany(some) }));
}

const documentOf = (Statement: readonly Statement[]): Document => ({ Version: "2012-10-17", Statement });

const lengthOf = (statements: readonly Statement[]): number =>
  JSON.stringify(documentOf(statements)).replace(/\s/g, "").length;
