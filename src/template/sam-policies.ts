// SAM's policy templates: what each allows on what its one parameter names.
// https://docs.aws.amazon.com/serverless-application-model/latest/developerguide/serverless-policy-template-list.html
import { call, type Node, type Plain } from "./node.ts";

interface PolicyTemplate {
  readonly parameter: string;
  statement(value: Node): Plain;
}

const S3_READ = [
  "s3:GetObject",
  "s3:ListBucket",
  "s3:GetBucketLocation",
  "s3:GetObjectVersion",
  "s3:GetLifecycleConfiguration",
];
const S3_WRITE = ["s3:PutObject", "s3:PutObjectAcl", "s3:PutLifecycleConfiguration"];
const DYNAMODB_READ = ["GetItem", "Scan", "Query", "BatchGetItem", "DescribeTable"];
const DYNAMODB_WRITE = ["PutItem", "UpdateItem", "BatchWriteItem"];
const SQS_POLL = [
  "sqs:ChangeMessageVisibility",
  "sqs:ChangeMessageVisibilityBatch",
  "sqs:DeleteMessage",
  "sqs:DeleteMessageBatch",
  "sqs:GetQueueAttributes",
  "sqs:ReceiveMessage",
];

const REGIONAL = `\${AWS::Region}:\${AWS::AccountId}`;

export const policyTemplates: Readonly<Record<string, PolicyTemplate>> = {
  S3ReadPolicy: onBucket(S3_READ),
  S3WritePolicy: onBucket(S3_WRITE),
  S3CrudPolicy: onBucket([...S3_READ, ...S3_WRITE, "s3:DeleteObject"]),
  DynamoDBReadPolicy: onTable(DYNAMODB_READ),
  DynamoDBWritePolicy: onTable(DYNAMODB_WRITE),
  DynamoDBCrudPolicy: onTable([...DYNAMODB_READ, ...DYNAMODB_WRITE, "DeleteItem", "ConditionCheckItem"]),
  SQSSendMessagePolicy: on("QueueName", ["sqs:SendMessage*"], [`sqs:${REGIONAL}:\${value}`]),
  SQSPollerPolicy: on("QueueName", SQS_POLL, [`sqs:${REGIONAL}:\${value}`]),
  LambdaInvokePolicy: on("FunctionName", ["lambda:InvokeFunction"], [`lambda:${REGIONAL}:function:\${value}*`]),
};

function onBucket(actions: readonly string[]): PolicyTemplate {
  return on("BucketName", actions, [`s3:::\${value}`, `s3:::\${value}/*`]);
}

function onTable(actions: readonly string[]): PolicyTemplate {
  const table = `dynamodb:${REGIONAL}:table/\${value}`;
  return on(
    "TableName",
    actions.map((action) => `dynamodb:${action}`),
    [table, `${table}/index/*`],
  );
}

function on(parameter: string, actions: readonly string[], resources: readonly string[]): PolicyTemplate {
  return {
    parameter,
    statement: (value) =>
      ({
        Effect: "Allow",
        Action: actions,
        Resource: resources.map((one) =>
          call(value.line, "Fn::Sub", [`arn:\${AWS::Partition}:${one}`, { value } as never]),
        ),
      }) as unknown as Plain,
  };
}
