// What the tests of this service share: a cloud with a role that Lambda may assume, and functions in a few words.
import { CreateRoleCommand, IAMClient, PutRolePolicyCommand } from "@aws-sdk/client-iam";
import {
  CreateFunctionCommand,
  type CreateFunctionCommandInput,
  InvokeCommand,
  type InvokeCommandInput,
  LambdaClient,
} from "@aws-sdk/client-lambda";
import type { StartOptions } from "../src/aws.ts";
import { startCloud, type TestCloud } from "./cloud.ts";
import { type Packed, zipOf } from "./zip.ts";

export const ACCOUNT = "000000000000";
export const ROLE = `arn:aws:iam::${ACCOUNT}:role/function`;
export const arnOf = (name: string): string => `arn:aws:lambda:us-east-1:${ACCOUNT}:function:${name}`;

export interface LambdaCloud extends TestCloud {
  readonly lambda: LambdaClient;
  /** A bash function of provided.al2023: `handler` is its body. */
  createBash(name: string, handler: string, more?: Partial<CreateFunctionCommandInput>): Promise<void>;
  /** A function of nodejs24.x: `source` is its index.mjs. */
  createNode(name: string, source: string, more?: Partial<CreateFunctionCommandInput>): Promise<void>;
  /** What the function answered, read as JSON. */
  invoke(name: string, payload?: unknown, more?: Partial<InvokeCommandInput>): Promise<Answer>;
}

export interface Answer {
  readonly status: number | undefined;
  readonly error: string | undefined;
  readonly version: string | undefined;
  // biome-ignore lint/suspicious/noExplicitAny: whatever a test's function answers
  readonly payload: any;
  readonly log: string;
}

export const bash = (body: string, files: Record<string, Packed | string> = {}): Uint8Array =>
  zipOf({ "lambda.sh": `handler() {\n${body}\n}\n`, ...files });

export async function startCloudWithRole(options: StartOptions = {}): Promise<LambdaCloud> {
  const cloud = await startCloud(options);
  const lambda = cloud.client(LambdaClient);
  await createRole(cloud, "function", "lambda.amazonaws.com");
  return {
    ...cloud,
    [Symbol.asyncDispose]: () => cloud[Symbol.asyncDispose](),
    lambda,
    async createBash(name, body, more = {}) {
      await lambda.send(
        new CreateFunctionCommand({
          FunctionName: name,
          Runtime: "provided.al2023",
          Handler: "lambda.handler",
          Role: ROLE,
          Code: { ZipFile: bash(body) },
          ...more,
        }),
      );
    },
    async createNode(name, source, more = {}) {
      await lambda.send(
        new CreateFunctionCommand({
          FunctionName: name,
          Runtime: "nodejs24.x",
          Handler: "index.handler",
          Role: ROLE,
          Timeout: 10,
          Code: { ZipFile: zipOf({ "index.mjs": source }) },
          ...more,
        }),
      );
    },
    async invoke(name, payload, more = {}) {
      const Payload = payload === undefined ? undefined : JSON.stringify(payload);
      const answer = await lambda.send(new InvokeCommand({ FunctionName: name, Payload, ...more }));
      const text = answer.Payload?.transformToString() ?? "";
      return {
        status: answer.StatusCode,
        error: answer.FunctionError,
        version: answer.ExecutedVersion,
        payload: text === "" ? undefined : JSON.parse(text),
        log: Buffer.from(answer.LogResult ?? "", "base64").toString(),
      };
    },
  };
}

/** A role that may do everything, and that `service` may assume. */
export async function createRole(cloud: TestCloud, name: string, service: string): Promise<void> {
  const iam = cloud.client(IAMClient);
  const statement = (of: object) => JSON.stringify({ Version: "2012-10-17", Statement: [{ Effect: "Allow", ...of }] });
  await iam.send(
    new CreateRoleCommand({
      RoleName: name,
      AssumeRolePolicyDocument: statement({ Principal: { Service: service }, Action: "sts:AssumeRole" }),
    }),
  );
  await iam.send(
    new PutRolePolicyCommand({
      RoleName: name,
      PolicyName: "all",
      PolicyDocument: statement({ Action: "*", Resource: "*" }),
    }),
  );
}
