// Why the door did not know who asked: AWS's short answers in the words of a trainee. The codes differ by protocol, the reasons do not.
import type { Entry } from "../kernel/journal.ts";
import { type Answered, wasRefused } from "./record.ts";

interface Reason {
  readonly code: RegExp;
  /** Of AWS's message, where one code has several reasons. */
  readonly message?: RegExp;
  say(about: Answered): string;
}

const REASONS: readonly Reason[] = [
  {
    code: /^(SignatureDoesNotMatch|InvalidSignatureException)$/,
    message: /scoped|Date in Credential scope/,
    say: ({ scope, service }) =>
      `the signature is for another place (${scope ?? "?"}): a signature is good for one day, one region and one service, here ${service}. The client's region or endpoint is not what it should be`,
  },
  {
    code: /^(RequestTimeTooSkewed|SignatureDoesNotMatch|InvalidSignatureException)$/,
    message: /too large|expired|not yet current/,
    say: ({ dated }) =>
      `it was signed at ${dated}, more than 15 minutes away from this machine's time: the client's clock is wrong, or the request was kept and sent later. (A signature's age is judged by real time, not by the clock of aws-like)`,
  },
  {
    code: /^(SignatureDoesNotMatch|InvalidSignatureException)$/,
    say: ({ key = "?" }) =>
      `the key ${key} is known, and the signature was not made with its secret of this very request`,
  },
  {
    code: /^(InvalidAccessKeyId|UnrecognizedClientException|InvalidClientTokenId)$/,
    message: /included in the request is invalid$/,
    say: ({ key }) =>
      `the session token is not the one that was given with the key ${key}, or a long-term key came with a token: send all three values of one session, or only the two of a user`,
  },
  {
    code: /^(InvalidAccessKeyId|UnrecognizedClientException|InvalidClientTokenId)$/,
    say: ({ key }) =>
      `no user, session or account here has the key ${key}: it was never made in this workspace, was deleted, or is inactive (aws iam list-access-keys). Keys of the real AWS are unknown here; the root key is in what \`aws-like env\` prints`,
  },
  {
    code: /^InvalidToken$/,
    say: ({ key }) =>
      `the session token is not the one that was given with the key ${key}, or a long-term key came with a token`,
  },
  {
    code: /^ExpiredToken(Exception)?$/,
    say: ({ key }) =>
      `the session of key ${key} has ended, by the clock of aws-like (aws-like clock): assume the role again`,
  },
  {
    code: /^AccessDenied$/,
    message: /Request has expired/,
    say: ({ dated }) => `the presigned URL was made at ${dated} and its time is over: make a new one`,
  },
  {
    code: /^AccessDenied$/,
    message: /not valid yet/,
    say: ({ dated }) => `the presigned URL is of ${dated}, more than 15 minutes ahead of this machine's time`,
  },
  {
    code: /^AccessDenied$/,
    message: /not signed/,
    say: () =>
      "a header that tells S3 what to do (x-amz-...) came without being signed: add it to what is signed, or leave it away",
  },
  {
    code: /^(IncompleteSignature(Exception)?|AuthorizationHeaderMalformed|AuthorizationQueryParametersError)$/,
    say: ({ message }) => `the signature is not well formed: ${message}`,
  },
  {
    code: /^(MissingAuthenticationToken(Exception)?)$/,
    say: () => "it was not signed: the client has no credentials (aws configure list)",
  },
];

/** Sentences; empty where the caller was known. */
export function unknownCaller(answered: Answered, entries: readonly Entry[]): string[] {
  if (!wasRefused(answered)) return [];
  const { code = "", message = "" } = answered;
  const found = REASONS.find((reason) => reason.code.test(code) && (reason.message?.test(message) ?? true));
  const differences = entries.flatMap(({ fields }) =>
    Array.isArray(fields?.reasons) ? (fields.reasons as string[]) : [],
  );
  return [...(found ? [found.say(answered)] : []), ...differences];
}
