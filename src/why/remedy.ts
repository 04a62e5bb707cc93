// What would allow what was denied: the smallest statements, where each belongs, and the commands that put it there.
import { hash } from "node:crypto";
import { parseArn } from "../kernel/names.ts";
import type { SmallStatement } from "../kernel/policy/missing.ts";
import type { PolicyKind } from "../kernel/policy/policy-set.ts";
import { named } from "./names.ts";
import type { Asked } from "./record.ts";

export interface Document {
  readonly Version: "2012-10-17";
  readonly Statement: readonly Statement[];
}

export interface Statement extends Omit<SmallStatement, "Action" | "Resource"> {
  readonly Action: string | readonly string[];
  readonly Resource?: string | readonly string[];
}

export interface Remedy {
  /** One sentence. */
  readonly say: string;
  readonly policy?: Document;
  /** For the aws CLI, to paste. What replaces a whole policy takes it from policy.json: there belong its other statements, too. */
  readonly commands: readonly string[];
}

/** All of them are needed; none where it was allowed. */
export const remediesOf = (asked: Asked): Remedy[] =>
  asked.missing.map((missing) => {
    if (missing.change === "except")
      return {
        say: `statement ${missing.statement} of ${missing.where} ${missing.policy} says Deny, and no Allow outweighs that: change that statement, or take it away`,
        commands: [],
      };
    const { Resource, ...rest } = missing.statement;
    const statement = { ...rest, ...(Resource !== undefined && { Resource: literal(Resource) }) };
    const { say, commands } = PLACES[missing.where](asked, { statement, among: missing.among ?? [] });
    return { say, policy: documentOf(statement), commands };
  });

const documentOf = (statement: Statement): Document => ({ Version: "2012-10-17", Statement: [statement] });

const FILE = "file://policy.json";

interface Place {
  readonly statement: Statement;
  /** Names or ARNs of the policies that are there, of a limit. */
  readonly among: readonly string[];
}

/** How a statement comes into a policy of this kind. */
const PLACES: Readonly<Record<PolicyKind, (asked: Asked, of: Place) => Omit<Remedy, "policy">>> = {
  "identity-based policy": (asked, { statement }) => {
    const { type, name, account } = holderOf(asked);
    // Of the resource, too: a second one must not replace the first.
    const policy = `allow-${asked.action.replace(":", "-")}-${hash("sha256", asked.resource).slice(0, 6)}`;
    const document = word(JSON.stringify(documentOf(statement)));
    return {
      say: `a policy of ${type} ${name} of account ${account} must allow it`,
      commands: [
        `aws iam put-${type}-policy --${type}-name ${word(name)} --policy-name ${word(policy)} --policy-document ${document}`,
      ],
    };
  },
  "permissions boundary": (asked, { among: [boundary = "?"] }) => {
    const { type, name } = holderOf(asked);
    const another = boundary.startsWith("arn:aws:iam::aws:")
      ? `aws iam put-${type}-permissions-boundary --${type}-name ${word(name)} --permissions-boundary ANOTHER-POLICY`
      : `aws iam create-policy-version --policy-arn ${word(boundary)} --set-as-default --policy-document file://boundary.json`;
    return {
      say: `the permissions boundary of ${type} ${name}, ${boundary}, must allow it, too: it needs this statement besides its own`,
      commands: [another],
    };
  },
  "session policy": () => ({
    say: "the session was given a session policy, and nothing beyond it is allowed: take a new session, with a policy that has this statement",
    commands: [],
  }),
  "service control policy": (asked, { among }) => {
    const { account } = named(asked.principal);
    return {
      say: `at each level from the organization's root to account ${account} a service control policy must allow it, and at one of them none does (there: ${among.join(", ") || "none"})`,
      commands: [
        `aws organizations list-policies-for-target --filter SERVICE_CONTROL_POLICY --target-id ${word(account)}`,
      ],
    };
  },
  "role trust policy": ({ resource, principal }) => {
    const role = named(resource).name;
    return {
      say: `the trust policy of role ${role} says who may have it, and must name ${principal}: it needs this statement besides its own`,
      commands: [`aws iam update-assume-role-policy --role-name ${word(role)} --policy-document ${FILE}`],
    };
  },
  "resource-based policy": (asked, { statement }) => ({
    say: `the policy of ${asked.resource} must allow it to ${asked.principal}${beyond(asked)}: it needs this statement besides its own`,
    commands: commandsFor(asked, statement),
  }),
};

/** As the shell reads it as one word: names in a denied request are the caller's choice, and who reads this pastes it. */
const word = (text: string): string => (/^[\w@%+=:,./-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`);

function holderOf({ holder, principal }: Asked): { type: "user" | "role"; name: string; account: string } {
  const { kind, name, account } = named(holder ?? principal);
  return { type: kind === "role" || kind === "session" ? "role" : "user", name, account };
}

/** In a policy `*`, `?` and `${` of an object's key are written as variables; no other ARN has them but to say "all". */
export const literal = (resource: string): string =>
  /^arn:aws:s3:::[^/]+\//.test(resource) ? resource.replace(/[*?]|\$(?=\{)/g, (one) => `\${${one}}`) : resource;

const beyond = ({ principal }: Asked): string =>
  named(principal).kind === "other" ? "" : ", who is of another account";

function commandsFor(asked: Asked, statement: Statement): string[] {
  const arn = parseArn(asked.resource);
  const first = arn?.resource.split(/[:/]/) ?? [];
  switch (arn?.service) {
    case "s3":
      return [`aws s3api put-bucket-policy --bucket ${word(first[0]!)} --policy ${FILE}`];
    case "lambda":
      return [addPermission(statement, first)];
    case "sqs":
      return [
        `aws sqs set-queue-attributes --queue-url "$(aws sqs get-queue-url --queue-name ${word(first[0]!)} --query QueueUrl --output text)" --attributes "$(jq -n --rawfile policy policy.json '{Policy: $policy}')"`,
      ];
    case "dynamodb":
      return [`aws dynamodb put-resource-policy --resource-arn ${word(asked.resource)} --policy ${FILE}`];
    case "sns":
      return [
        `aws sns set-topic-attributes --topic-arn ${word(asked.resource)} --attribute-name Policy --attribute-value ${FILE}`,
      ];
    default:
      return [];
  }
}

/** Lambda's policies are made of permissions, never put as JSON. */
function addPermission({ Action, Principal, Condition }: Statement, [, name, qualifier]: string[]): string {
  const who = typeof Principal === "object" ? Object.values(Principal)[0]! : "*";
  const source = Condition?.ArnLike?.["aws:SourceArn"];
  const account = Condition?.StringEquals?.["aws:SourceAccount"];
  return [
    "aws lambda add-permission",
    `--function-name ${word(name ?? "")}`,
    ...(qualifier === undefined ? [] : [`--qualifier ${word(qualifier)}`]),
    `--statement-id allow --action ${word(String(Action))} --principal ${word(who)}`,
    ...(source === undefined ? [] : [`--source-arn ${word(source)}`]),
    ...(account === undefined ? [] : [`--source-account ${word(account)}`]),
  ].join(" ");
}
