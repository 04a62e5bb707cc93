// What may be subscribed, protocol by protocol, and in which form.
// https://docs.aws.amazon.com/sns/latest/api/API_Subscribe.html
import { parseArn } from "../../kernel/mod.ts";
import { isFifo } from "./arns.ts";
import { errors } from "./errors.ts";
import type { Protocol } from "./subscription-row.ts";

const CHECKS: Readonly<Record<Protocol, (endpoint: string) => void>> = {
  http: checkUrl("http"),
  https: checkUrl("https"),
  email: checkMail,
  "email-json": checkMail,
  sms(endpoint) {
    if (!isPhoneNumber(endpoint)) throw errors.smsEndpoint(endpoint);
  },
  sqs(endpoint) {
    const arn = parseArn(endpoint);
    if (
      arn?.service !== "sqs" ||
      !arn.region ||
      !/^\d{12}$/.test(arn.account) ||
      !/^[\w-]+(\.fifo)?$/.test(arn.resource)
    )
      throw errors.parameter("SQS endpoint ARN");
  },
  lambda(endpoint) {
    const arn = parseArn(endpoint);
    if (
      arn?.service !== "lambda" ||
      !arn.region ||
      !/^\d{12}$/.test(arn.account) ||
      !/^function:[\w-]+(:[\w$-]+)?$/.test(arn.resource)
    )
      throw errors.parameter("Lambda endpoint ARN");
  },
};
const REFUSED = ["application", "firehose"];
const MAX_URL = 2048;

/** Throws AWS's sentence. */
export function soundEndpoint(topic: string, given: string | undefined, endpoint: string | undefined): Protocol {
  const protocol = given ?? "";
  if (REFUSED.includes(protocol)) throw errors.notImplemented(`A subscription with the protocol ${protocol}`);
  if (!Object.hasOwn(CHECKS, protocol)) throw errors.protocol(protocol);
  if (!endpoint) throw errors.parameter("Endpoint");
  CHECKS[protocol as Protocol](endpoint);
  // Recorded, with its "Invalid parameter" said twice.
  if (!isFifo(topic) && protocol === "sqs" && isFifo(endpoint))
    throw errors.because("Invalid parameter: Endpoint", "FIFO SQS Queues can not be subscribed to standard SNS topics");
  if (isFifo(topic) && protocol !== "sqs")
    throw errors.because("Invalid parameter: Endpoint", "Please use FIFO SQS queue");
  return protocol as Protocol;
}

/** +, and digits that single separators may part (recorded: `+15/55-123.456 7` is one, `+15--551234567` is none). */
export const isPhoneNumber = (text: string): boolean => /^\+?\d(?:[-./() ]?\d){4,14}$/.test(text);

/** As a message is addressed. */
export const digitsOf = (number: string): string => `+${number.replace(/\D/g, "")}`;

function checkUrl(scheme: string): (endpoint: string) => void {
  return (endpoint) => {
    if (!endpoint.startsWith(`${scheme}://`)) throw errors.parameter("Endpoint must match the specified protocol");
    const url = URL.canParse(endpoint) && new URL(endpoint);
    if (!url || endpoint.length > MAX_URL || /\s/.test(endpoint))
      throw errors.because("Endpoint", "Endpoint is not a valid URL");
  };
}

function checkMail(endpoint: string): void {
  if (!/^[^\s@<>]+@[^\s@<>]+$/.test(endpoint)) throw errors.parameter("Email address");
}
