// STS's errors, in STS's words.
import { AwsError } from "../../kernel/mod.ts";

const validation = (message: string) => new AwsError("ValidationError", 400, message);
const parameter = (message: string) => new AwsError("InvalidParameterValue", 400, message);

export const errors = {
  badArn: (arn: string) => validation(`${arn} is invalid`),
  rootMayNot: () => new AwsError("AccessDenied", 403, "Roles may not be assumed by root accounts."),
  sessionMayNot: () => new AwsError("AccessDenied", 403, "Cannot call GetSessionToken with session credentials"),
  tooLong: () => validation("The requested DurationSeconds exceeds the MaxSessionDuration set for this role."),
  chainedTooLong: () =>
    validation("The requested DurationSeconds exceeds the 1 hour session limit for roles assumed by role chaining."),
  malformed: (fault: string) => new AwsError("MalformedPolicyDocument", 400, fault),
  packedTooLarge: (percent: number) =>
    new AwsError(
      "PackedPolicyTooLarge",
      400,
      `Packed policy consumes ${percent}% of allotted space, please use smaller policy.`,
    ),
  tooManyArns: () =>
    validation(
      "1 validation error detected: Value at 'policyArns' failed to satisfy constraint: Member must have length less than or equal to 10",
    ),
  repeatedTags: () => parameter("Duplicate tag keys found. Please note that Tag keys are case insensitive."),
  transitiveUnknown: () => parameter("The specified transitive tag key must be included in the requested tags."),
  noSuchKey: () => validation("The request must contain a valid access key id."),
  /** Ours: a parameter without effect is refused by name. */
  notImplemented: (what: string) => new AwsError("NotImplemented", 501, `aws-like does not implement ${what} yet.`),
};
