// Trust policies: who may act as a role. Users and roles in them are kept by unique id, as AWS keeps them: whoever is made again under the same name is
// another one, and a policy shows the id of one who is gone.
// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_principal.html
import { isDeepStrictEqual } from "node:util";
import { type Arn, type Params, parseArn, type Tx, trustPolicyFault } from "../../kernel/mod.ts";
import { errors } from "./errors.ts";
import { keyOf } from "./tables.ts";

/** Characters without white space. https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html */
const TRUST_LIMIT = 2048;

export interface Trust {
  /** As it was given. */
  readonly trust: string;
  /** With unique ids; null where it names no user and no role. */
  readonly trust_bound: string | null;
}

/** Throws MalformedPolicyDocument or LimitExceeded. */
export function checkedTrust(document: string): string {
  const fault = trustPolicyFault(document);
  if (fault) throw errors.malformed(fault);
  if (document.replace(/\s/g, "").length > TRUST_LIMIT) throw errors.quota("ACLSizePerRole", TRUST_LIMIT);
  return document;
}

/** Throws MalformedPolicyDocument where it names a user or role that does not exist. */
export async function bindTrust(tx: Tx, document: string): Promise<Trust> {
  const policy = JSON.parse(document) as TrustJson;
  const named = [...new Set(awsPrincipals(policy))].filter((value) => entityOf(value) || ID.test(value));
  const found = await entities(tx, named);
  const ids = new Map<string, string>();
  for (const value of named) {
    const entity = found.find(({ id, arn }) => id === value || arn === value);
    if (!entity) throw errors.malformed(`Invalid principal in policy: "AWS":"${value}"`);
    // A session keeps its own ARN: only its role must be there.
    if (!value.startsWith("arn:aws:sts:")) ids.set(value, entity.id);
  }
  return { trust: document, trust_bound: ids.size > 0 ? JSON.stringify(substitute(policy, ids)) : null };
}

/** Trust policies as they are shown now, in the same order. */
export async function shownTrusts(tx: Tx, trusts: readonly Trust[]): Promise<string[]> {
  const bound = trusts.map(({ trust_bound }) =>
    trust_bound === null ? undefined : (JSON.parse(trust_bound) as TrustJson),
  );
  const ids = bound.flatMap((policy) => (policy ? awsPrincipals(policy) : [])).filter((value) => ID.test(value));
  const arns = new Map((await entities(tx, [...new Set(ids)])).map(({ id, arn }) => [id, arn]));
  return trusts.map(({ trust }, at) => {
    const policy = bound[at];
    if (!policy) return trust;
    const now = substitute(policy, arns);
    return isDeepStrictEqual(now, JSON.parse(trust)) ? trust : JSON.stringify(now);
  });
}

const ID = /^A(IDA|ROA)[A-Z0-9]+$/;

interface TrustJson {
  readonly Statement: Statement | readonly Statement[];
}
interface Statement {
  readonly Principal?: "*" | Readonly<Record<string, string | readonly string[]>>;
}

const list = <T>(value: T | readonly T[] | undefined): readonly T[] =>
  value === undefined ? [] : Array.isArray(value) ? (value as readonly T[]) : [value as T];

const awsPrincipals = ({ Statement }: TrustJson): string[] =>
  list(Statement).flatMap(({ Principal }) => (typeof Principal === "object" ? [...list(Principal.AWS)] : []));

function substitute(policy: TrustJson, values: ReadonlyMap<string, string>): TrustJson {
  const one = (value: string) => values.get(value) ?? value;
  const statement = (given: Statement): Statement => {
    const { Principal } = given;
    if (typeof Principal !== "object" || Principal.AWS === undefined) return given;
    const AWS = typeof Principal.AWS === "string" ? one(Principal.AWS) : Principal.AWS.map(one);
    return { ...given, Principal: { ...Principal, AWS } };
  };
  const { Statement } = policy;
  return {
    ...policy,
    Statement: Array.isArray(Statement) ? Statement.map(statement) : statement(Statement as Statement),
  };
}

interface Named {
  readonly kind: "user" | "role";
  readonly account: string;
  readonly name: string;
}

/** The user or role that an ARN names, or whose session. */
function entityOf(arn: Arn): Named | undefined {
  const { service, account = "", resource = "" } = parseArn(arn) ?? {};
  const [type, ...rest] = resource.split("/");
  if (service === "sts" && type === "assumed-role") return { kind: "role", account, name: rest[0]! };
  if (service !== "iam" || (type !== "user" && type !== "role")) return undefined;
  return { kind: type, account, name: rest.at(-1)! };
}

interface Entity {
  readonly id: string;
  /** As it was asked for, where it was by ARN. */
  readonly arn: Arn;
}

/** Those of `values` (ARNs, unique ids) that exist. One statement for each kind. */
async function entities(tx: Tx, values: readonly string[]): Promise<Entity[]> {
  const found: Entity[] = [];
  for (const kind of ["user", "role"] as const) {
    const params: Record<string, string> = {};
    const terms = values.flatMap((value, at) => {
      const named = entityOf(value);
      if (!named) params[`id${at}`] = value;
      if (!named) return [`id = :id${at}`];
      if (named.kind !== kind) return [];
      params[`account${at}`] = named.account;
      params[`key${at}`] = keyOf(named.name);
      return [`(account = :account${at} AND ${kind}_key = :key${at})`];
    });
    if (terms.length === 0) continue;
    const rows = await tx.all<{ id: string; account: string; name: string; path: string }>(
      `SELECT id, account, name, path FROM iam_${kind} WHERE ${terms.join(" OR ")}`,
      params satisfies Params,
    );
    for (const { id, account, name, path } of rows) {
      const arn = `arn:aws:iam::${account}:${kind}${path}${name}`;
      const sessions = values.filter((value) => value.startsWith(`arn:aws:sts::${account}:assumed-role/${name}/`));
      found.push({ id, arn }, ...(kind === "role" ? sessions.map((session) => ({ id, arn: session })) : []));
    }
  }
  return found;
}
