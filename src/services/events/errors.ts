// EventBridge's errors, word for word.
import { AwsError } from "../../kernel/mod.ts";

const notFound = (message: string): AwsError => new AwsError("ResourceNotFoundException", 400, message);
const validation = (message: string): AwsError => new AwsError("ValidationException", 400, message);
const exists = (message: string): AwsError => new AwsError("ResourceAlreadyExistsException", 400, message);

export const errors = {
  validation,
  /** `Parameter Destination.Arn is not valid. Reason: ...` */
  parameter: (name: string, reason?: string) =>
    validation(`Parameter ${name} is not valid.${reason === undefined ? "" : ` Reason: ${reason}`}`),
  notFound,
  noRule: ({ bus, name }: { bus: string; name: string }) => notFound(`Rule ${name} does not exist on EventBus ${bus}.`),
  noBus: (name: string) => notFound(`Event bus ${name} does not exist.`),
  noArchive: (name: string) => notFound(`Archive ${name} does not exist.`),
  noReplay: (name: string) => notFound(`Replay ${name} does not exist.`),
  noStatement: () => notFound("Statement with the provided id does not exist."),
  noConnection: (verb: string, name: string) =>
    notFound(`Failed to ${verb} the connection(s). Connection '${name}' does not exist.`),
  noApiDestination: (verb: string, name: string) =>
    notFound(`Failed to ${verb} the api-destination(s). An api-destination '${name}' does not exist.`),
  busExists: (name: string) => exists(`Event bus ${name} already exists.`),
  archiveExists: (name: string) => exists(`Archive ${name} already exists.`),
  replayExists: (name: string) => exists(`Replay ${name} already exists.`),
  connectionExists: (name: string) => exists(`Connection ${name} already exists.`),
  apiDestinationExists: (name: string) => exists(`An api-destination '${name}' already exists.`),
  managed: (name: string) =>
    new AwsError(
      "ManagedRuleException",
      400,
      `Rule ${name} is managed by an AWS service can only be modified if force option is enabled.`,
    ),
  eventPattern: (message: string) => new AwsError("InvalidEventPatternException", 400, message),
  policyTooLong: () =>
    new AwsError("PolicyLengthExceededException", 400, "The event bus policy exceeds the maximum length of 10240."),
  illegalStatus: (message: string) => new AwsError("IllegalStatusException", 400, message),
  limit: () =>
    new AwsError("LimitExceededException", 400, "The requested resource exceeds the maximum number allowed."),
  /** What we do not do yet is refused by name, never ignored. */
  notImplemented: (what: string) => new AwsError("NotImplemented", 501, `${what} is not implemented by aws-like.`),
} as const;
