// What would allow what was denied: the smallest policy, where it belongs, and the commands that put it there.
import { hash } from "node:crypto";
import { parseArn } from "../kernel/names.ts";
import { named } from "./names.ts";
import type { Asked } from "./record.ts";

export interface Document {
  readonly Version: "2012-10-17";
  readonly Statement: readonly Statement[];
}

export interface Statement {
  readonly Effect: "Allow";
  readonly Principal?: "*" | Readonly<Record<string, string>>;
  readonly Action: string | readonly string[];
  readonly Resource?: string | readonly string[];
  readonly Condition?: Readonly<Record<string, Readonly<Record<string, string>>>>;
}

export interface Remedy {
  /** One sentence. */
  readonly say: string;
  readonly policy?: Document;
  /** For the aws CLI; the policy is in policy.json. */
  readonly commands: readonly string[];
}

/** undefined: it was allowed. */
export function remedyOf(asked: Asked): Remedy | undefined {
  if (asked.allowed) return undefined;
  if (asked.explicit) return undo(asked);
  return (REMEDIES[asked.by] ?? REMEDIES["identity-based policy"]!)(asked);
}

function undo({ statements }: Asked): Remedy {
  const deny = statements.find(({ decides }) => decides);
  const which = deny ? `statement ${deny.statement} of ${deny.policy}` : "a statement";
  return {
    say: `${which} says Deny, and no Allow outweighs that: change that statement, or take it away`,
    commands: [],
  };
}

const FILE = "file://policy.json";

const REMEDIES: Readonly<Record<string, (asked: Asked) => Remedy>> = {
  "identity-based policy": (asked) => {
    const holder = named(asked.holder ?? asked.principal);
    const type = holder.kind === "role" || holder.kind === "session" ? "role" : "user";
    // Of the resource, too: a second one must not replace the first.
    const name = `allow-${asked.action.replace(":", "-")}-${hash("sha256", asked.resource).slice(0, 6)}`;
    return {
      say: `no policy of ${type} ${holder.name} allows ${asked.action} on ${asked.resource}; this one would`,
      policy: documentOf(allow(asked)),
      commands: [
        `aws iam put-${type}-policy --${type}-name ${holder.name} --policy-name ${name} --policy-document ${FILE}`,
      ],
    };
  },
  "permissions boundary": (asked) => {
    const { kind, name } = named(asked.holder ?? asked.principal);
    const type = kind === "user" || kind === "federated" ? "user" : "role";
    const noun = type === "user" ? "User" : "Role";
    return {
      say: `the permissions boundary of ${type} ${name} does not allow it, and nothing beyond a boundary is allowed: it needs this statement`,
      policy: documentOf(allow(asked)),
      commands: [
        `aws iam get-${type} --${type}-name ${name} --query ${noun}.PermissionsBoundary`,
        "aws iam create-policy-version --policy-arn THE-BOUNDARY --set-as-default --policy-document file://boundary.json",
      ],
    };
  },
  "session policy": (asked) => ({
    say: "the session was given a session policy, and nothing beyond it is allowed: take a new session, with a policy that has this statement",
    policy: documentOf(allow(asked)),
    commands: [],
  }),
  "service control policy": (asked) => {
    const { account } = named(asked.principal);
    return {
      say: `a service control policy at each level above account ${account} must allow it, and at one of them none does: it needs this statement`,
      policy: documentOf(allow(asked)),
      commands: [`aws organizations list-policies-for-target --filter SERVICE_CONTROL_POLICY --target-id ${account}`],
    };
  },
  "role trust policy": (asked) => {
    const role = named(asked.resource).name;
    const { Resource: _, ...statement } = allow(asked);
    return {
      say: `the trust policy of role ${role} says who may have it, and not that ${asked.principal} may: it needs this statement`,
      policy: documentOf({ ...statement, ...principalOf(asked) }),
      commands: [`aws iam update-assume-role-policy --role-name ${role} --policy-document ${FILE}`],
    };
  },
  "resource-based policy": (asked) => ({
    say: `only the policy of ${asked.resource} can allow it to ${asked.principal}${beyond(asked)}: it needs this statement`,
    policy: documentOf({ ...allow(asked), ...principalOf(asked) }),
    commands: commandsFor(asked),
  }),
};

const documentOf = (statement: Statement): Document => ({ Version: "2012-10-17", Statement: [statement] });

const allow = ({ action, resource }: Asked): Statement => ({
  Effect: "Allow",
  Action: action,
  Resource: literal(resource),
});

/** In a policy `*`, `?` and `${` of an object's key are written as variables; no other ARN has them but to say "all". */
export const literal = (resource: string): string =>
  /^arn:aws:s3:::[^/]+\//.test(resource) ? resource.replace(/[*?]|\$(?=\{)/g, (one) => `\${${one}}`) : resource;

const beyond = ({ principal }: Asked): string =>
  named(principal).kind === "other" ? "" : ", who is of another account";

function principalOf({ principal, holder, source, by }: Asked): Pick<Statement, "Principal" | "Condition"> {
  if (principal === "anonymous") return { Principal: "*" };
  if (named(principal).kind !== "other") return { Principal: { AWS: holder ?? principal } };
  if (by === "role trust policy" && !principal.endsWith(".amazonaws.com"))
    return { Principal: { Federated: principal } };
  const from = source === undefined ? {} : { Condition: { ArnEquals: { "aws:SourceArn": source } } };
  return { Principal: { Service: principal }, ...from };
}

function commandsFor(asked: Asked): string[] {
  const arn = parseArn(asked.resource);
  const first = arn?.resource.split(/[:/]/) ?? [];
  switch (arn?.service) {
    case "s3":
      return [`aws s3api put-bucket-policy --bucket ${first[0]} --policy ${FILE}`];
    case "lambda":
      return [addPermission(asked, first)];
    case "sqs":
      return [
        `aws sqs set-queue-attributes --queue-url "$(aws sqs get-queue-url --queue-name ${first[0]} --query QueueUrl --output text)" --attributes "$(jq -n --rawfile policy policy.json '{Policy: $policy}')"`,
      ];
    case "dynamodb":
      return [`aws dynamodb put-resource-policy --resource-arn ${asked.resource} --policy ${FILE}`];
    case "sns":
      return [
        `aws sns set-topic-attributes --topic-arn ${asked.resource} --attribute-name Policy --attribute-value ${FILE}`,
      ];
    default:
      return [];
  }
}

/** Lambda's policies are made of permissions, never put as JSON. */
function addPermission({ action, principal, source, holder }: Asked, [, name, qualifier]: string[]): string {
  const who = principal === "anonymous" ? '"*"' : (holder ?? principal);
  const more = [
    ...(qualifier === undefined ? [] : [`--qualifier ${qualifier}`]),
    ...(source === undefined ? [] : [`--source-arn ${source}`]),
  ];
  return [
    "aws lambda add-permission",
    `--function-name ${name}`,
    "--statement-id allow",
    `--action ${action}`,
    `--principal ${who}`,
    ...more,
  ].join(" ");
}
