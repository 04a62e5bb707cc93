// SAM -> CloudFormation, as AWS's own transform makes it: the same logical ids, roles, permissions.
// https://github.com/aws/serverless-application-model/blob/develop/docs/internals/generated_resources.rst
import { call, type Fields, field, fieldsOf, itemsOf, type Node, node, type Plain, TemplateError } from "./node.ts";
import { policyTemplates } from "./policy-templates.ts";
import { convert, listOf, mapOf, record, type Shape } from "./shape.ts";
import { type Resource, type Template, TRANSFORM } from "./template.ts";

const destination = record({ Type: "text", Destination: "text" });

const FUNCTION = record({
  FunctionName: "text",
  Description: "text",
  Runtime: "text",
  Handler: "text",
  CodeUri: "json",
  InlineCode: "text",
  MemorySize: "number",
  Timeout: "number",
  EphemeralStorage: record({ Size: "number" }),
  Environment: record({ Variables: mapOf("text") }),
  Architectures: listOf("text"),
  Role: "text",
  Policies: "json",
  Tags: mapOf("text"),
  DeadLetterQueue: record({ Type: "text", TargetArn: "text" }, ["Type", "TargetArn"]),
  EventInvokeConfig: record({
    MaximumEventAgeInSeconds: "number",
    MaximumRetryAttempts: "number",
    DestinationConfig: record({ OnSuccess: destination, OnFailure: destination }),
  }),
  Events: mapOf(record({ Type: "text", Properties: "json" }, ["Type", "Properties"])),
});

/** What Globals may say of every function: SAM's own list, as far as functions here have it. */
const GLOBAL = record({
  Function: record(
    Object.fromEntries(
      Object.entries(FUNCTION.record).filter(
        ([name]) => !["FunctionName", "Description", "Policies", "Role", "Events"].includes(name),
      ),
    ) as Record<string, Shape>,
  ),
});

const SIMPLE_TABLE = record({
  TableName: "text",
  PrimaryKey: record({ Name: "text", Type: "text" }, ["Name", "Type"]),
  ProvisionedThroughput: record({ ReadCapacityUnits: "number", WriteCapacityUnits: "number" }),
  Tags: mapOf("text"),
});

const S3_EVENT = record({ Bucket: "text", Events: "json", Filter: "json" }, ["Bucket", "Events"]);
const SCHEDULE = record(
  { Schedule: "text", Input: "text", Name: "text", Description: "text", Enabled: "boolean", State: "text" },
  ["Schedule"],
);

/** What SAM makes carries this tag. */
const CREATED_BY = { Key: "lambda:createdBy", Value: "SAM" };

type Resources = Map<string, Resource>;

/** What is expanded stays where it was written; what it brings along comes last. `template`'s resources are reduced: only what speaks of resources is still to be resolved. Throws TemplateError. */
export function expandServerless(template: Template): Resources {
  if (template.globals) convert(GLOBAL, template.globals, "Globals");
  const expanded: Resources = new Map(template.resources);
  for (const resource of template.resources.values()) {
    if (!resource.type.startsWith("AWS::Serverless::")) continue;
    const { line, type, id } = resource;
    const expand = types[type];
    if (!template.serverless || !expand)
      throw new TemplateError(
        line,
        `Resources.${id}`,
        expand ? `${type} needs Transform: ${TRANSFORM}` : `aws-like does not understand the type ${type}`,
      );
    expand(resource, expanded, template);
  }
  return expanded;
}

const types: Readonly<Record<string, (resource: Resource, into: Resources, template: Template) => void>> = {
  "AWS::Serverless::Function": (resource, into, template) => {
    const properties = merge(field(template.globals, "Function"), resource.properties) as Fields;
    convert(FUNCTION, properties, pathOf(resource));
    expandFunction({ ...resource, properties }, into);
  },
  "AWS::Serverless::SimpleTable": (resource, into) => {
    convert(SIMPLE_TABLE, resource.properties, pathOf(resource));
    expandSimpleTable(resource, into);
  },
};

const pathOf = ({ id }: Resource): string => `Resources.${id}.Properties`;

/** A field that must be written out: SAM does not look behind functions here, and no more do we. */
function need(given: Node, name: string, path: string): Node {
  const found = field(given, name);
  if (!found) throw new TemplateError(given.line, path, `${name} is missing`);
  return found;
}

/** Maps are merged, lists are joined, else the function's own wins. */
function merge(global: Node | undefined, own: Node | undefined): Node | undefined {
  if (!global || !own) return own ?? global;
  if (global.kind === "list" && own.kind === "list") return { ...own, items: [...global.items, ...own.items] };
  if (global.kind !== "fields" || own.kind !== "fields") return own;
  const fields = new Map(global.fields);
  for (const [name, one] of own.fields) fields.set(name, merge(fields.get(name), one)!);
  return { ...own, fields };
}

function expandFunction(resource: Resource, into: Resources): void {
  const { id, line, properties } = resource;
  const given = (name: string) => field(properties, name);
  const code = given("CodeUri");
  const inline = given("InlineCode");
  if (!code === !inline) throw new TemplateError(line, pathOf(resource), "a function has CodeUri or InlineCode");
  const role = given("Role");
  const dead = given("DeadLetterQueue");
  if (!role) make(into, resource, { id: `${id}Role`, type: "AWS::IAM::Role", properties: roleOf(resource) });
  const tags = fieldsOf(given("Tags")).map(([Key, Value]) => ({ Key, Value }));
  const same = ["FunctionName", "Description", "Runtime", "Handler", "MemorySize", "Timeout", "EphemeralStorage"];
  make(into, resource, {
    id,
    type: "AWS::Lambda::Function",
    dependsOn: resource.dependsOn,
    properties: {
      ...Object.fromEntries([...same, "Environment", "Architectures"].map((name) => [name, given(name)])),
      Code: inline ? { ZipFile: inline } : codeOf(code!),
      Role: role ?? call(line, "Fn::GetAtt", [`${id}Role`, "Arn"]),
      ...(dead && { DeadLetterConfig: { TargetArn: field(dead, "TargetArn") } }),
      Tags: [...tags, CREATED_BY],
    },
  });
  const invoke = given("EventInvokeConfig");
  if (invoke) make(into, resource, eventInvokeConfig(resource, invoke));
  for (const [name, event] of fieldsOf(given("Events"))) expandEvent({ resource, name, event }, into);
}

/** A path stays a path; SAM's names of S3's place are CloudFormation's with another prefix. */
const codeOf = (code: Node): Node =>
  code.kind !== "fields"
    ? code
    : node(code.line, {
        S3Bucket: field(code, "Bucket"),
        S3Key: field(code, "Key"),
        S3ObjectVersion: field(code, "Version"),
      });

function eventInvokeConfig({ id, line }: Resource, given: Node) {
  const destinations = field(given, "DestinationConfig");
  const to = (name: string) => {
    const one = field(destinations, name);
    return one && { Destination: field(one, "Destination") };
  };
  return {
    id: `${id}EventInvokeConfig`,
    type: "AWS::Lambda::EventInvokeConfig",
    properties: {
      FunctionName: call(line, "Ref", id),
      Qualifier: "$LATEST",
      MaximumEventAgeInSeconds: field(given, "MaximumEventAgeInSeconds"),
      MaximumRetryAttempts: field(given, "MaximumRetryAttempts"),
      ...(destinations && { DestinationConfig: { OnSuccess: to("OnSuccess"), OnFailure: to("OnFailure") } }),
    },
  };
}

const BASIC_EXECUTION = "arn:aws:iam::aws:policy/service-role/AWSLambdaBasicExecutionRole";

function roleOf(resource: Resource) {
  const { id, line, properties } = resource;
  const managed: (string | Node)[] = [BASIC_EXECUTION];
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
  return node(policy.line, { Version: "2012-10-17", Statement: [statement(need(parameters, parameter, `${path}.${name}`))] });
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

interface Event {
  readonly resource: Resource;
  readonly name: string;
  readonly event: Node;
}

function expandEvent({ resource, name, event }: Event, into: Resources): void {
  const path = `${pathOf(resource)}.Events.${name}`;
  const type = need(event, "Type", path);
  const expand = type.kind === "scalar" ? events[type.text] : undefined;
  if (!expand) throw new TemplateError(type.line, `${path}.Type`, "aws-like does not understand this type of event");
  expand({ resource, id: `${resource.id}${name}`, path, given: need(event, "Properties", path) }, into);
}

interface Expanding {
  readonly resource: Resource;
  readonly id: string;
  readonly path: string;
  readonly given: Node;
}

const events: Readonly<Record<string, (expanding: Expanding, into: Resources) => void>> = {
  /** No SourceArn: the bucket depends on the permission, so the permission must not depend on the bucket. */
  S3({ resource, id, path, given }, into) {
    convert(S3_EVENT, given, `${path}.Properties`);
    const { line } = given;
    make(into, resource, {
      id: `${id}Permission`,
      type: "AWS::Lambda::Permission",
      properties: {
        Action: "lambda:InvokeFunction",
        FunctionName: call(line, "Ref", resource.id),
        Principal: "s3.amazonaws.com",
        SourceAccount: call(line, "Ref", "AWS::AccountId"),
      },
    });
    const bucket = need(given, "Bucket", `${path}.Properties`);
    const found = bucket.kind === "call" && bucket.name === "Ref" && bucket.argument.kind === "scalar";
    const target = found ? into.get((bucket.argument as { text: string }).text) : undefined;
    if (target?.type !== "AWS::S3::Bucket")
      throw new TemplateError(bucket.line, `${path}.Properties.Bucket`, "it must be !Ref of a bucket in this template");
    const configurations = itemsOf(field(given, "Events")).map((event) => ({
      Event: event,
      Function: call(line, "Fn::GetAtt", [resource.id, "Arn"]),
      Filter: field(given, "Filter"),
    }));
    const notification = node(line, { NotificationConfiguration: { LambdaConfigurations: configurations } });
    into.set(target.id, {
      ...target,
      properties: merge(target.properties, notification) as Fields,
      dependsOn: [...target.dependsOn, `${id}Permission`],
    });
  },

  Schedule({ resource, id, path, given }, into) {
    convert(SCHEDULE, given, `${path}.Properties`);
    const { line } = given;
    const enabled = field(given, "Enabled");
    const off = enabled?.kind === "scalar" && enabled.text === "false";
    make(into, resource, {
      id,
      type: "AWS::Events::Rule",
      properties: {
        Name: field(given, "Name"),
        Description: field(given, "Description"),
        ScheduleExpression: field(given, "Schedule"),
        State: field(given, "State") ?? (enabled && node(line, off ? "DISABLED" : "ENABLED")),
        Targets: [
          {
            Id: `${id}LambdaTarget`,
            Arn: call(line, "Fn::GetAtt", [resource.id, "Arn"]),
            Input: field(given, "Input"),
          },
        ],
      },
    });
    make(into, resource, {
      id: `${id}Permission`,
      type: "AWS::Lambda::Permission",
      properties: {
        Action: "lambda:InvokeFunction",
        FunctionName: call(line, "Ref", resource.id),
        Principal: "events.amazonaws.com",
        SourceArn: call(line, "Fn::GetAtt", [id, "Arn"]),
      },
    });
  },
};

const KEY_TYPES: Readonly<Record<string, string>> = { String: "S", Number: "N", Binary: "B" };

function expandSimpleTable(resource: Resource, into: Resources): void {
  const { properties } = resource;
  const key = field(properties, "PrimaryKey");
  const typeNode = field(key, "Type");
  const type = KEY_TYPES[typeNode?.kind === "scalar" ? typeNode.text : "String"];
  if (!type)
    throw new TemplateError(typeNode!.line, `${pathOf(resource)}.PrimaryKey.Type`, "it is String, Number or Binary");
  const name = field(key, "Name") ?? "id";
  const throughput = field(properties, "ProvisionedThroughput");
  const tags = field(properties, "Tags");
  make(into, resource, {
    id: resource.id,
    type: "AWS::DynamoDB::Table",
    dependsOn: resource.dependsOn,
    properties: {
      TableName: field(properties, "TableName"),
      AttributeDefinitions: [{ AttributeName: name, AttributeType: type }],
      KeySchema: [{ AttributeName: name, KeyType: "HASH" }],
      ...(throughput ? { ProvisionedThroughput: throughput } : { BillingMode: "PAY_PER_REQUEST" }),
      ...(tags && { Tags: fieldsOf(tags).map(([Key, Value]) => ({ Key, Value })) }),
    },
  });
}

interface New {
  readonly id: string;
  readonly type: string;
  readonly dependsOn?: readonly string[];
  readonly properties: Readonly<Record<string, Parameters<typeof node>[1] | undefined>>;
}

/** A resource that stands where `origin` stands. */
function make(into: Resources, origin: Resource, { id, type, dependsOn = [], properties }: New): void {
  if (id !== origin.id && into.has(id))
    throw new TemplateError(into.get(id)!.line, `Resources.${id}`, `this is the id of what ${origin.id} is made of`);
  const { line, condition, retain, directory } = origin;
  into.set(id, {
    id,
    type,
    line,
    dependsOn,
    condition,
    retain,
    directory,
    properties: node(line, properties as Plain) as Fields,
  });
}
