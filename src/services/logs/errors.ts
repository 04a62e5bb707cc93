// The errors of CloudWatch Logs.
import { AwsError } from "../../kernel/mod.ts";

const parameter = (message: string) => new AwsError("InvalidParameterException", 400, message);
const notFound = (what: string) =>
  new AwsError("ResourceNotFoundException", 400, `The specified ${what} does not exist.`);

export const errors = {
  parameter,
  /** The model's constraints, in the words that every service has, under this service's own code. */
  invalid: (violations: readonly string[]) =>
    parameter(
      `${violations.length} validation error${violations.length === 1 ? "" : "s"} detected: ${violations.join("; ")}`,
    ),
  validation: (message: string) => new AwsError("ValidationException", 400, message),
  nameTooLong: () => parameter("Invalid LogGroup or LogStream, both must have length less than or equal to 512."),
  groupExists: () => new AwsError("ResourceAlreadyExistsException", 400, "The specified log group already exists"),
  streamExists: () => new AwsError("ResourceAlreadyExistsException", 400, "The specified log stream already exists"),
  noGroup: () => notFound("log group"),
  noStream: () => notFound("log stream"),
  noMetricFilter: () => notFound("metric filter"),
  noSubscriptionFilter: () => notFound("subscription filter"),
  noExportTask: () => notFound("export task"),
  noQuery: () => notFound("query"),
  noQueryDefinition: () => notFound("query definition"),
  noPolicy: (name: string) =>
    new AwsError("ResourceNotFoundException", 400, `Policy with name [${name}] does not exist.`),
  noResource: () => notFound("resource"),
  nextToken: () => parameter("The specified nextToken is invalid."),
  pattern: (why: string) => parameter(`Invalid filter pattern: ${why}`),
  limit: () => new AwsError("LimitExceededException", 400, "Resource limit exceeded."),
  malformedQuery: (message: string, at: number, end: number) =>
    new AwsError("MalformedQueryException", 400, message, {
      queryCompileError: { location: { startCharOffset: at, endCharOffset: end }, message },
    }),
  crossAccount: () =>
    new AwsError(
      "AccessDeniedException",
      400,
      "Cross-account lambda invocation passing is not allowed. You must use DestinationPolicies to create cross account lambda triggers.",
    ),
  cannotInvoke: () =>
    parameter(
      "Could not execute the lambda function. Make sure you have given CloudWatch Logs permission to execute your function.",
    ),
  /** What we do not do yet is refused by name, never ignored. */
  notImplemented: (what: string) => new AwsError("NotImplemented", 501, `${what} is not implemented by aws-like.`),
} as const;
