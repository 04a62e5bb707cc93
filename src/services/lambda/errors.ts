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
  pending: () =>
    conflict(
      "The operation cannot be performed at this time. The function is currently in the following state: Pending",
    ),
  updating: (arn: string) =>
    conflict(`The operation cannot be performed at this time. An update is in progress for resource: ${arn}`),
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
  revisionMismatch: (call: "GetFunction/GetAlias" | "GetPolicy" | "GetLayerPolicy") =>
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
  throttled: (reason: "ConcurrentInvocationLimitExceeded" | "ReservedFunctionConcurrentInvocationLimitExceeded") =>
    new AwsError("TooManyRequestsException", 429, "Rate Exceeded.", { Reason: reason, retryAfterSeconds: "1" }),
  /** Of an asynchronous event: it is not tried again. */
  zeroConcurrency: () =>
    new AwsError(
      "ZeroReservedConcurrency",
      400,
      "Function not invoked. Function is configured with zero reserved concurrent executions",
    ),
  tooMuchReserved: (minimum: number) =>
    invalidParameter(
      `Specified ReservedConcurrentExecutions for function decreases account's UnreservedConcurrentExecution below its minimum value of [${minimum}].`,
    ),
  // AWS's words for this one are not known to us.
  reservedBelowProvisioned: (reserved: number, provisioned: number) =>
    invalidParameter(
      `ReservedConcurrentExecutions ${reserved} should not be lower than function's total provisioned concurrency [${provisioned}].`,
    ),

  provisionedUnpublished: () =>
    invalidParameter("Provisioned Concurrency Configs cannot be applied to unpublished function versions."),
  notPublished: () => invalidParameter("The function resource provided must be an alias or a published version."),
  noProvisioned: () =>
    new AwsError(
      "ProvisionedConcurrencyConfigNotFoundException",
      404,
      "No Provisioned Concurrency Config found for this function",
    ),
  provisionedVersion: () =>
    conflict("Alias can't be used for Provisioned Concurrency configuration on an already Provisioned version"),
  provisionedAlias: () => conflict("Version is pointed by a Provisioned Concurrency alias"),
  provisionedOverReserved: () =>
    invalidParameter(
      "Requested Provisioned Concurrency should not be greater than the reservedConcurrentExecution for function",
    ),
  provisionedOverAccount: (unreserved: number) =>
    invalidParameter(
      `Specified ConcurrentExecutions for function is greater than account's unreserved concurrency [${unreserved}].`,
    ),
  provisionedBelowMinimum: (minimum: number) =>
    invalidParameter(
      `Specified ConcurrentExecutions for function decreases account's UnreservedConcurrentExecution below its minimum value of [${minimum}].`,
    ),

  layerVersionTooSmall: () => invalidParameter("Layer Version Cannot be less than 1"),
  tooManyLayers: (limit: number) => invalidParameter(`Cannot reference more than ${limit} layers.`),
  layerElsewhere: (region: string) =>
    invalidParameter(
      `Layers are not in the same region as the function. Layers are expected to be in region ${region}.`,
    ),
  noSuchLayer: (arn: string) => invalidParameter(`Layer version ${arn} does not exist.`),
  sameLayerTwice: (one: string, other: string) =>
    invalidParameter(
      `Two different versions of the same layer are not allowed to be referenced in the same function. ${one} and ${other} are versions of the same layer.`,
    ),
  layersTooLarge: (limit: number, size: number) =>
    invalidParameter(
      `Function code combined with layers exceeds the maximum allowed size of ${limit} bytes. The actual size is ${size} bytes.`,
    ),
  badMarker: () => invalidParameter("Invalid Marker"),
  /** As the SDK's model and AWS's guide have it. */
  recursive: () =>
    new AwsError(
      "RecursiveInvocationException",
      400,
      "Lambda has detected your function being invoked in a recursive loop with other AWS resources and stopped your function's invocation.",
    ),

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
