// The code of a denial, where a service has another than its protocol family's.
import { AwsError } from "../kernel/error.ts";
import { authError, type Family } from "./signature.ts";

const OWN: Readonly<Record<string, readonly [code: string, status: number]>> = {
  sns: ["AuthorizationError", 403],
  sqs: ["AccessDenied", 403],
};

/** SQS names the action in lower case: `sqs:createqueue`, SNS itself in capitals: `SNS:Publish`. Policies do not mind. */
export const saidAction = (service: string, action: string): string => {
  if (service === "sqs") return action.toLowerCase();
  return service === "sns" ? action.replace(/^sns:/, "SNS:") : action;
};

export function deniedBy({ family, service }: { family: Family; service: string }, message: string): AwsError {
  const own = OWN[service];
  return own ? new AwsError(own[0], own[1], message) : authError(family, "denied", { message });
}
