// AWS::Logs::LogGroup. https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-logs-loggroup.html
import { type Call, defineKind, goneTags, type Place, type Subject, unless } from "./kind.ts";
import { listOf, record, type Value } from "./shape.ts";

const MISSING = "ResourceNotFoundException";

const groupShape = record({
  LogGroupName: "text",
  LogGroupClass: "text",
  RetentionInDays: "number",
  KmsKeyId: "text",
  Tags: listOf(record({ Key: "text", Value: "text" }, ["Key", "Value"])),
});
type Group = Subject<Value<typeof groupShape>>;

const groupArn = (name: string, { account, region }: Place): string =>
  `arn:aws:logs:${region}:${account}:log-group:${name}`;

export const logGroup = defineKind<typeof groupShape>({
  shape: groupShape,
  named: "LogGroupName",
  longestName: 512,
  fixed: ["LogGroupClass"],
  identify: (name, place) => ({ ref: name, attributes: { Arn: `${groupArn(name, place)}:*` } }),
  async exists(call, { name }) {
    const { logGroups = [] } = await call("logs", "DescribeLogGroups", { logGroupNamePrefix: name });
    return logGroups.some(({ logGroupName }) => logGroupName === name);
  },
  async create(call, subject) {
    const { name: logGroupName, properties } = subject;
    const { KmsKeyId, LogGroupClass, Tags = [] } = properties;
    await call("logs", "CreateLogGroup", {
      logGroupName,
      ...(KmsKeyId !== undefined && { kmsKeyId: KmsKeyId }),
      ...(LogGroupClass !== undefined && { logGroupClass: LogGroupClass as "STANDARD" }),
      ...(Tags.length > 0 && { tags: tagMap(Tags) }),
    });
    await keep(call, subject);
  },
  async update(call, subject, place, before) {
    const { name: logGroupName, properties } = subject;
    const { KmsKeyId, Tags = [] } = properties;
    await keep(call, subject);
    if (KmsKeyId !== undefined) await call("logs", "AssociateKmsKey", { logGroupName, kmsKeyId: KmsKeyId });
    else if (before?.properties.KmsKeyId !== undefined) await call("logs", "DisassociateKmsKey", { logGroupName });
    const resourceArn = groupArn(logGroupName, place);
    const gone = goneTags(before?.properties.Tags, Tags);
    if (gone.length > 0) await call("logs", "UntagResource", { resourceArn, tagKeys: gone });
    if (Tags.length > 0) await call("logs", "TagResource", { resourceArn, tags: tagMap(Tags) });
  },
  /** As on AWS, a group goes with what it holds. */
  async remove(call, { name }) {
    await unless(call("logs", "DeleteLogGroup", { logGroupName: name }), MISSING);
    return true;
  },
});

async function keep(call: Call, { name: logGroupName, properties: { RetentionInDays } }: Group): Promise<void> {
  if (RetentionInDays === undefined) await call("logs", "DeleteRetentionPolicy", { logGroupName });
  else await call("logs", "PutRetentionPolicy", { logGroupName, retentionInDays: RetentionInDays });
}

const tagMap = (tags: readonly { Key: string; Value: string }[]): Record<string, string> =>
  Object.fromEntries(tags.map(({ Key, Value }) => [Key, Value]));
