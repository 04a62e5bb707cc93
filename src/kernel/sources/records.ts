// Messages and stream records as functions and pipes get them.
// https://docs.aws.amazon.com/lambda/latest/dg/with-sqs.html, https://docs.aws.amazon.com/lambda/latest/dg/with-ddb.html
import { parsedJson } from "../json.ts";
import { type Arn, parseArn } from "../names.ts";
import type { Output } from "../types.ts";
import type { SourceRecord } from "./source.ts";

export type Message = NonNullable<Output<"sqs", "ReceiveMessage">["Messages"]>[number];
export type StreamRecord = NonNullable<Output<"dynamodbstreams", "GetRecords">["Records"]>[number];

export const messageRecord = (message: Message, queue: Arn): SourceRecord => ({
  messageId: message.MessageId,
  receiptHandle: message.ReceiptHandle,
  body: message.Body,
  attributes: { ...message.Attributes },
  messageAttributes: Object.fromEntries(
    Object.entries(message.MessageAttributes ?? {}).map(([name, value]) => [
      name,
      {
        ...(value.StringValue !== undefined && { stringValue: value.StringValue }),
        ...(value.BinaryValue && { binaryValue: base64(value.BinaryValue) }),
        stringListValues: [],
        binaryListValues: [],
        dataType: value.DataType,
      },
    ]),
  ),
  ...(message.MD5OfMessageAttributes !== undefined && { md5OfMessageAttributes: message.MD5OfMessageAttributes }),
  md5OfBody: message.MD5OfBody,
  eventSource: "aws:sqs",
  eventSourceARN: queue,
  awsRegion: parseArn(queue)!.region,
});

export const streamRecord = (record: StreamRecord, stream: Arn): SourceRecord => {
  const { ApproximateCreationDateTime: created, Keys, NewImage, OldImage, ...rest } = record.dynamodb ?? {};
  return {
    eventID: record.eventID,
    eventName: record.eventName,
    eventVersion: record.eventVersion,
    eventSource: "aws:dynamodb",
    awsRegion: record.awsRegion,
    dynamodb: {
      ApproximateCreationDateTime: Math.floor((created?.getTime() ?? 0) / 1000),
      ...(Keys && { Keys: plain(Keys) }),
      ...(NewImage && { NewImage: plain(NewImage) }),
      ...(OldImage && { OldImage: plain(OldImage) }),
      ...rest,
    },
    ...(record.userIdentity && {
      userIdentity: { principalId: record.userIdentity.PrincipalId, type: record.userIdentity.Type },
    }),
    eventSourceARN: stream,
  };
};

const base64 = (bytes: Uint8Array): string => Buffer.from(bytes).toString("base64");

/** Attribute values of DynamoDB as JSON. */
function plain(value: unknown): unknown {
  if (value instanceof Uint8Array) return base64(value);
  if (Array.isArray(value)) return value.map(plain);
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([name, member]) => [name, plain(member)]));
}

/** What filters are asked about: a message's body that is JSON stands as such. */
export function asFiltered(record: SourceRecord): SourceRecord {
  const { body } = record;
  if (typeof body !== "string" || !/^\s*[{[]/.test(body)) return record;
  const read = parsedJson(body);
  return read === undefined ? record : { ...record, body: read };
}
