// Who signed a posted form: its policy document is what is signed, and nothing else is. The policy itself is S3's to hold the form against.
// https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-authentication-HTTPPOST.html
import { createHmac } from "node:crypto";
import { AwsError } from "../kernel/error.ts";
import type { HttpRequest } from "../model/http.ts";
import { authError } from "./auth-errors.ts";
import { ALGORITHM } from "./canonical.ts";
import { basicTime, type Claim, type Terms } from "./claim.ts";
import { ALGORITHM_4A, checkDay, readCredential, version4a } from "./claim-s3.ts";
import { bytesText, equal, signerOf } from "./signature.ts";

type Form = NonNullable<HttpRequest["form"]>;

const argument = (name: string, value: string, text: string) =>
  new AwsError("InvalidArgument", 400, text, { ArgumentName: name, ArgumentValue: value });

/** As S3 spells them when it misses one. */
const VERSION_4 = ["X-Amz-Algorithm", "X-Amz-Credential", "X-Amz-Date", "X-Amz-Signature"];
const VERSION_2 = ["AWSAccessKeyId", "Signature"];

/** undefined: the form is not signed. */
export function claimForm(request: HttpRequest, form: Form, terms: Terms): Claim | undefined {
  const field = (name: string) => form.fields.get(name.toLowerCase());
  const names = [VERSION_4, VERSION_2].find((version) => version.some((name) => field(name) !== undefined));
  const header = request.headers.authorization;
  if (header !== undefined) {
    if (names) throw argument("Authorization", header, "Only one auth mechanism allowed");
    throw new AwsError("NotImplemented", 501, "aws-like does not implement a form with an Authorization header yet.");
  }
  if (!names) return undefined;
  const missing = [...names, "Policy"].find((name) => !field(name));
  if (missing !== undefined)
    throw argument(
      missing,
      "",
      `Bucket POST must contain a field named '${missing}'.  If it is specified, please check the order of the fields.`,
    );
  const common = { kind: "form", signedHeaders: [], sessionToken: field("x-amz-security-token") } as const;
  if (names === VERSION_2) {
    const [accessKeyId, signature] = [field("AWSAccessKeyId")!, field("Signature")!];
    // It names no region: it is of the time when there was one.
    const scope = { date: "", region: "us-east-1", service: terms.service, timestamp: "" };
    return { ...common, ...scope, version2: true, accessKeyId, signature };
  }
  const [algorithm, credential, date, signature] = VERSION_4.map((name) => field(name)!) as [
    string,
    string,
    string,
    string,
  ];
  if (algorithm === ALGORITHM_4A) throw version4a();
  if (algorithm !== ALGORITHM)
    throw argument("X-Amz-Algorithm", algorithm, 'X-Amz-Algorithm only supports "AWS4-HMAC-SHA256"');
  const malformed = (text: string) => argument("X-Amz-Credential", credential, text);
  const scope = readCredential(credential, terms, malformed);
  if (basicTime(date) === undefined)
    throw argument("X-Amz-Date", date, "X-Amz-Date must be in the ISO8601 Long Format \"yyyyMMdd'T'HHmmss'Z'\"");
  checkDay(scope.date, date, malformed);
  return { ...common, ...scope, signature, timestamp: date };
}

/** Throws SignatureDoesNotMatch. The policy is signed as it was sent, in base64. */
export function verifyForm(claimed: Claim, form: Form, secretAccessKey: string): void {
  const policy = form.fields.get("policy")!;
  const right = claimed.version2
    ? createHmac("sha1", secretAccessKey).update(policy).digest("base64")
    : signerOf(secretAccessKey, claimed).sign(policy);
  if (equal(Buffer.from(right), Buffer.from(claimed.signature))) return;
  const { accessKeyId: AWSAccessKeyId, signature: SignatureProvided } = claimed;
  const fields = { AWSAccessKeyId, StringToSign: policy, SignatureProvided, StringToSignBytes: bytesText(policy) };
  throw authError("s3", "mismatch", { fields });
}
