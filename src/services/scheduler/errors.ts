// Scheduler's errors. Words in the second half are ours: AWS's are not recorded.
import { AwsError } from "../../kernel/mod.ts";

const validation = (message: string): AwsError =>
  new AwsError("ValidationException", 400, message, { Message: message });
const notFound = (message: string): AwsError =>
  new AwsError("ResourceNotFoundException", 404, message, { Message: message });
const conflict = (message: string): AwsError => new AwsError("ConflictException", 409, message, { Message: message });

export const errors = {
  expression: (expression: string) => validation(`Invalid Schedule Expression ${expression}.`),
  role: () => validation("The execution role you provide must allow AWS EventBridge Scheduler to assume the role."),
  noSchedule: (name: string) => notFound(`Schedule ${name} does not exist.`),
  noGroup: (name: string) => notFound(`Schedule group ${name} does not exist.`),
  scheduleExists: (name: string) => conflict(`Schedule ${name} already exists.`),
  groupExists: (name: string) => conflict(`Schedule group ${name} already exists.`),
  startTooEarly: () => validation("The StartDate you specify cannot be earlier than 5 minutes ago."),

  zone: (zone: string) => validation(`Invalid Schedule Expression Timezone ${zone}.`),
  endTooEarly: () => validation("The EndDate you specify cannot be in the past."),
  endBeforeStart: () => validation("The EndDate you specify must be later than the StartDate."),
  windowMissing: () => validation("MaximumWindowInMinutes must be specified for a FLEXIBLE flexible time window."),
  windowUnwanted: () =>
    validation("MaximumWindowInMinutes must not be specified when the flexible time window is OFF."),
  arn: () => validation("Provided Arn is not in correct format."),
  readOnly: (arn: string) => validation(`${arn} is not a supported target: it only reads.`),
  inputNotJson: () => validation("The Input of this target must be well-formed JSON."),
  parametersMissing: (member: string) => validation(`${member} must be specified for this target.`),
  parametersUnwanted: (member: string) => validation(`${member} is not a parameter of this target.`),
  defaultGroup: () => validation("The default schedule group cannot be deleted."),
  tooManyTags: (most: number) => validation(`A schedule group can have at most ${most} tags.`),
  nextToken: () => validation("Invalid NextToken."),
  tooManyGroups: (most: number) => {
    const message = `The maximum number of schedule groups is ${most}.`;
    return new AwsError("ServiceQuotaExceededException", 402, message, { Message: message });
  },
  /** What we do not do yet is refused by name, never ignored. */
  notImplemented: (what: string) => new AwsError("NotImplemented", 501, `${what} is not implemented by aws-like.`),
} as const;
