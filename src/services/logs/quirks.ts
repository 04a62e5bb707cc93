// Where CloudWatch Logs departs from its own model.
import { type Quirks, withoutNulls } from "../../kernel/mod.ts";
import { errors } from "./errors.ts";

export const quirks: Quirks = {
  input: (_operation, input) => withoutNulls(input),

  /** A long name has words of its own (recorded); all else is told as an InvalidParameterException. */
  invalid(_operation, violations) {
    const long = /' at 'log(Group|Stream)Name' failed to satisfy constraint: Member must have length less than/;
    return violations.some((violation) => long.test(violation)) ? errors.nameTooLong() : errors.invalid(violations);
  },
};
