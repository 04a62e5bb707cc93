// Principals of a test's own, and the error of a call that is refused.
import assert from "node:assert/strict";
import { CreateAccessKeyCommand, CreateUserCommand, IAMClient, PutUserPolicyCommand } from "@aws-sdk/client-iam";
import type { Key, TestCloud } from "./cloud.ts";

export const policy = (...Statement: object[]): string => JSON.stringify({ Version: "2012-10-17", Statement });
export const allow = (Action: string | string[], more: object = {}): object => ({
  Effect: "Allow",
  Action,
  Resource: "*",
  ...more,
});
export const trust = (Principal: object, more: object = {}): string =>
  policy({ Effect: "Allow", Action: "sts:AssumeRole", Principal, ...more });
export const LAMBDA = trust({ Service: "lambda.amazonaws.com" });

/** A user with one key, who may do what the policy `may` says; made by the root key, or `by` another. */
export async function userWith(
  cloud: TestCloud,
  name: string,
  { may, by }: { may?: string | undefined; by?: Key } = {},
): Promise<Key> {
  const iam = cloud.client(IAMClient, by);
  await iam.send(new CreateUserCommand({ UserName: name }));
  if (may !== undefined)
    await iam.send(new PutUserPolicyCommand({ UserName: name, PolicyName: "p", PolicyDocument: may }));
  const { AccessKey } = await iam.send(new CreateAccessKeyCommand({ UserName: name }));
  return { accessKeyId: AccessKey!.AccessKeyId!, secretAccessKey: AccessKey!.SecretAccessKey! };
}

/** Code, status and message of a call that is refused. */
export async function refusal(sent: Promise<unknown>): Promise<string> {
  try {
    await sent;
  } catch (error) {
    const { Code, name, message, $metadata } = error as {
      Code?: string;
      name: string;
      message: string;
      $metadata?: { httpStatusCode?: number };
    };
    assert.ok($metadata, `no answer, but ${message}`);
    return `${Code ?? name} ${$metadata.httpStatusCode} ${message}`;
  }
  assert.fail("it was answered with success");
}
