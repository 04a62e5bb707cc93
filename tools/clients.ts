// Which SDK client a service's model and its echo test are made from.

/** Name of our service = botocore's folder -> the SDK client. */
export const CLIENTS = {
  apigateway: "client-api-gateway",
  apigatewayv2: "client-apigatewayv2",
  cloudwatch: "client-cloudwatch",
  dynamodb: "client-dynamodb",
  dynamodbstreams: "client-dynamodb-streams",
  events: "client-eventbridge",
  iam: "client-iam",
  lambda: "client-lambda",
  logs: "client-cloudwatch-logs",
  organizations: "client-organizations",
  pipes: "client-pipes",
  s3: "client-s3",
  scheduler: "client-scheduler",
  sns: "client-sns",
  sqs: "client-sqs",
  ssm: "client-ssm",
  sts: "client-sts",
} as const;
