// Lambda's errors, word for word. The wire adds the `Type` that Lambda's own errors have and those of its front have not.
import { AwsError } from "../../kernel/mod.ts";

export const invalidParameter = (message: string): AwsError =>
  new AwsError("InvalidParameterValueException", 400, message);
export const notFound = (message: string): AwsError => new AwsError("ResourceNotFoundException", 404, message);
const conflict = (message: string): AwsError => new AwsError("ResourceConflictException", 409, message);
const tooLarge = (message: string): AwsError => new AwsError("RequestEntityTooLargeException", 413, message);

export const errors = {
  functionNotFound: (arn: string) => notFound(`Function not found: ${arn}`),
  aliasExists: (arn: string) => conflict(`Alias already exists: ${arn}`),
  versionInUse: (arn: string, alias: string) => conflict(`Version in use by the alias ${alias}: ${arn}`),
  functionExists: (name: string) => conflict(`Function already exist: ${name}`),
  otherRegion: (theirs: string, ours: string) =>
    notFound(`Functions from '${theirs}' are not reachable in this region ('${ours}')`),
  qualifierMismatch: () =>
    invalidParameter("The derived qualifier from the function name does not match the specified qualifier."),
  nameTooLong: (name: string) =>
    invalidParameter(
      `1 validation error detected: Value '${name}' at 'functionName' failed to satisfy constraint: Member must have length less than or equal to 64`,
    ),
  validation: (value: unknown, path: string, constraint: string) =>
    new AwsError(
      "ValidationException",
      400,
      `1 validation error detected: Value '${value}' at '${path}' failed to satisfy constraint: ${constraint}`,
    ),
  revisionMismatch: (call: "GetFunction/GetAlias" | "GetPolicy") =>
    new AwsError(
      "PreconditionFailedException",
      412,
      `The Revision Id provided does not match the latest Revision Id. Call the ${call} API to retrieve the latest Revision Id`,
    ),
  roleNotAssumable: () => invalidParameter("The role defined for the function cannot be assumed by Lambda."),
  /** The same, of a function that is there: at Invoke. */
  roleGone: () =>
    new AwsError("AccessDeniedException", 403, "The role defined for the function cannot be assumed by Lambda."),

  noCode: () => invalidParameter("Please provide a source for function code."),
  twoCodes: () => invalidParameter("Please do not provide other FunctionCode parameters when providing a ZipFile."),
  emptyZip: () => invalidParameter("Uploaded file must be a non-empty zip"),
  badZip: () => invalidParameter("Could not unzip uploaded file. Please check your file, then try to upload again."),
  zippedTooLarge: (limit: number) => tooLarge(`Zipped size must be smaller than ${limit} bytes`),
  unzippedTooLarge: (limit: number) => invalidParameter(`Unzipped size must be smaller than ${limit} bytes`),
  s3Failed: (code: string, message: string) =>
    invalidParameter(`Error occurred while GetObject. S3 Error Code: ${code}. S3 Error Message: ${message}`),

  // Seen as RequestEntityTooLargeException on AWS (2017 to 2024), though the model names RequestTooLargeException.
  payloadTooLarge: (bytes: number, type: string, limit: number) =>
    tooLarge(`${bytes} byte payload is too large for the ${type} invocation type (limit ${limit} bytes)`),
  badJson: (reason: string) =>
    new AwsError(
      "InvalidRequestContentException",
      400,
      `Could not parse request body into json: Could not parse payload into json: ${reason}`,
    ),
  badClientContext: () =>
    new AwsError("InvalidRequestContentException", 400, "Client context must be a valid Base64-encoded JSON object."),
  /** As the SDK's model and AWS's guide have it. */
  recursive: () =>
    new AwsError(
      "RecursiveInvocationException",
      400,
      "Lambda has detected your function being invoked in a recursive loop with other AWS resources and stopped your function's invocation.",
    ),
  throttled: () =>
    new AwsError("TooManyRequestsException", 429, "Rate Exceeded.", { Reason: "ConcurrentInvocationLimitExceeded" }),

  statementExists: (sid: string) =>
    conflict(
      `The statement id (${sid}) provided already exists. Please provide a new statement id, or remove the existing statement.`,
    ),
  policyTooLong: (size: number, limit: number) =>
    new AwsError(
      "PolicyLengthExceededException",
      400,
      `The final policy size (${size}) is bigger than the limit (${limit}).`,
    ),
  badPrincipal: () => invalidParameter("The provided principal was invalid. Please check the principal and try again."),
  noPolicy: () => notFound("The resource you requested does not exist."),
  tooManyTags: () => invalidParameter("Number of tags exceeds resource tag limit."),
  notConfigured: (arn: string) => notFound(`The function ${arn} doesn't have an EventInvokeConfig`),
  mappingNotFound: (arn: string) => notFound(`Event source mapping not found: ${arn}`),
  noSuchFunction: () => notFound("The function doesn't exist."),

  functionGone: () => notFound("Function does not exist"),
  noUrl: () => notFound("The resource you requested does not exist."),
  // Two spaces, as on AWS.
  urlExists: (arn: string) =>
    conflict(
      `Failed to create function url config for [functionArn = ${arn}]. Error message:  FunctionUrlConfig exists for this Lambda function`,
    ),

  /** A parameter that we would have to ignore: refused by its name, never silently accepted. */
  unsupported: (parameter: string) =>
    new AwsError("NotImplemented", 501, `aws-like's Lambda does not support ${parameter} yet.`),
} as const;
