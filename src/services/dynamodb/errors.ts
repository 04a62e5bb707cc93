// DynamoDB's errors, word for word: https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Programming.Errors.html
import { AwsError } from "../../kernel/mod.ts";

const INVALID = "One or more parameter values were invalid: ";

export const errors = {
  validation: (message: string) => new AwsError("ValidationException", 400, message),
  /** The commonest family of sentences. */
  invalid: (message: string) => new AwsError("ValidationException", 400, INVALID + message),
  conditionFailed: (item?: unknown) =>
    new AwsError("ConditionalCheckFailedException", 400, "The conditional request failed", item ? { Item: item } : {}),
  /** Operations on items and on tags do not say which table. */
  notFound: () => new AwsError("ResourceNotFoundException", 400, "Requested resource not found"),
  tableNotFound: (name: string) =>
    new AwsError("ResourceNotFoundException", 400, `Requested resource not found: Table: ${name} not found`),
  streamNotFound: (table: string, label: string) =>
    new AwsError(
      "ResourceNotFoundException",
      400,
      `Requested resource not found: Stream: ${label} not found for Table: ${table}`,
    ),
  lockedOut: () =>
    new AwsError(
      "AccessDeniedException",
      400,
      "The new resource policy will not allow you to update the resource policy in the future.",
    ),
  streamArnNotFound: (arn: string) =>
    new AwsError("ResourceNotFoundException", 400, `Requested resource not found: Stream: ${arn} not found`),
  shardNotFound: (stream: string, shard: string) =>
    new AwsError(
      "ResourceNotFoundException",
      400,
      `Requested resource not found: Shard: ${shard} in Stream: ${stream} not found`,
    ),
  trimmed: () => new AwsError("TrimmedDataAccessException", 400, "The data you are trying to access has been trimmed"),
  iteratorExpired: () => new AwsError("ExpiredIteratorException", 400, "The shard iterator has expired"),
  policyNotFound: (what: string) =>
    new AwsError(
      "PolicyNotFoundException",
      400,
      `Resource-based policy not found for the provided ResourceArn: ${what}`,
    ),
  /** Of replicas. */
  validationInUse: (message: string) => new AwsError("ResourceInUseException", 400, message),
  invalidRequest: (message: string) => new AwsError("ValidationException", 400, `Invalid Request: ${message}`),
  /** The operations on backups, exports and recovery have codes of their own. `table`: as it was named. */
  sourceNotFound: (table: string) => new AwsError("TableNotFoundException", 400, `Table not found: ${table}`),
  targetExists: (name: string) => new AwsError("TableAlreadyExistsException", 400, `Table already exists: ${name}`),
  targetInUse: (why: string) => new AwsError("TableInUseException", 400, why),
  backupNotFound: (arn: string) => new AwsError("BackupNotFoundException", 400, `Backup not found: ${arn}`),
  backupInUse: (why: string) => new AwsError("BackupInUseException", 400, why),
  recoveryUnavailable: (table: string) =>
    new AwsError(
      "PointInTimeRecoveryUnavailableException",
      400,
      `Point in time recovery is not enabled for table '${table}'`,
    ),
  /** The words are ours: AWS lets it finish. */
  recoveryInUse: (table: string) =>
    new AwsError(
      "ContinuousBackupsUnavailableException",
      400,
      `Table is being restored to a point in time, please retry later: ${table}`,
    ),
  restoreTime: (message: string) => new AwsError("InvalidRestoreTimeException", 400, message),
  /** Of tags and policies. */
  arnNotFound: (arn: string) =>
    new AwsError("ResourceNotFoundException", 400, `Requested resource not found: ResourceArn: ${arn} not found`),
  indexNotFound: (table: string, index: string) =>
    new AwsError("ResourceNotFoundException", 400, `Requested resource not found: Index ${index} for table ${table}`),
  stillFilled: (index: string) =>
    new AwsError("ValidationException", 400, `Cannot read from backfilling global secondary index: ${index}`),
  inUse: (why: string) =>
    new AwsError("ResourceInUseException", 400, `Attempt to change a resource which is still in use: ${why}`),
  tableExists: (name: string) => new AwsError("ResourceInUseException", 400, `Table already exists: ${name}`),
  limitExceeded: (message: string) => new AwsError("LimitExceededException", 400, message),
  /** The commonest family of these. */
  subscriberLimit: (message: string) =>
    new AwsError("LimitExceededException", 400, `Subscriber limit exceeded: ${message}`),
  canceled: (reasons: readonly { Code: string; Message?: string }[]) =>
    new AwsError(
      "TransactionCanceledException",
      400,
      `Transaction cancelled, please refer cancellation reasons for specific reasons [${reasons.map((r) => r.Code).join(", ")}]`,
      { CancellationReasons: reasons },
    ),
  /** Of a PartiQL INSERT. */
  duplicateItem: () => new AwsError("DuplicateItemException", 400, "Duplicate primary key exists in table"),
  idempotentMismatch: () =>
    new AwsError(
      "IdempotentParameterMismatchException",
      400,
      "Client token that was used with a different set of parameters is being reused",
    ),
  /** What we do not do yet is refused by name, never ignored. */
  notImplemented: (what: string) => new AwsError("NotImplemented", 501, `${what} is not implemented by aws-like.`),
} as const;
