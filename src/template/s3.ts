// AWS::S3::Bucket. https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-s3-bucket.html
import { type Call, defineKind, type Subject, unless } from "./kind.ts";
import { listOf, record, type Value } from "./shape.ts";

const filter = record({ S3Key: record({ Rules: listOf(record({ Name: "text", Value: "text" }, ["Name", "Value"])) }) });
const encryptionRule = record({
  BucketKeyEnabled: "boolean",
  ServerSideEncryptionByDefault: record({ SSEAlgorithm: "text", KMSMasterKeyID: "text" }, ["SSEAlgorithm"]),
});
const shape = record({
  BucketName: "text",
  VersioningConfiguration: record({ Status: "text" }, ["Status"]),
  NotificationConfiguration: record({
    LambdaConfigurations: listOf(record({ Event: "text", Function: "text", Filter: filter }, ["Event", "Function"])),
    QueueConfigurations: listOf(record({ Event: "text", Queue: "text", Filter: filter }, ["Event", "Queue"])),
    TopicConfigurations: listOf(record({ Event: "text", Topic: "text", Filter: filter }, ["Event", "Topic"])),
    EventBridgeConfiguration: record({ EventBridgeEnabled: "boolean" }),
  }),
  PublicAccessBlockConfiguration: record({
    BlockPublicAcls: "boolean",
    BlockPublicPolicy: "boolean",
    IgnorePublicAcls: "boolean",
    RestrictPublicBuckets: "boolean",
  }),
  OwnershipControls: record({ Rules: listOf(record({ ObjectOwnership: "text" }, ["ObjectOwnership"])) }, ["Rules"]),
  BucketEncryption: record({ ServerSideEncryptionConfiguration: listOf(encryptionRule) }, [
    "ServerSideEncryptionConfiguration",
  ]),
  Tags: listOf(record({ Key: "text", Value: "text" }, ["Key", "Value"])),
});
type Bucket = Subject<Value<typeof shape>>;

/** Says, when a bucket is made, which directory of the workspace it is. */
const DIRECTORY_TAG = "aws-like:directory";

export const bucket = defineKind<typeof shape>({
  shape,
  named: "BucketName",
  longestName: 63,
  lowerCase: true,
  fixed: [],
  identify: (name, { region }) => ({
    ref: name,
    attributes: {
      Arn: `arn:aws:s3:::${name}`,
      DomainName: `${name}.s3.amazonaws.com`,
      RegionalDomainName: `${name}.s3.${region}.amazonaws.com`,
    },
  }),
  exists: async (call, { name }) =>
    (await unless(call("s3", "HeadBucket", { Bucket: name }), "NoSuchBucket", "NotFound")) !== undefined,
  async create(call, subject, { region }) {
    const tags = subject.properties.Tags ?? [];
    await call("s3", "CreateBucket", {
      Bucket: subject.name,
      CreateBucketConfiguration: {
        ...(region !== "us-east-1" && { LocationConstraint: region as "eu-west-1" }),
        ...(tags.length > 0 && { Tags: tags }),
      },
    });
    await putSettings(call, subject, undefined);
    if (subject.properties.VersioningConfiguration) await putVersioning(call, subject);
    if (subject.properties.NotificationConfiguration) await putNotification(call, subject);
    // Last: the files that lie in the directory already are dropped into a bucket that tells of them.
    if (subject.directory !== undefined) await putTags(call, subject);
  },
  async update(call, subject, _place, before) {
    const was = before?.properties;
    const is = subject.properties;
    await putSettings(call, subject, was);
    // A bucket that was versioned once is never unversioned again: only suspended, as on AWS.
    if (is.VersioningConfiguration || was?.VersioningConfiguration) await putVersioning(call, subject);
    if (is.NotificationConfiguration || was?.NotificationConfiguration || !before) await putNotification(call, subject);
    if (tagsOf(subject).length > 0) await putTags(call, subject);
    else if (before && tagsOf(before).length > 0) await call("s3", "DeleteBucketTagging", { Bucket: subject.name });
  },
  async remove(call, { name }) {
    const answer = call("s3", "DeleteBucket", { Bucket: name }).then(() => true);
    return (await unless(answer, "BucketNotEmpty")) ?? false;
  },
});

const tagsOf = ({ directory, properties }: Bucket) => [
  ...(directory === undefined ? [] : [{ Key: DIRECTORY_TAG, Value: directory }]),
  ...(properties.Tags ?? []),
];

const putTags = (call: Call, bucket: Bucket) =>
  call("s3", "PutBucketTagging", { Bucket: bucket.name, Tagging: { TagSet: tagsOf(bucket) } });

type Properties = Bucket["properties"];
interface Setting {
  readonly property: "PublicAccessBlockConfiguration" | "OwnershipControls" | "BucketEncryption";
  put(call: Call, Bucket: string, properties: Properties): Promise<unknown>;
  remove(call: Call, Bucket: string): Promise<unknown>;
}

/** What one call puts and another takes away. */
const SETTINGS: readonly Setting[] = [
  {
    property: "PublicAccessBlockConfiguration",
    put: (call, Bucket, { PublicAccessBlockConfiguration }) =>
      call("s3", "PutPublicAccessBlock", { Bucket, PublicAccessBlockConfiguration }),
    remove: (call, Bucket) => call("s3", "DeletePublicAccessBlock", { Bucket }),
  },
  {
    property: "OwnershipControls",
    put: (call, Bucket, { OwnershipControls }) =>
      call("s3", "PutBucketOwnershipControls", { Bucket, OwnershipControls: OwnershipControls as never }),
    remove: (call, Bucket) => call("s3", "DeleteBucketOwnershipControls", { Bucket }),
  },
  {
    property: "BucketEncryption",
    put: (call, Bucket, { BucketEncryption }) =>
      call("s3", "PutBucketEncryption", {
        Bucket,
        ServerSideEncryptionConfiguration: {
          Rules: BucketEncryption!.ServerSideEncryptionConfiguration.map(
            ({ ServerSideEncryptionByDefault: by, BucketKeyEnabled }) => ({
              ApplyServerSideEncryptionByDefault: by as { SSEAlgorithm: "AES256" },
              BucketKeyEnabled,
            }),
          ),
        },
      }),
    remove: (call, Bucket) => call("s3", "DeleteBucketEncryption", { Bucket }),
  },
];

async function putSettings(call: Call, { name, properties: is }: Bucket, was: Properties | undefined): Promise<void> {
  for (const { property, put, remove } of SETTINGS) {
    if (JSON.stringify(is[property]) === JSON.stringify(was?.[property])) continue;
    await (is[property] === undefined ? remove(call, name) : put(call, name, is));
  }
}

async function putVersioning(call: Call, { name, properties }: Bucket): Promise<void> {
  const status = (properties.VersioningConfiguration?.Status ?? "Suspended") as "Enabled";
  await call("s3", "PutBucketVersioning", { Bucket: name, VersioningConfiguration: { Status: status } });
}

/** CloudFormation's names for what the API calls otherwise. */
async function putNotification(call: Call, { name, properties }: Bucket): Promise<void> {
  const given = properties.NotificationConfiguration;
  const common = ({ Event, Filter }: { Event: string; Filter?: Value<typeof filter> | undefined }) => ({
    Events: [Event as "s3:ObjectCreated:*"],
    ...(Filter?.S3Key?.Rules && { Filter: { Key: { FilterRules: Filter.S3Key.Rules as { Name: "prefix" }[] } } }),
  });
  await call("s3", "PutBucketNotificationConfiguration", {
    Bucket: name,
    NotificationConfiguration: {
      LambdaFunctionConfigurations: given?.LambdaConfigurations?.map((one) => ({
        ...common(one),
        LambdaFunctionArn: one.Function,
      })),
      QueueConfigurations: given?.QueueConfigurations?.map((one) => ({ ...common(one), QueueArn: one.Queue })),
      TopicConfigurations: given?.TopicConfigurations?.map((one) => ({ ...common(one), TopicArn: one.Topic })),
      ...(given?.EventBridgeConfiguration &&
        given.EventBridgeConfiguration.EventBridgeEnabled !== false && { EventBridgeConfiguration: {} }),
    },
  });
}
