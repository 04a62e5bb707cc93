// Input that breaks the model is InvalidInputException here, not the ValidationException of its protocol.
import { AwsError, type Quirks } from "../../kernel/mod.ts";

/** A piece of the model's sentence -> Reason and AWS's sentence. */
const SENTENCES: readonly (readonly [RegExp, reason: string, message: string])[] = [
  [/Member must not be null/, "INPUT_REQUIRED", "You must include a value for all required parameters."],
  [/enum value set/, "INVALID_ENUM", "You specified an invalid value."],
  [/regular expression/, "INVALID_PATTERN", "You provided a value that does not match the required pattern."],
  [/less than or equal to/, "MAX_LENGTH_EXCEEDED", "You provided a value that exceeds the maximum allowed."],
  [/greater than or equal to/, "MIN_LENGTH_EXCEEDED", "You provided a value that is below the minimum allowed."],
];

export const quirks: Quirks = {
  invalid(_operation, violations) {
    const found = SENTENCES.find(([pattern]) => pattern.test(violations[0]!));
    if (!found) return undefined;
    const [, Reason, message] = found;
    return new AwsError("InvalidInputException", 400, message, { Reason });
  },
};
