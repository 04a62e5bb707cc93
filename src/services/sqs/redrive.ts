// Redrive policies: which queue gets what was received too often. And redrive-allow policies: which queues may name this one for that.
// https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-dead-letter-queues.html
import { type Arn, parseArn } from "../../kernel/mod.ts";
import { errors } from "./errors.ts";

export interface RedrivePolicy {
  readonly deadLetterTargetArn: Arn;
  readonly maxReceiveCount: number;
}

const MANDATORY = ["maxReceiveCount", "deadLetterTargetArn"] as const;
const MOST_RECEIVES = 1000;

/** Of a queue's attributes, where it was checked. */
export const redriveOf = (attributes: Readonly<Record<string, string>>): RedrivePolicy | undefined =>
  attributes.RedrivePolicy === undefined ? undefined : (JSON.parse(attributes.RedrivePolicy) as RedrivePolicy);

/** As AWS keeps it: the count is a number, however it came. Throws AWS's sentence; whether the target exists is not looked at. */
export function parseRedrive(text: string): RedrivePolicy {
  const wrong = (reason: string) => errors.parameter("RedrivePolicy", text, reason);
  const json = parseObject(text);
  if (!json) throw wrong("Redrive policy is not a valid JSON map.");
  for (const name of MANDATORY)
    if (json[name] === undefined || json[name] === null || json[name] === "")
      throw wrong(`Redrive policy does not contain mandatory attribute: ${name}.`);
  const other = Object.keys(json).find((name) => !(MANDATORY as readonly string[]).includes(name));
  if (other !== undefined)
    throw wrong(`Only following attributes are supported: [deadLetterTargetArn, maxReceiveCount].`);
  const { maxReceiveCount, deadLetterTargetArn } = json;
  const count = /^\d{1,9}$/.test(String(maxReceiveCount)) ? Number(maxReceiveCount) : 0;
  if (count < 1 || count > MOST_RECEIVES)
    throw wrong(
      `Invalid value for maxReceiveCount: ${maxReceiveCount}, valid values are from 1 to ${MOST_RECEIVES} both inclusive.`,
    );
  if (parseArn(String(deadLetterTargetArn))?.service !== "sqs") throw wrong("Invalid value for deadLetterTargetArn.");
  return { deadLetterTargetArn: String(deadLetterTargetArn), maxReceiveCount: count };
}

const PERMISSIONS = ["allowAll", "denyAll", "byQueue"];
const MOST_SOURCES = 10;

interface RedriveAllowPolicy {
  readonly redrivePermission: string;
  readonly sourceQueueArns?: readonly Arn[];
}

/** Throws AWS's sentence about what is wrong. */
export function checkRedriveAllow(text: string): void {
  const json = parseObject(text);
  const { redrivePermission, sourceQueueArns: sources, ...others } = json ?? {};
  const isSound =
    PERMISSIONS.includes(redrivePermission as string) &&
    Object.keys(others).length === 0 &&
    (sources === undefined || (Array.isArray(sources) && sources.every((arn) => typeof arn === "string")));
  if (!isSound)
    throw errors.attribute(
      "RedriveAllowPolicy",
      "Amazon SQS can't create the redrive allow policy, as it\u2019s in an unsupported format.",
    );
  const wrong = (reason: string) =>
    errors.parameter("RedriveAllowPolicy", text, `Amazon SQS can't create the redrive allow policy. ${reason}`);
  const count = (sources as unknown[] | undefined)?.length ?? 0;
  if (redrivePermission !== "byQueue" && sources !== undefined)
    throw wrong("To specify one or more source queue ARNs, you must set redrivePermission to byQueue.");
  if (redrivePermission === "byQueue" && count === 0)
    throw wrong(
      "When you specify the byQueue permission type, you must also specify one or more sourceQueueArns values.",
    );
  if (count > MOST_SOURCES) throw wrong(`The maximum number of source queue ARNs you can specify is ${MOST_SOURCES}.`);
}

/** Whether a queue of these attributes may be the dead-letter queue of `source`. */
export function allowsRedrive({ RedriveAllowPolicy: text }: Readonly<Record<string, string>>, source: Arn): boolean {
  if (text === undefined) return true;
  const { redrivePermission, sourceQueueArns = [] } = JSON.parse(text) as RedriveAllowPolicy;
  return redrivePermission === "allowAll" || (redrivePermission === "byQueue" && sourceQueueArns.includes(source));
}

function parseObject(text: string): Record<string, unknown> | undefined {
  try {
    const json: unknown = JSON.parse(text);
    return typeof json === "object" && json !== null && !Array.isArray(json)
      ? (json as Record<string, unknown>)
      : undefined;
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
    return undefined;
  }
}
