// The register: one import and one entry for each service. A service that is only a model answers NotImplemented, by name.
import { type AnyService, defineService } from "./kernel/service.ts";
import type { ServiceName } from "./kernel/types.ts";
import { loadModel } from "./model/load.ts";
import { dynamodb, dynamodbstreams } from "./services/dynamodb/service.ts";
import { events } from "./services/events/service.ts";
import { iam } from "./services/iam/service.ts";
import { lambda } from "./services/lambda/service.ts";
import { logs } from "./services/logs/service.ts";
import { organizations } from "./services/organizations/service.ts";
import { pipes } from "./services/pipes/service.ts";
import { s3 } from "./services/s3/service.ts";
import { scheduler } from "./services/scheduler/service.ts";
import { sns } from "./services/sns/service.ts";
import { sqs } from "./services/sqs/service.ts";
import { sts } from "./services/sts/service.ts";

/** For those who read a table's view in SQL. */
export { RAW, VIEW_OF, viewQuery } from "./services/dynamodb/view-query.ts";
/** For those who watch what passes the buses. */
export { type Passed, watchEvents } from "./services/events/tap.ts";
/** For those who watch what functions say. */
export { watchFunction } from "./services/lambda/watching.ts";
/** For those who read the outbox, and answer what lies there. */
export { OUTBOX, optOut } from "./services/sns/outbox-query.ts";
/** For those who look into a queue. */
export { peek } from "./services/sqs/peek.ts";

const modelOnly = (name: ServiceName): AnyService =>
  defineService({ name, model: loadModel(new URL(`services/${name}/`, import.meta.url).href), operations: {} });

export const services: readonly AnyService[] = [
  s3,
  dynamodb,
  dynamodbstreams,
  lambda,
  logs,
  sqs,
  sns,
  events,
  scheduler,
  pipes,
  iam,
  sts,
  organizations,
  modelOnly("apigateway"),
  modelOnly("apigatewayv2"),
  modelOnly("cloudwatch"),
  modelOnly("ssm"),
];
