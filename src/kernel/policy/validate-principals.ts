// What is refused of a policy that names principals: a role's trust policy, and the policy of a bucket, a queue, a table, a function.
// The sentences are those of IAM's MalformedPolicyDocument and S3's MalformedPolicy, which share a parser; other services have one sentence of their own.
import {
  asList,
  hasRepeatedSid,
  isCondition,
  isObject,
  isStrings,
  type Json,
  parsePolicy,
  unknownElement,
  unknownOfStatement,
  VERSIONS,
} from "./grammar.ts";
import { compile, matches } from "./pattern.ts";

const SYNTAX = "Syntax errors in policy.";

/** Who may assume a role: principals instead of resources, and nothing but sts actions. */
export function trustPolicyFault(text: string): string | undefined {
  return documentFault(text, trustStatementFault);
}

/** All that a resource policy of any service must be; actions and resources are the service's own to judge. */
export function resourcePolicyFault(text: string): string | undefined {
  return documentFault(text, (statement) => {
    if (statement.NotPrincipal !== undefined && statement.Effect === "Allow")
      return "Allow with NotPrincipal is not allowed.";
    const principal = statement.Principal ?? statement.NotPrincipal;
    if (principal === undefined) return "Missing required field Principal";
    if (principalFault(principal)) return "Invalid principal in policy";
    if (asList(statement.Action ?? statement.NotAction).length === 0) return "Missing required field Action";
    return undefined;
  });
}

function documentFault(text: string, statementFault: (statement: Json) => string | undefined): string | undefined {
  const json = parsePolicy(text);
  if (!json) return "This policy contains invalid Json";
  const unknown = unknownElement(json);
  if (unknown !== undefined) return `Unknown field ${unknown}`;
  if (json.Version !== undefined && !VERSIONS.includes(json.Version as string))
    return "The policy must contain a valid version string";
  if (json.Statement === undefined) return "Missing required field Statement";
  const statements = asList(json.Statement);
  if (statements.length === 0) return "Could not parse the policy: Statement is empty!";
  for (const statement of statements) {
    const fault = isObject(statement) ? (formFault(statement) ?? statementFault(statement)) : SYNTAX;
    if (fault) return fault;
  }
  return hasRepeatedSid(statements as Json[]) ? "The Statement Ids in the policy are not unique" : undefined;
}

function formFault(statement: Json): string | undefined {
  const unknown = unknownOfStatement(statement);
  if (unknown !== undefined) return `Unknown field ${unknown}`;
  const { Sid, Effect, Principal, NotPrincipal, Action, NotAction, Resource, NotResource, Condition } = statement;
  if (Effect === undefined) return "Missing required field Effect";
  if (Effect !== "Allow" && Effect !== "Deny") return `Invalid effect: ${Effect}`;
  const pairs = [
    [Principal, NotPrincipal],
    [Action, NotAction],
    [Resource, NotResource],
  ];
  if (pairs.some(([one, other]) => one !== undefined && other !== undefined)) return SYNTAX;
  if (Sid !== undefined && typeof Sid !== "string") return SYNTAX;
  return isStrings(Action ?? NotAction) && isStrings(Resource ?? NotResource) && isCondition(Condition)
    ? undefined
    : SYNTAX;
}

function trustStatementFault(statement: Json): string | undefined {
  const { Effect, Principal, NotPrincipal } = statement;
  if (NotPrincipal !== undefined)
    return Effect === "Allow"
      ? "Allow with NotPrincipal is not allowed."
      : "AssumeRole policy must not contain NotPrincipal field.";
  if (statement.Resource !== undefined) return "Has prohibited field Resource";
  if (statement.NotResource !== undefined) return "AssumeRole policy must not contain resources.";
  if (Principal === undefined) return "Missing required field Principal";
  const actions = asList(statement.Action ?? statement.NotAction) as string[];
  if (actions.length === 0) return "Missing required field Action";
  if (!actions.every(isTrustAction)) return "AssumeRole policy may only specify STS AssumeRole actions.";
  return principalFault(Principal);
}

// https://docs.aws.amazon.com/service-authorization/latest/reference/list_awssecuritytokenservice.html
const TRUST_ACTIONS = [
  "sts:assumerole",
  "sts:assumerolewithsaml",
  "sts:assumerolewithwebidentity",
  "sts:setcontext",
  "sts:setsourceidentity",
  "sts:tagsession",
];

const NO_KEYS = { keys: new Map<string, string[]>() };

/** One of them, or a pattern of their names: a star alone is none. */
function isTrustAction(action: string): boolean {
  const pattern = compile(action.toLowerCase(), { variables: false });
  return /^sts:[a-z]/i.test(action) && TRUST_ACTIONS.some((one) => matches(pattern, one, NO_KEYS));
}

function principalFault(principal: unknown): string | undefined {
  if (principal === "*") return undefined;
  if (!isObject(principal)) return SYNTAX;
  if (Object.keys(principal).length === 0) return "Missing required field Principal cannot be empty!";
  for (const [type, values] of Object.entries(principal)) {
    const form = PRINCIPAL_FORMS.get(type);
    if (!form) return `Invalid principal in policy: "${type}"`;
    if (!isStrings(values)) return SYNTAX;
    const bad = (asList(values) as string[]).find((value) => !form.test(value));
    if (bad === undefined) continue;
    return type === "Federated"
      ? "Federated principals must be valid domain names or SAML metadata ARNs"
      : `Invalid principal in policy: "${type.toUpperCase()}":"${bad}"`;
  }
  return undefined;
}

const PRINCIPAL_FORMS: ReadonlyMap<string, RegExp> = new Map(
  Object.entries({
    AWS: /^(\*|\d{12}|arn:aws:(iam|sts)::\d{12}:(root|(user|role|assumed-role|federated-user)\/[^*]+)|arn:aws:iam::cloudfront:user\/[^*]+|A(IDA|ROA)[A-Z0-9]{12,})$/,
    Service: /^[a-z0-9.-]+\.(amazonaws\.com|amazon\.com|aws\.internal)$/,
    Federated: /^(arn:aws:iam::\d{12}:(saml|oidc)-provider\/\S+|[a-z0-9-]+(\.[a-z0-9-]+)+)$/i,
    CanonicalUser: /^[0-9a-f]{64}$/,
  }),
);
