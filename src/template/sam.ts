// SAM -> CloudFormation, as AWS's own transform makes it: the same logical ids, roles, permissions.
// https://github.com/aws/serverless-application-model/blob/develop/docs/internals/generated_resources.rst
import { urlFields } from "./lambda-url.ts";
import { call, type Fields, field, fieldsOf, type Node, node, TemplateError } from "./node.ts";
import { expandEvent } from "./sam-events.ts";
import { CREATED_BY, make, merge, need, pathOf, type Resources } from "./sam-make.ts";
import { roleOf } from "./sam-role.ts";
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
  LoggingConfig: record({
    LogFormat: "text",
    LogGroup: "text",
    ApplicationLogLevel: "text",
    SystemLogLevel: "text",
  }),
  Architectures: listOf("text"),
  Layers: listOf("text"),
  ReservedConcurrentExecutions: "number",
  Role: "text",
  Policies: "json",
  Tags: mapOf("text"),
  DeadLetterQueue: record({ Type: "text", TargetArn: "text" }, ["Type", "TargetArn"]),
  EventInvokeConfig: record({
    MaximumEventAgeInSeconds: "number",
    MaximumRetryAttempts: "number",
    DestinationConfig: record({ OnSuccess: destination, OnFailure: destination }),
  }),
  FunctionUrlConfig: record(urlFields, ["AuthType"]),
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

const LAYER = record(
  {
    LayerName: "text",
    Description: "text",
    LicenseInfo: "text",
    CompatibleRuntimes: listOf("text"),
    CompatibleArchitectures: listOf("text"),
    ContentUri: "json",
    RetentionPolicy: "text",
  },
  ["ContentUri"],
);

const SIMPLE_TABLE = record({
  TableName: "text",
  PrimaryKey: record({ Name: "text", Type: "text" }, ["Name", "Type"]),
  ProvisionedThroughput: record({ ReadCapacityUnits: "number", WriteCapacityUnits: "number" }),
  Tags: mapOf("text"),
});

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
  "AWS::Serverless::LayerVersion": (resource, into) => {
    convert(LAYER, resource.properties, pathOf(resource));
    expandLayer(resource, into);
  },
  "AWS::Serverless::SimpleTable": (resource, into) => {
    convert(SIMPLE_TABLE, resource.properties, pathOf(resource));
    expandSimpleTable(resource, into);
  },
};

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
  same.push("Environment", "Architectures", "LoggingConfig", "Layers", "ReservedConcurrentExecutions");
  make(into, resource, {
    id,
    type: "AWS::Lambda::Function",
    dependsOn: resource.dependsOn,
    properties: {
      ...Object.fromEntries(same.map((name) => [name, given(name)])),
      Code: inline ? { ZipFile: inline } : codeOf(code!),
      Role: role ?? call(line, "Fn::GetAtt", [`${id}Role`, "Arn"]),
      ...(dead && { DeadLetterConfig: { TargetArn: field(dead, "TargetArn") } }),
      Tags: [...tags, CREATED_BY],
    },
  });
  const invoke = given("EventInvokeConfig");
  if (invoke) make(into, resource, eventInvokeConfig(resource, invoke));
  const url = given("FunctionUrlConfig");
  if (url) expandUrl(resource, url, into);
  for (const [name, event] of fieldsOf(given("Events"))) expandEvent({ resource, name, event }, into);
}

/** Called like its logical id, where it has no name; SAM adds a hash to that id, here it stays. A version that is replaced is retained, as SAM does unless told otherwise. */
function expandLayer(resource: Resource, into: Resources): void {
  const { id, properties } = resource;
  const given = (name: string) => field(properties, name);
  const policy = given("RetentionPolicy");
  if (policy && !(policy.kind === "scalar" && policy.text.toLowerCase() === "retain"))
    throw new TemplateError(policy.line, `${pathOf(resource)}.RetentionPolicy`, "aws-like retains layers: Retain");
  const same = ["Description", "LicenseInfo", "CompatibleRuntimes", "CompatibleArchitectures"];
  make(into, resource, {
    id,
    type: "AWS::Lambda::LayerVersion",
    dependsOn: resource.dependsOn,
    properties: {
      ...Object.fromEntries(same.map((name) => [name, given(name)])),
      LayerName: given("LayerName") ?? id,
      Content: codeOf(need(properties, "ContentUri", pathOf(resource))),
    },
  });
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

/** Whether everybody may must be known while the template is expanded, so AuthType is written out. */
function expandUrl(resource: Resource, given: Node, into: Resources): void {
  const { id, line } = resource;
  const FunctionName = call(line, "Ref", id);
  const authType = need(given, "AuthType", `${pathOf(resource)}.FunctionUrlConfig`);
  const said = Object.fromEntries(Object.keys(urlFields).map((name) => [name, field(given, name)]));
  make(into, resource, {
    id: `${id}Url`,
    type: "AWS::Lambda::Url",
    properties: { ...said, TargetFunctionArn: FunctionName },
  });
  if (authType.kind !== "scalar" || authType.text !== "NONE") return;
  make(into, resource, {
    id: `${id}UrlPublicPermissions`,
    type: "AWS::Lambda::Permission",
    properties: { Action: "lambda:InvokeFunctionUrl", FunctionName, Principal: "*", FunctionUrlAuthType: "NONE" },
  });
  make(into, resource, {
    id: `${id}URLInvokeAllowPublicAccess`,
    type: "AWS::Lambda::Permission",
    properties: { Action: "lambda:InvokeFunction", FunctionName, Principal: "*", InvokedViaFunctionUrl: true },
  });
}

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
