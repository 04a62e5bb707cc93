// What IAM refuses of a policy when it is put, as the sentence of its MalformedPolicyDocument; undefined where all is well.
// For the policies of users, groups and roles, boundaries, session policies, and service control policies.
import {
  asList,
  conditionKeys,
  hasRepeatedSid,
  isShaped,
  type Json,
  parsePolicy,
  unknownElement,
  VERSIONS,
} from "./grammar.ts";

const SYNTAX = "Syntax errors in policy.";

/** `managed`: a policy of its own, which must be of Version 2012-10-17. A service control policy must, too. */
export function identityPolicyFault(text: string, { managed = false } = {}): string | undefined {
  const json = parsePolicy(text);
  if (!json || unknownElement(json) !== undefined) return SYNTAX;
  if (json.Id !== undefined && typeof json.Id !== "string") return SYNTAX;
  if (json.Version !== undefined && !VERSIONS.includes(json.Version as string)) return SYNTAX;
  const statements = asList(json.Statement);
  if (statements.length === 0 || !statements.every(isShaped)) return SYNTAX;
  if (managed && json.Version !== "2012-10-17") return "Policy document must be version 2012-10-17 or greater.";
  for (const statement of statements as Json[]) {
    const fault = statementFault(statement);
    if (fault) return fault;
  }
  if ((statements as Json[]).some(({ Sid }) => !/^[0-9A-Za-z]*$/.test(String(Sid ?? ""))))
    return "Statement IDs (SID) must be alpha-numeric. Check that your input satisfies the regular expression [0-9A-Za-z]*";
  return hasRepeatedSid(statements as Json[]) ? "Statement IDs (SID) in a single policy must be unique." : undefined;
}

function statementFault(statement: Json): string | undefined {
  if (statement.Principal !== undefined || statement.NotPrincipal !== undefined)
    return "Policy document should not specify a principal.";
  const actions = asList(statement.Action ?? statement.NotAction) as string[];
  if (actions.length === 0) return "Policy statement must contain actions.";
  const resources = asList(statement.Resource ?? statement.NotResource) as string[];
  const faults = [
    ...actions.map(actionFault),
    ...(resources.length === 0 ? ["Policy statement must contain resources."] : resources.map(resourceFault)),
    ...conditionKeys(statement).map((key) => (key.includes(":") ? undefined : NO_VENDOR)),
  ];
  return faults.find((fault) => fault !== undefined);
}

const NO_VENDOR = "Actions/Conditions must be prefaced by a vendor, e.g., iam, sdb, ec2, etc.";

function actionFault(action: string): string | undefined {
  if (action === "*") return undefined;
  const [vendor, ...names] = action.split(":") as [string, ...string[]];
  if (names.length === 0) return NO_VENDOR;
  if (names.length > 1) return "Actions/Condition can contain only one colon.";
  return /^[A-Za-z0-9.-]+$/.test(vendor) ? undefined : `Vendor ${vendor} is not valid`;
}

const LEGACY = "The policy failed legacy parsing";
const IAM_PATHS =
  "user/, federated-user/, role/, group/, instance-profile/, mfa/, server-certificate/, policy/, sms-mfa/, saml-provider/, oidc-provider/, report/, access-report/";

/** The first four parts are names, but for a star for a whole part; variables stand in the last part only. */
function resourceFault(resource: string): string | undefined {
  if (resource === "*") return undefined;
  if (!resource.startsWith("arn:")) return `Resource ${resource} must be in ARN format or "*".`;
  const [, partition, vendor, region, account, ...rest] = resource.split(":") as [string, ...string[]];
  if (partition !== "aws" && partition !== "*")
    return `Partition "${partition}" is not valid for resource "${resource}".`;
  if (vendor === undefined || !/^[A-Za-z0-9.-]+$/.test(vendor))
    return vendor === "" ? LEGACY : "Resource vendor must be fully qualified and cannot contain regexes.";
  if (region === undefined || rest.length === 0 || !/^(aws|[\d*?]*)$/.test(account!)) return LEGACY;
  if (vendor === "s3" && region !== "" && account === "")
    return `Resource ${resource} can not contain region information.`;
  if (vendor !== "iam") return undefined;
  if (region !== "") return `IAM resource ${resource} cannot contain region information.`;
  const path = rest.join(":");
  return path === "*" || path === "root" || IAM_PATHS.split(", ").some((start) => path.startsWith(start))
    ? undefined
    : `IAM resource path must either be "*", root, or start with ${IAM_PATHS}.`;
}
