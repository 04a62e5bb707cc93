// The role of a function that was given none.
import { UserError } from "../command.ts";
import { callAws } from "../send/call.ts";
import type { Access } from "../signed.ts";

const TRUST = {
  Version: "2012-10-17",
  Statement: [{ Effect: "Allow", Principal: { Service: "lambda.amazonaws.com" }, Action: "sts:AssumeRole" }],
};

/** What AWSLambdaBasicExecutionRole allows, for one function's log group. */
const logging = (name: string) => ({
  Version: "2012-10-17",
  Statement: [
    {
      Effect: "Allow",
      Action: ["logs:CreateLogGroup", "logs:CreateLogStream", "logs:PutLogEvents"],
      Resource: [`arn:aws:logs:*:*:log-group:/aws/lambda/${name}`, `arn:aws:logs:*:*:log-group:/aws/lambda/${name}:*`],
    },
  ],
});

/** Its ARN. One that exists is taken as it is. */
export async function basicRole(access: Access, name: string): Promise<string> {
  const RoleName = `${name}-role`;
  const made = await callAws(access, {
    service: "iam",
    operation: "CreateRole",
    form: { RoleName, AssumeRolePolicyDocument: JSON.stringify(TRUST) },
  }).catch((error) => {
    if (error instanceof UserError && error.message.startsWith("EntityAlreadyExists")) return undefined;
    throw error;
  });
  if (made !== undefined)
    await callAws(access, {
      service: "iam",
      operation: "PutRolePolicy",
      form: { RoleName, PolicyName: "logs", PolicyDocument: JSON.stringify(logging(name)) },
    });
  const role = made ?? (await callAws(access, { service: "iam", operation: "GetRole", form: { RoleName } }));
  return /<Arn>([^<]+)</.exec(role)![1]!;
}
