// SQS's errors, word for word. Codes are those of the query protocol: quirks.ts gives JSON's where they differ.
// https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/CommonErrors.html
import { AwsError } from "../../kernel/mod.ts";

const invalidValue = (message: string): AwsError => new AwsError("InvalidParameterValue", 400, message);
const attributeName = (message: string): AwsError => new AwsError("InvalidAttributeName", 400, message);
const attributeValue = (message: string): AwsError => new AwsError("InvalidAttributeValue", 400, message);

export const errors = {
  noQueue: () => new AwsError("QueueDoesNotExist", 400, "The specified queue does not exist."),
  noSuchAddress: (url: string) =>
    new AwsError("InvalidAddress", 404, `The address ${url} is not valid for this endpoint.`),
  queueExists: (attribute: string) =>
    new AwsError(
      "QueueNameExists",
      400,
      `A queue already exists with the same name and a different value for attribute ${attribute}`,
    ),
  queueDeletedRecently: () =>
    new AwsError(
      "QueueDeletedRecently",
      400,
      "You must wait 60 seconds after deleting a queue before you can create another with the same name.",
    ),
  queueName: () => invalidValue("Can only include alphanumeric characters, hyphens, or underscores. 1 to 80 in length"),
  fifoQueueName: () =>
    invalidValue(
      "The name of a FIFO queue can only include alphanumeric characters, hyphens, or underscores, must end with .fifo suffix and be 1 to 80 in length.",
    ),
  purgedRecently: (name: string) =>
    new AwsError("PurgeQueueInProgress", 403, `Only one PurgeQueue operation on ${name} is allowed every 60 seconds.`),

  unknownAttribute: (name: string) => attributeName(`Unknown Attribute ${name}.`),
  onlyForFifo: (name: string) => attributeName(`You can specify the ${name} only when FifoQueue is set to true.`),
  oneEncryption: () =>
    attributeName(
      "You can use one type of server-side encryption (SSE) at one time. You can either enable KMS SSE or SQS SSE.",
    ),
  attribute: (name: string, reason?: string) =>
    attributeValue(`Invalid value for the parameter ${name}.${reason === undefined ? "" : ` Reason: ${reason}`}`),

  missing: (parameter: string) =>
    new AwsError("MissingParameter", 400, `The request must contain the parameter ${parameter}.`),
  /** The commonest family of sentences. */
  parameter: (name: string, value: unknown, reason: string) =>
    invalidValue(`Value ${value} for parameter ${name} is invalid. Reason: ${reason}`),
  notOfThisType: (name: string, value: unknown) =>
    invalidValue(
      `Value ${value} for parameter ${name} is invalid. Reason: The request include parameter that is not valid for this queue type.`,
    ),
  invalidValue,
  tooLong: (bytes: number) =>
    invalidValue(`One or more parameters are invalid. Reason: Message must be shorter than ${bytes} bytes.`),
  entryTooLong: (bytes: number) =>
    invalidValue(`One or more parameters cannot be validated. Reason: Message must be shorter than ${bytes} bytes.`),
  contents: () =>
    new AwsError(
      "InvalidMessageContents",
      400,
      "Invalid characters found. Valid unicode characters are #x9 | #xA | #xD | #x20 to #xD7FF | #xE000 to #xFFFD | #x10000 to #x10FFFF",
    ),
  receiptHandle: (handle: string) =>
    new AwsError("ReceiptHandleIsInvalid", 404, `The input receipt handle "${handle}" is not a valid receipt handle.`),

  /** Of ReceiveMessage. */
  inFlight: () =>
    new AwsError("OverLimit", 403, "Too many messages in flight: the queue has reached the limit of 120000."),
  actions: (count: number, most: number) =>
    new AwsError("OverLimit", 403, `${count} Actions were found, maximum allowed is ${most}.`),

  taskArn: (parameter: string) =>
    invalidValue(
      `You must use this format to specify the ${parameter}: arn:<partition>:<service>:<region>:<account-id>:<resource-id>`,
    ),
  noResource: (parameter: string) =>
    new AwsError(
      "ResourceNotFoundException",
      404,
      `The resource that you specified for the ${parameter} parameter doesn't exist.`,
    ),
  noDeadLetterQueue: () => invalidValue("Source queue must be configured as a Dead Letter Queue."),
  taskRunning: () =>
    invalidValue(
      "There is already a task running. Only one active task is allowed for a source queue arn at a given time.",
    ),
  taskHandle: () => invalidValue("Value for parameter TaskHandle is invalid."),
  noTask: () => new AwsError("ResourceNotFoundException", 404, "Task does not exist."),
  taskOver: () => new AwsError("UnsupportedOperation", 400, "Only a task that is running can be cancelled."),

  emptyBatch: (entry: string) =>
    new AwsError("EmptyBatchRequest", 400, `There should be at least one ${entry} in the request.`),
  tooManyEntries: (count: number) =>
    new AwsError(
      "TooManyEntriesInBatchRequest",
      400,
      `Maximum number of entries per request are 10. You have sent ${count}.`,
    ),
  entryId: () =>
    new AwsError(
      "InvalidBatchEntryId",
      400,
      "A batch entry id can only contain alphanumeric characters, hyphens and underscores. It can be at most 80 letters long.",
    ),
  entryIdRepeated: (id: string) => new AwsError("BatchEntryIdsNotDistinct", 400, `Id ${id} repeated.`),
  batchTooLong: (most: number, bytes: number) =>
    new AwsError(
      "BatchRequestTooLong",
      400,
      `Batch requests cannot be longer than ${most} bytes. You have sent ${bytes} bytes.`,
    ),
} as const;
