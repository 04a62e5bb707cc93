// STS's errors, in STS's words.
import { AwsError } from "../../kernel/mod.ts";

const validation = (message: string) => new AwsError("ValidationError", 400, message);
const parameter = (message: string) => new AwsError("InvalidParameterValue", 400, message);
const denied = (message: string) => new AwsError("AccessDenied", 403, message);
const identityToken = (message: string) => new AwsError("InvalidIdentityToken", 400, message);

export const errors = {
  badArn: (arn: string) => validation(`${arn} is invalid`),
  rootMayNot: () => denied("Roles may not be assumed by root accounts."),
  sessionMayNot: (operation: string) => denied(`Cannot call ${operation} with session credentials`),
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
  policyTooLong: () =>
    validation(
      "1 validation error detected: Value at 'policy' failed to satisfy constraint: Member must have length less than or equal to 2048",
    ),
  repeatedTags: () => parameter("Duplicate tag keys found. Please note that Tag keys are case insensitive."),
  transitiveUnknown: () => parameter("The specified transitive tag key must be included in the requested tags."),
  transitiveConflict: () =>
    parameter(
      "One of the specified transitive tag keys can't be set because it conflicts with a transitive tag key from the calling session.",
    ),
  noSuchKey: () => validation("The request must contain a valid access key id."),

  // Multi-factor authentication
  mfaIncomplete: () =>
    denied("MultiFactorAuthentication failed, must provide both MFA serial number and one time pass code."),
  mfaWrong: () => denied("MultiFactorAuthentication failed with invalid MFA one time pass code. "),

  // Web identities
  noJwt: () =>
    identityToken("The ID Token provided is not a valid JWT. (You may see this error if you sent an Access Token)"),
  noProvider: (issuer: string) => identityToken(`No OpenIDConnect provider found in your account for ${issuer}`),
  wrongAudience: () => identityToken("Incorrect token audience"),
  missingClaim: (name: string) => identityToken(`Missing a required claim: ${name}`),
  noKeys: () =>
    identityToken(
      "Couldn't retrieve verification key from your identity provider,  please reference AssumeRoleWithWebIdentity documentation for requirements",
    ),
  /** Times in seconds since the epoch. */
  tokenExpired: (now: number, expired: number) =>
    new AwsError(
      "ExpiredTokenException",
      400,
      `Token expired: current date/time ${now} must be before the expiration date/time${expired}`,
    ),

  // AWS's words for these are not known: these are ours.
  wrongSignature: () => identityToken("The signature of the token is invalid"),
  badClaim: (name: string) => identityToken(`The claim ${name} is invalid`),
  tokenNotYet: () => identityToken("The token is not valid yet"),
  noCommunication: (issuer: string) =>
    new AwsError("IDPCommunicationError", 400, `The identity provider ${issuer} could not be reached`),
  tagReserved: (key: string) => parameter(`Tag keys beginning with aws: are reserved: ${key}`),
  sourceIdentityFixed: (kept: string) =>
    denied(`The source identity of the calling session is ${kept} and cannot be changed.`),
  tokenSize: (size: number) => validation(`MinimumSessionTokenSize must be between 0 and 4096, but was ${size}`),
  /** A parameter without effect is refused by name. */
  notImplemented: (what: string) => new AwsError("NotImplemented", 501, `aws-like does not implement ${what} yet.`),
};
