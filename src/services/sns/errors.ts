// SNS's errors, word for word. A fault is what AWS says is wrong with an attribute; where it stands decides what is said before it.
// https://docs.aws.amazon.com/sns/latest/api/CommonErrors.html
import { AwsError } from "../../kernel/mod.ts";

const parameter = (text: string): AwsError => new AwsError("InvalidParameter", 400, `Invalid parameter: ${text}`);
const value = (message: string): AwsError => new AwsError("ParameterValueInvalid", 400, message);

export const errors = {
  noTopic: () => new AwsError("NotFound", 404, "Topic does not exist"),
  noResource: () => new AwsError("ResourceNotFound", 404, "Resource does not exist"),
  noSubscription: () => new AwsError("NotFound", 404, "Subscription does not exist"),

  parameter,
  because: (name: string, reason: string) => parameter(`${name} Reason: ${reason}`),
  /** Of attributes given where the resource is made. */
  attributes: (fault: string) => parameter(`Attributes Reason: ${fault}`),
  arn: (name: string, arn: string) =>
    parameter(`${name} Reason: An ARN must have at least 6 elements, not ${arn.split(":").length}`),
  protocol: (protocol: string) => parameter(`Amazon SNS does not support this protocol string: ${protocol}`),
  smsEndpoint: (endpoint: string) => new AwsError("InvalidParameter", 400, `Invalid SMS endpoint: ${endpoint}`),
  token: () => new AwsError("InvalidParameter", 400, "Invalid token"),
  smsAttribute: (message: string) => new AwsError("InvalidParameter", 400, message),
  signatureNeeded: () =>
    new AwsError("AuthorizationError", 403, "Unsubscribing this subscription requires authentication"),

  messageAttribute: value,
  tooManyTags: () =>
    new AwsError("TagLimitExceeded", 400, "Could not complete request: tag quota of per resource exceeded"),
  tooManyFilters: () =>
    new AwsError(
      "FilterPolicyLimitExceeded",
      403,
      "Could not create subscription: filter policy limit of topic exceeded",
    ),

  emptyBatch: () => new AwsError("EmptyBatchRequest", 400, "The batch request doesn't contain any entries."),
  tooManyEntries: () =>
    new AwsError("TooManyEntriesInBatchRequest", 400, "The batch request contains more entries than permissible."),
  entryIdRepeated: () =>
    new AwsError("BatchEntryIdsNotDistinct", 400, "Two or more batch entries in the request have the same Id."),
  entryIdCharacter: (id: string) =>
    new AwsError(
      "InvalidBatchEntryId",
      400,
      `The Id of a batch entry in the batch request contains an impermissible character: ${id}`,
    ),
  entryIdTooLong: (id: string) =>
    new AwsError("InvalidBatchEntryId", 400, `The Id of a batch entry in the batch request is too long: ${id}`),
  batchTooLong: () =>
    new AwsError("BatchRequestTooLong", 400, "The length of all the messages put together is more than the limit."),

  /** What we do not do yet is refused by name, never ignored. */
  notImplemented: (what: string) => new AwsError("NotImplemented", 501, `${what} is not implemented by aws-like.`),
} as const;

/** What is wrong with one attribute: `FilterPolicy: ...`. */
export class Fault extends Error {}

/** Says where the attributes stood: `errors.attributes`, `errors.parameter`. */
export function faultsAs<T>(said: (fault: string) => AwsError, work: () => T): T {
  try {
    return work();
  } catch (error) {
    if (error instanceof Fault) throw said(error.message);
    throw error;
  }
}
