// What DynamoDB demands of a resource policy when it is put, in its words (seen on AWS, 2026-10).
import { loadModel, resourcePolicyFault } from "../../kernel/mod.ts";
import { errors } from "./errors.ts";

/** White space counts. */
const MOST_BYTES = 20_480;

/** Actions that are no operations. */
const FURTHER = ["ConditionCheckItem", "PartiQLDelete", "PartiQLInsert", "PartiQLSelect", "PartiQLUpdate"];

/** Streams have policies of their own: their actions are none of a table's. */
const OF_STREAMS = [
  ...["DescribeStream", "GetRecords", "GetShardIterator"],
  ...["PutResourcePolicy", "GetResourcePolicy", "DeleteResourcePolicy"],
];

type Holder = "table" | "stream";
type Json = Readonly<Record<string, unknown>>;

/** The policy without its white space. */
export function checkPolicy(text: string, holder: Holder = "table"): string {
  if (Buffer.byteLength(text) > MOST_BYTES) throw errors.invalid(`Maximum policy size of ${MOST_BYTES} bytes exceeded`);
  const fault = faultOf(text, holder);
  if (fault) throw errors.invalid(`Invalid policy document: ${fault}`);
  const json = JSON.parse(text) as Json;
  if (listOf(json.Statement).some((statement) => isUnbounded(statement as Json)))
    throw errors.validation(
      "Resource-based policy grants unbounded access in one or more elements. Please revise the policy to ensure least-privilege form of access",
    );
  return JSON.stringify(json);
}

function faultOf(text: string, holder: Holder): string | undefined {
  const json = parse(text);
  if (!isObject(json)) return "This policy contains invalid Json";
  const statements = listOf(json.Statement);
  if (statements.length === 0) return "Could not parse the policy: Statement is empty!";
  const fault = resourcePolicyFault(text);
  if (fault) return fault;
  const sids = (statements as Json[]).flatMap(({ Sid }) => (Sid === undefined ? [] : [Sid]));
  if (new Set(sids).size < sids.length) return "The Statement Ids in the policy are not unique";
  if ((statements as Json[]).some(({ Resource, NotResource }) => Resource === undefined && NotResource === undefined))
    return "Missing required field Resource";
  const unknown = (statements as Json[])
    .flatMap(({ Action, NotAction }) => listOf(Action ?? NotAction).map(String))
    .filter((action) => !isAction(action, holder));
  if (unknown.length > 0)
    return `The following action names are invalid: ${unknown.map((action) => `"${action}"`).join(", ")}`;
  return undefined;
}

const model = loadModel(import.meta.url);

function isAction(text: string, holder: Holder): boolean {
  if (text === "*") return true;
  const name = /^dynamodb:(.+)$/i.exec(text)?.[1];
  if (name === undefined) return false;
  const pattern = new RegExp(
    `^${name
      .replaceAll(/[.+^${}()|[\]\\]/g, "\\$&")
      .replaceAll("*", ".*")
      .replaceAll("?", ".")}$`,
    "i",
  );
  const actions = holder === "stream" ? OF_STREAMS : [...Object.keys(model().operations), ...FURTHER];
  return actions.some((action) => pattern.test(action));
}

/** Everyone, unconditionally: DynamoDB lets no table be public. */
function isUnbounded({ Effect, Principal, Condition }: Json): boolean {
  const everyone = Principal === "*" || (isObject(Principal) && listOf(Principal.AWS).includes("*"));
  return Effect === "Allow" && everyone && (!isObject(Condition) || Object.keys(Condition).length === 0);
}

/** Whether two policies differ in nothing but white space, the order of members, a value in or out of a list, an account by number or by ARN. */
export const sameMeaning = (a: string, b: string): boolean => canonical(JSON.parse(a)) === canonical(JSON.parse(b));

function canonical(value: unknown, within = ""): string {
  if (Array.isArray(value)) {
    const parts = value.map((one) => canonical(one, within));
    return parts.length === 1 ? parts[0]! : `[${parts.toSorted().join()}]`;
  }
  if (isObject(value)) {
    const members = Object.entries(value).toSorted(([a], [b]) => (a < b ? -1 : 1));
    return `{${members.map(([key, member]) => `${JSON.stringify(key)}:${canonical(member, key)}`).join()}}`;
  }
  const account = within === "AWS" ? /^\d{12}$/.exec(String(value))?.[0] : undefined;
  return JSON.stringify(account ? `arn:aws:iam::${account}:root` : value);
}

const isObject = (value: unknown): value is Json =>
  typeof value === "object" && value !== null && !Array.isArray(value);

const listOf = (value: unknown): unknown[] => (Array.isArray(value) ? value : value === undefined ? [] : [value]);

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
    return undefined;
  }
}
