// The register: which types of resources are understood. One line each.
import { apiDestination, connection } from "./api-destinations.ts";
import { table } from "./dynamodb.ts";
import { eventSourceMapping } from "./event-sources.ts";
import { archive, eventBus, eventBusPolicy, rule } from "./events.ts";
import { policy, role } from "./iam.ts";
import type { Kind } from "./kind.ts";
import { eventInvokeConfig, lambdaFunction, permission } from "./lambda.ts";
import { layerVersion } from "./lambda-layer.ts";
import { functionUrl } from "./lambda-url.ts";
import { logGroup } from "./logs.ts";
import { pipe } from "./pipes.ts";
import { bucket } from "./s3.ts";
import { schedule, scheduleGroup } from "./scheduler.ts";
import { subscription, topic, topicPolicy } from "./sns.ts";
import { queue, queuePolicy } from "./sqs.ts";

export const kinds: Readonly<Record<string, Kind>> = {
  "AWS::DynamoDB::Table": table,
  "AWS::Events::ApiDestination": apiDestination,
  "AWS::Events::Archive": archive,
  "AWS::Events::Connection": connection,
  "AWS::Events::EventBus": eventBus,
  "AWS::Events::EventBusPolicy": eventBusPolicy,
  "AWS::Events::Rule": rule,
  "AWS::IAM::Policy": policy,
  "AWS::IAM::Role": role,
  "AWS::Lambda::EventInvokeConfig": eventInvokeConfig,
  "AWS::Lambda::EventSourceMapping": eventSourceMapping,
  "AWS::Lambda::Function": lambdaFunction,
  "AWS::Lambda::LayerVersion": layerVersion,
  "AWS::Lambda::Permission": permission,
  "AWS::Lambda::Url": functionUrl,
  "AWS::Logs::LogGroup": logGroup,
  "AWS::Pipes::Pipe": pipe,
  "AWS::S3::Bucket": bucket,
  "AWS::Scheduler::Schedule": schedule,
  "AWS::Scheduler::ScheduleGroup": scheduleGroup,
  "AWS::SNS::Subscription": subscription,
  "AWS::SNS::Topic": topic,
  "AWS::SNS::TopicPolicy": topicPolicy,
  "AWS::SQS::Queue": queue,
  "AWS::SQS::QueuePolicy": queuePolicy,
};
