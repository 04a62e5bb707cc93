// What a target must be, before it is put: AWS's sentences, and by name what has no effect here.
// https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-targets.html
import { type Arn, httpFault, type Input, parseArn, stepsOf, takesParcels } from "../../kernel/mod.ts";
import { errors } from "./errors.ts";
import { isJson, templateFault } from "./input.ts";
import type { RuleRef } from "./rows.ts";

export type Target = NonNullable<Input<"events", "PutTargets">["Targets"]>[number];

/** What is brought there, and how. Undefined: nothing here brings anything there. */
export function kindOf(arn: Arn): "parcel" | "bus" | "api-destination" | "archive" | undefined {
  const parts = parseArn(arn);
  if (parts?.service !== "events") return parts && takesParcels(parts.service) ? "parcel" : undefined;
  return (["bus", "api-destination", "archive"] as const).find((kind) =>
    parts.resource.startsWith(kind === "bus" ? "event-bus/" : `${kind}/`),
  );
}

const MEMBERS = [
  "Id",
  "Arn",
  "Input",
  "InputPath",
  "InputTransformer",
  "RoleArn",
  "SqsParameters",
  "HttpParameters",
  "RetryPolicy",
  "DeadLetterConfig",
];

export function checkTarget(rule: RuleRef, target: Target): void {
  const { Id, Arn = "", RoleArn } = target;
  const arn = parseArn(Arn);
  if (!arn) throw errors.parameter(Arn, "Provided Arn is not in correct format.");
  const kind = kindOf(Arn);
  if (kind === undefined || kind === "archive") throw errors.notImplemented(`A target of ${arn.service}`);
  for (const [member, value] of Object.entries(target))
    if (value !== undefined && !MEMBERS.includes(member)) throw errors.notImplemented(`Targets.${member}`);
  checkInput(target);
  const elsewhere = arn.account !== rule.account || arn.region !== rule.region;
  if (!RoleArn && (kind === "api-destination" || (kind === "bus" && elsewhere)))
    throw errors.validation(`RoleArn is required for target ${Arn}.`);
  if (kind === "bus" && (target.Input ?? target.InputPath ?? target.InputTransformer) !== undefined)
    throw errors.notImplemented("An input of one's own for an event bus");
  if (target.HttpParameters && kind !== "api-destination") throw errors.notImplemented("Targets.HttpParameters");
  const fault = httpFault(target.HttpParameters);
  if (fault !== undefined) throw errors.validation(`Invalid HttpParameters for target ${Id} : ${fault}`);
  const fifo = arn.service === "sqs" && arn.resource.endsWith(".fifo");
  if (fifo && !target.SqsParameters?.MessageGroupId)
    throw errors.validation(`Parameter(s) SqsParameters must be specified for target: ${Id}.`);
  const dead = target.DeadLetterConfig?.Arn;
  if (dead !== undefined && parseArn(dead)?.service !== "sqs")
    throw errors.parameter(dead, "Provided Arn is not in correct format.");
}

function checkInput({ Id, Input: input, InputPath, InputTransformer }: Target): void {
  if ([input, InputPath, InputTransformer].filter((given) => given !== undefined).length > 1)
    throw errors.validation(`Only one of Input, InputPath, or InputTransformer must be provided for target ${Id}.`);
  if (input !== undefined && !isJson(input))
    throw errors.validation(`JSON syntax error in input for target ${Id} : ${input}`);
  if (InputPath !== undefined && !stepsOf(InputPath))
    throw errors.validation(`Invalid InputPath for target ${Id} : ${InputPath}`);
  if (!InputTransformer) return;
  const { InputPathsMap = {}, InputTemplate = "" } = InputTransformer;
  for (const [name, path] of Object.entries(InputPathsMap)) {
    if (/^aws/i.test(name)) throw errors.validation(`InputPathsMap for target ${Id} uses the reserved name ${name}.`);
    if (!stepsOf(path)) throw errors.validation(`Invalid InputPath for target ${Id} : ${path}`);
  }
  const fault = templateFault(InputTemplate, Object.keys(InputPathsMap));
  if (fault === "malformed") throw errors.validation(`Invalid InputTemplate for target ${Id} : ${InputTemplate}`);
  if (fault) throw errors.validation(`InputTemplate for target ${Id} contains invalid placeholder ${fault.unknown}.`);
}
