// EventBridge's errors, word for word.
import { AwsError } from "../../kernel/mod.ts";

const notFound = (message: string): AwsError => new AwsError("ResourceNotFoundException", 400, message);

export const errors = {
  validation: (message: string) => new AwsError("ValidationException", 400, message),
  notFound,
  noRule: (name: string) => notFound(`Rule ${name} does not exist on EventBus default.`),
  noBus: (name: string) => notFound(`Event bus ${name} does not exist.`),
  limit: () =>
    new AwsError("LimitExceededException", 400, "The requested resource exceeds the maximum number allowed."),
  /** What we do not do yet is refused by name, never ignored. */
  notImplemented: (what: string) => new AwsError("NotImplemented", 501, `${what} is not implemented by aws-like.`),
} as const;
