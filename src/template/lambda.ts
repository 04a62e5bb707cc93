// AWS::Lambda::Function, ::Permission and ::EventInvokeConfig.
// https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/AWS_Lambda.html
import { setTimeout as sleep } from "node:timers/promises";
import { codeInput, readCode } from "./code.ts";
import { type Call, defineKind, goneTags, type Place, type Subject, unless } from "./kind.ts";
import { listOf, mapOf, record, type Value } from "./shape.ts";

const functionShape = record(
  {
    FunctionName: "text",
    Description: "text",
    Runtime: "text",
    Handler: "text",
    Code: "json",
    Role: "text",
    MemorySize: "number",
    Timeout: "number",
    EphemeralStorage: record({ Size: "number" }, ["Size"]),
    Environment: record({ Variables: mapOf("text") }),
    Architectures: listOf("text"),
    DeadLetterConfig: record({ TargetArn: "text" }),
    LoggingConfig: record({
      LogFormat: "text",
      LogGroup: "text",
      ApplicationLogLevel: "text",
      SystemLogLevel: "text",
    }),
    Layers: listOf("text"),
    ReservedConcurrentExecutions: "number",
    PackageType: "text",
    Tags: listOf(record({ Key: "text", Value: "text" }, ["Key", "Value"])),
  },
  ["Code", "Role"],
);
type Properties = Value<typeof functionShape>;
/** Its texts that are enumerations: the service says which ones there are. */
type Narrowed = {
  Runtime?: "provided.al2023";
  LoggingConfig?: { LogFormat?: "Text"; ApplicationLogLevel?: "INFO"; SystemLogLevel?: "INFO" };
};

export const lambdaFunction = defineKind<typeof functionShape>({
  shape: functionShape,
  named: "FunctionName",
  longestName: 64,
  fixed: ["PackageType"],
  identify: (name, place) => ({ ref: name, attributes: { Arn: arnOf(name, place) } }),
  prepare: (properties, given, { dir, path }) => ({
    ...properties,
    Code: readCode(given.fields.get("Code")!, {
      runtime: properties.Runtime ?? "",
      handler: properties.Handler ?? "",
      dir,
      path: `${path}.Code`,
    }),
  }),
  exists: async (call, { name }) =>
    (await unless(call("lambda", "GetFunctionConfiguration", { FunctionName: name }), "ResourceNotFoundException")) !==
    undefined,
  async create(call, subject, place) {
    const {
      Tags,
      Code: _,
      Architectures,
      PackageType,
      ReservedConcurrentExecutions: reserved,
      ...given
    } = subject.properties;
    await call("lambda", "CreateFunction", {
      ...(given as Narrowed),
      FunctionName: subject.name,
      Role: given.Role,
      Code: await codeInput(subject, place),
      ...(Architectures && { Architectures: Architectures as ["x86_64"] }),
      ...(PackageType !== undefined && { PackageType: PackageType as "Zip" }),
      ...(Tags?.length && { Tags: tagMap(Tags) }),
    });
    await settled(call, subject.name);
    if (reserved !== undefined) await reserve(call, subject.name, reserved);
  },
  async update(call, subject, place, before) {
    const { name: FunctionName, properties: is } = subject;
    const {
      Tags: _,
      Code: __,
      Architectures: architectures,
      PackageType: ___,
      ReservedConcurrentExecutions: reserved,
      ...given
    } = is;
    await call("lambda", "UpdateFunctionConfiguration", {
      ...(given as Narrowed),
      FunctionName,
      // What the template no longer says is as if it had never said it.
      Description: is.Description ?? "",
      MemorySize: is.MemorySize ?? 128,
      Timeout: is.Timeout ?? 3,
      EphemeralStorage: is.EphemeralStorage ?? { Size: 512 },
      Environment: is.Environment ?? { Variables: {} },
      DeadLetterConfig: is.DeadLetterConfig ?? { TargetArn: "" },
      Layers: is.Layers ?? [],
    });
    await settled(call, FunctionName);
    const Architectures = (architectures ?? ["x86_64"]) as ["x86_64"];
    await call("lambda", "UpdateFunctionCode", { FunctionName, Architectures, ...(await codeInput(subject, place)) });
    await settled(call, FunctionName);
    if (reserved !== undefined) await reserve(call, FunctionName, reserved);
    else if (before?.properties.ReservedConcurrentExecutions !== undefined)
      await call("lambda", "DeleteFunctionConcurrency", { FunctionName });
    const Resource = arnOf(FunctionName, place);
    const gone = goneTags(before?.properties.Tags, is.Tags);
    if (gone.length > 0) await call("lambda", "UntagResource", { Resource, TagKeys: gone });
    if (is.Tags?.length) await call("lambda", "TagResource", { Resource, Tags: tagMap(is.Tags) });
  },
  async remove(call, { name }) {
    await call("lambda", "DeleteFunction", { FunctionName: name });
    return true;
  },
});

const reserve = (call: Call, FunctionName: string, ReservedConcurrentExecutions: number) =>
  call("lambda", "PutFunctionConcurrency", { FunctionName, ReservedConcurrentExecutions });

/** With `--delays real` a function is Pending, and takes one update at a time. */
async function settled(call: Call, FunctionName: string): Promise<void> {
  for (;;) {
    const { State, LastUpdateStatus } = await call("lambda", "GetFunctionConfiguration", { FunctionName });
    if (State !== "Pending" && LastUpdateStatus !== "InProgress") return;
    await sleep(LOOK_AGAIN_MS);
  }
}
const LOOK_AGAIN_MS = 100;

const arnOf = (name: string, { account, region }: Place): string =>
  `arn:aws:lambda:${region}:${account}:function:${name}`;

const tagMap = (tags: NonNullable<Properties["Tags"]>): Record<string, string> =>
  Object.fromEntries(tags.map(({ Key, Value }) => [Key, Value]));

const permissionShape = record(
  {
    Action: "text",
    FunctionName: "text",
    Principal: "text",
    SourceArn: "text",
    SourceAccount: "text",
    EventSourceToken: "text",
    FunctionUrlAuthType: "text",
    InvokedViaFunctionUrl: "boolean",
    PrincipalOrgID: "text",
  },
  ["Action", "FunctionName", "Principal"],
);
type Permission = Subject<Value<typeof permissionShape>>;

/** A statement of a function's policy. Its physical name is the statement's id. */
export const permission = defineKind<typeof permissionShape>({
  shape: permissionShape,
  longestName: 100,
  fixed: [],
  identify: (name) => ({ ref: name, attributes: { Id: name } }),
  async exists(call, { name, properties }) {
    const answer = call("lambda", "GetPolicy", { FunctionName: properties.FunctionName });
    const { Policy } = (await unless(answer, "ResourceNotFoundException")) ?? {};
    const { Statement } = JSON.parse(Policy ?? '{"Statement":[]}') as { Statement: { Sid: string }[] };
    return Statement.some(({ Sid }) => Sid === name);
  },
  create: addPermission,
  async update(call, subject, _place, before) {
    await removePermission(call, before ?? subject);
    await addPermission(call, subject);
  },
  async remove(call, subject) {
    await removePermission(call, subject);
    return true;
  },
});

async function addPermission(call: Call, { name, properties }: Permission): Promise<void> {
  const given = properties as typeof properties & { FunctionUrlAuthType?: "NONE" };
  await call("lambda", "AddPermission", { ...given, StatementId: name });
}

async function removePermission(call: Call, { name, properties }: Permission): Promise<void> {
  const input = { FunctionName: properties.FunctionName, StatementId: name };
  await unless(call("lambda", "RemovePermission", input), "ResourceNotFoundException");
}

const destination = record({ Destination: "text" }, ["Destination"]);
const eventInvokeShape = record(
  {
    FunctionName: "text",
    Qualifier: "text",
    MaximumEventAgeInSeconds: "number",
    MaximumRetryAttempts: "number",
    DestinationConfig: record({ OnSuccess: destination, OnFailure: destination }),
  },
  ["FunctionName", "Qualifier"],
);

export const eventInvokeConfig = defineKind<typeof eventInvokeShape>({
  shape: eventInvokeShape,
  longestName: 100,
  fixed: ["FunctionName", "Qualifier"],
  identify: (name) => ({ ref: name, attributes: {} }),
  async exists(call, { properties: { FunctionName, Qualifier } }) {
    const answer = call("lambda", "GetFunctionEventInvokeConfig", { FunctionName, Qualifier });
    return (await unless(answer, "ResourceNotFoundException")) !== undefined;
  },
  create: async (call, { properties }) => void (await call("lambda", "PutFunctionEventInvokeConfig", properties)),
  update: async (call, { properties }) => void (await call("lambda", "PutFunctionEventInvokeConfig", properties)),
  async remove(call, { properties: { FunctionName, Qualifier } }) {
    const answer = call("lambda", "DeleteFunctionEventInvokeConfig", { FunctionName, Qualifier });
    await unless(answer, "ResourceNotFoundException");
    return true;
  },
});
