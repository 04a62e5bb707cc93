// The one error a handler throws on purpose. Anything else that is thrown is a defect: the door logs it and answers InternalError.

/** What a service says to who asks too much. https://docs.aws.amazon.com/sdkref/latest/guide/feature-retry-behavior.html */
const THROTTLING = new Set([
  "ProvisionedThroughputExceededException",
  "RequestThrottled",
  "SlowDown",
  "Throttled",
  "Throttling",
  "ThrottlingException",
  "TooManyRequestsException",
]);

export const isThrottling = (error: unknown): boolean =>
  error instanceof AwsError && (error.status === 429 || THROTTLING.has(error.code));

/** A refusal stays a refusal: asking again changes nothing. Throttling does. */
export const isRefusal = (error: unknown): boolean =>
  error instanceof AwsError && error.status >= 400 && error.status < 500 && !isThrottling(error);

/** `fields` are further members of the modelled error (`BucketName`, `CancellationReasons`, ...), written as the protocol writes members. */
export class AwsError extends Error {
  readonly code: string;
  readonly status: number;
  readonly fields: Record<string, unknown>;

  constructor(code: string, status: number, message: string, fields: Record<string, unknown> = {}) {
    super(message);
    this.name = code;
    this.code = code;
    this.status = status;
    this.fields = fields;
  }
}
