// The grammar that IAM demands of a policy when it is put, as the sentence of its MalformedPolicyDocument; undefined where all is well.
// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_grammar.html
import { readOperator } from "./condition.ts";

type Json = Record<string, unknown>;

const SYNTAX = "Syntax errors in policy.";
const VERSIONS = ["2008-10-17", "2012-10-17"];
const STATEMENT = ["Sid", "Effect", "Action", "NotAction", "Resource", "NotResource", "Condition"];
const PRINCIPALS = ["Principal", "NotPrincipal"];

/** `managed`: a policy of its own, which must be of Version 2012-10-17. */
export function identityPolicyFault(text: string, { managed = false } = {}): string | undefined {
  const json = parse(text);
  if (!isObject(json) || hasOther(json, ["Version", "Id", "Statement"])) return SYNTAX;
  if (json.Id !== undefined && typeof json.Id !== "string") return SYNTAX;
  if (json.Version !== undefined && !VERSIONS.includes(json.Version as string)) return SYNTAX;
  const statements = asList(json.Statement);
  if (statements.length === 0) return SYNTAX;
  for (const statement of statements) if (!shaped(statement)) return SYNTAX;
  if (managed && json.Version !== "2012-10-17") return "Policy document must be version 2012-10-17 or greater.";
  for (const statement of statements as Json[]) {
    const fault = statementFault(statement);
    if (fault) return fault;
  }
  if ((statements as Json[]).some(({ Sid }) => !/^[0-9A-Za-z]*$/.test(String(Sid ?? ""))))
    return "Statement IDs (SID) must be alpha-numeric. Check that your input satisfies the regular expression [0-9A-Za-z]*";
  return repeatedSid(statements as Json[]) ? "Statement IDs (SID) in a single policy must be unique." : undefined;
}

/** Who may assume a role: principals instead of resources, and nothing but sts actions. */
export function trustPolicyFault(text: string): string | undefined {
  const json = parse(text);
  if (!isObject(json)) return "This policy contains invalid Json";
  if (json.Version !== undefined && !VERSIONS.includes(json.Version as string))
    return "The policy must contain a valid version string";
  const statements = asList(json.Statement);
  if (statements.length === 0) return "Could not parse the policy: Statement is empty!";
  for (const statement of statements) {
    const fault = isObject(statement) ? trustStatementFault(statement) : SYNTAX;
    if (fault) return fault;
  }
  return repeatedSid(statements as Json[]) ? "The Statement Ids in the policy are not unique" : undefined;
}

/** All that a resource policy of any service must be, for a service to put its own words to: undefined, or what is wrong with it. */
export function resourcePolicyFault(text: string): string | undefined {
  const json = parse(text);
  if (!isObject(json)) return "This policy contains invalid Json";
  const statements = asList(json.Statement);
  if (statements.length === 0) return "Missing required field Statement";
  for (const statement of statements) {
    if (!isObject(statement) || !shaped(statement)) return SYNTAX;
    if (statement.Principal === undefined && statement.NotPrincipal === undefined)
      return "Missing required field Principal";
    if (statement.Effect === "Allow" && statement.NotPrincipal !== undefined)
      return "Allow with NotPrincipal is not allowed.";
    if (statement.Action === undefined && statement.NotAction === undefined) return "Missing required field Action";
  }
  return undefined;
}

function statementFault(statement: Json): string | undefined {
  if (PRINCIPALS.some((name) => statement[name] !== undefined))
    return "Policy document should not specify a principal.";
  const actions = asList(statement.Action ?? statement.NotAction) as string[];
  if (actions.length === 0) return "Policy statement must contain actions.";
  for (const action of actions) {
    const fault = actionFault(action);
    if (fault) return fault;
  }
  const resources = asList(statement.Resource ?? statement.NotResource) as string[];
  if (resources.length === 0) return "Policy statement must contain resources.";
  for (const resource of resources) {
    const fault = resourceFault(resource);
    if (fault) return fault;
  }
  return undefined;
}

function actionFault(action: string): string | undefined {
  if (action === "*") return undefined;
  const [vendor, ...names] = action.split(":") as [string, ...string[]];
  if (names.length === 0) return "Actions/Conditions must be prefaced by a vendor, e.g., iam, sdb, ec2, etc.";
  if (names.length > 1) return "Actions/Condition can contain only one colon.";
  return /^[A-Za-z0-9.-]+$/.test(vendor) ? undefined : `Vendor ${vendor} is not valid`;
}

function resourceFault(resource: string): string | undefined {
  if (resource === "*") return undefined;
  if (!resource.includes(":")) return `Resource ${resource} must be in ARN format or "*".`;
  // A variable's own colon, as in ${aws:username}, separates nothing.
  const [head, partition = "", ...rest] = resource.split(/:(?![^{}]*\})/);
  if (head === "arn" && rest.length < 4) return "The policy failed legacy parsing";
  return head === "arn" && /^(aws[a-z-]*|\*|\$\{.*\})$/.test(partition)
    ? undefined
    : `Partition "${partition}" is not valid for resource "${resource}".`;
}

function trustStatementFault(statement: Json): string | undefined {
  const { Effect, Principal, NotPrincipal } = statement;
  if (Effect === undefined) return "Missing required field Effect";
  if (Effect !== "Allow" && Effect !== "Deny") return `Invalid effect: ${Effect}`;
  if (NotPrincipal !== undefined)
    return Effect === "Allow"
      ? "Allow with NotPrincipal is not allowed."
      : "AssumeRole policy must not contain NotPrincipal field.";
  if (statement.Resource !== undefined) return "Has prohibited field Resource";
  if (statement.NotResource !== undefined) return "AssumeRole policy must not contain resources.";
  if (Principal === undefined) return "Missing required field Principal";
  const actions = statement.Action ?? statement.NotAction;
  if (actions === undefined) return "Missing required field Action";
  if (!isStrings(actions)) return SYNTAX;
  if (asList(actions).some((action) => !/^sts:[A-Za-z]/.test(String(action))))
    return "AssumeRole policy may only specify STS AssumeRole actions.";
  return trustPrincipalFault(Principal) ?? (isCondition(statement.Condition) ? undefined : SYNTAX);
}

function trustPrincipalFault(principal: unknown): string | undefined {
  if (principal === "*") return undefined;
  if (!isObject(principal)) return SYNTAX;
  if (Object.keys(principal).length === 0) return "Missing required field Principal cannot be empty!";
  for (const [type, values] of Object.entries(principal)) {
    const form = PRINCIPAL_FORMS[type];
    if (!form) return `Invalid principal in policy: "${type}"`;
    if (!isStrings(values)) return SYNTAX;
    const bad = (asList(values) as string[]).find((value) => !form.test(value));
    if (bad !== undefined) return `Invalid principal in policy: "${type.toUpperCase()}":"${bad}"`;
  }
  return undefined;
}

const PRINCIPAL_FORMS: Readonly<Record<string, RegExp>> = {
  AWS: /^(\*|\d{12}|arn:aws[a-z-]*:(iam|sts)::\d{12}:(root|(user|role|assumed-role|federated-user)\/[^*]+)|A(IDA|ROA)[A-Z0-9]{12,})$/,
  Service: /^[a-z0-9.-]+\.amazonaws\.com$/,
  Federated: /^\S+$/,
};

/** Types only: which elements there may be, and of what kind. */
function shaped(statement: unknown): statement is Json {
  if (!isObject(statement) || hasOther(statement, [...STATEMENT, ...PRINCIPALS])) return false;
  const { Sid, Effect, Action, NotAction, Resource, NotResource, Condition } = statement;
  if (Effect !== "Allow" && Effect !== "Deny") return false;
  if (Sid !== undefined && typeof Sid !== "string") return false;
  if (Action !== undefined && NotAction !== undefined) return false;
  if (Resource !== undefined && NotResource !== undefined) return false;
  const lists = [Action, NotAction, Resource, NotResource];
  return lists.every((value) => value === undefined || isStrings(value)) && isCondition(Condition);
}

function isCondition(condition: unknown): boolean {
  if (condition === undefined) return true;
  if (!isObject(condition)) return false;
  return Object.entries(condition).every(
    ([operator, keys]) =>
      readOperator(operator) !== undefined && isObject(keys) && Object.values(keys).every(isConditionValue),
  );
}

const isConditionValue = (value: unknown): boolean =>
  asList(value).every((one) => ["string", "number", "boolean"].includes(typeof one));

function repeatedSid(statements: readonly Json[]): boolean {
  const sids = statements.map(({ Sid }) => Sid).filter((sid) => sid !== undefined && sid !== "");
  return new Set(sids).size < sids.length;
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    // Not JSON: each caller has its own sentence for it.
    return undefined;
  }
}
const isObject = (value: unknown): value is Json =>
  typeof value === "object" && value !== null && !Array.isArray(value);
const hasOther = (json: Json, names: readonly string[]) => Object.keys(json).some((name) => !names.includes(name));
const isStrings = (value: unknown): boolean => asList(value).every((one) => typeof one === "string");
const asList = (value: unknown): unknown[] => (Array.isArray(value) ? value : value === undefined ? [] : [value]);
