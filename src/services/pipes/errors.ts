// The errors of EventBridge Pipes.
import { AwsError } from "../../kernel/mod.ts";

export interface Field {
  readonly name: string;
  readonly message: string;
}

export const errors = {
  /** The fields stand in the message too, as AWS puts them there. */
  validation: (...fields: readonly Field[]) =>
    new AwsError(
      "ValidationException",
      400,
      JSON.stringify({ ValidationErrorFields: fields.map(({ name, message }) => ({ Name: name, Message: message })) }),
      { fieldList: fields },
    ),
  noPipe: (name: string) => new AwsError("NotFoundException", 404, `Pipe ${name} does not exist.`),
  taken: (name: string) => new AwsError("ConflictException", 409, `Pipe ${name} already exists.`),
  /** What we do not do yet is refused by name, never ignored. */
  notImplemented: (what: string) => new AwsError("NotImplemented", 501, `${what} is not implemented by aws-like.`),
} as const;
