// The role that SAM makes for a function that names none, with its policies.
import { field, fieldsOf, itemsOf, type Node, node, type Plain, TemplateError } from "./node.ts";
import { CREATED_BY, need, pathOf } from "./sam-make.ts";
import { policyTemplates } from "./sam-policies.ts";
import { discardStatements, sourcePolicies } from "./sam-sources.ts";
import { convert, record } from "./shape.ts";
import type { Resource } from "./template.ts";

const BASIC_EXECUTION = "arn:aws:iam::aws:policy/service-role/AWSLambdaBasicExecutionRole";

export function roleOf(resource: Resource) {
  const { id, line, properties } = resource;
  const managed: (string | Node)[] = [BASIC_EXECUTION, ...sourcePolicies(field(properties, "Events"))];
  const inline: { PolicyName: string; PolicyDocument: Plain | Node }[] = [];
  itemsOf(field(properties, "Policies")).forEach((policy, i) => {
    const path = `${pathOf(resource)}.Policies[${i}]`;
    if (policy.kind === "scalar") managed.push(managedPolicyArn(policy.text));
    else if (policy.kind === "call") managed.push(policy);
    else inline.push({ PolicyName: `${id}RolePolicy${i}`, PolicyDocument: documentOf(policy, path) });
  });
  const dead = field(properties, "DeadLetterQueue");
  if (dead) inline.push({ PolicyName: `${id}RolePolicyDeadLetter`, PolicyDocument: sendPolicy(resource, dead) });
  const destinations = destinationStatements(resource);
  if (destinations.length > 0)
    inline.push({
      PolicyName: `${id}EventInvokeConfigPolicy`,
      PolicyDocument: { Version: "2012-10-17", Statement: destinations },
    });
  const discards = discardStatements(resource);
  if (discards.length > 0)
    inline.push({
      PolicyName: `${id}EventSourcePolicy`,
      PolicyDocument: { Version: "2012-10-17", Statement: discards },
    });
  return {
    AssumeRolePolicyDocument: {
      Version: "2012-10-17",
      Statement: [{ Action: ["sts:AssumeRole"], Effect: "Allow", Principal: { Service: ["lambda.amazonaws.com"] } }],
    },
    ManagedPolicyArns: managed,
    Policies: inline,
    Tags: [CREATED_BY],
    Description: node(line, `Role of the function ${id}, made by aws-like as SAM makes it`),
  };
}

/** SAM takes names of AWS's managed policies: those of Lambda lie under service-role/. */
function managedPolicyArn(name: string): string {
  if (name.startsWith("arn:")) return name;
  const service = /^(AWSLambda\w*(ExecutionRole|Role)|AWSLambdaRole)$/.test(name) && name !== "AWSLambdaExecute";
  return `arn:aws:iam::aws:policy/${service ? "service-role/" : ""}${name}`;
}

/** A document, a single statement, or one of SAM's policy templates: `DynamoDBWritePolicy: { TableName: ... }`. */
function documentOf(policy: Node, path: string): Node {
  if (policy.kind !== "fields") throw new TemplateError(policy.line, path, "here belongs a policy");
  if (policy.fields.has("Statement")) return policy;
  const [only] = policy.fields;
  const template = only && policyTemplates[only[0]];
  if (!template)
    throw new TemplateError(
      policy.line,
      only ? `${path}.${only[0]}` : path,
      "aws-like does not understand this policy",
    );
  const [name, parameters] = only;
  const { parameter, statement } = template;
  convert(record({ [parameter]: "text" }, [parameter]), parameters, `${path}.${name}`);
  return node(policy.line, {
    Version: "2012-10-17",
    Statement: [statement(need(parameters, parameter, `${path}.${name}`))],
  });
}

const DESTINATION_ACTIONS: Readonly<Record<string, string>> = {
  SQS: "sqs:SendMessage",
  SNS: "sns:Publish",
  Lambda: "lambda:InvokeFunction",
  EventBridge: "events:PutEvents",
};

function destinationStatements({ id, properties }: Resource): Plain[] {
  const config = field(field(properties, "EventInvokeConfig"), "DestinationConfig");
  return fieldsOf(config).map(([name, one]) => {
    const type = field(one, "Type");
    const action = type?.kind === "scalar" ? DESTINATION_ACTIONS[type.text] : undefined;
    const arn = field(one, "Destination");
    if (!action || !arn)
      throw new TemplateError(
        one.line,
        `Resources.${id}.Properties.EventInvokeConfig.DestinationConfig.${name}`,
        "a destination has a Type (SQS, SNS, Lambda, EventBridge) and a Destination",
      );
    return { Action: action, Effect: "Allow", Resource: arn } as Plain;
  });
}

function sendPolicy(resource: Resource, dead: Node): Plain {
  const type = need(dead, "Type", `${pathOf(resource)}.DeadLetterQueue`);
  const actions: Readonly<Record<string, string>> = { SQS: "sqs:SendMessage", SNS: "sns:Publish" };
  const action = type.kind === "scalar" ? actions[type.text] : undefined;
  if (!action) throw new TemplateError(type.line, `${pathOf(resource)}.DeadLetterQueue.Type`, "it is SQS or SNS");
  return {
    Version: "2012-10-17",
    Statement: [{ Action: action, Effect: "Allow", Resource: field(dead, "TargetArn") }],
  } as Plain;
}
