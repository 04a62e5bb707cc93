// AWS::Lambda::Url. https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-lambda-url.html
import { defineKind, unless } from "./kind.ts";
import { listOf, record } from "./shape.ts";

/** Also SAM's, of FunctionUrlConfig. */
export const urlFields = {
  AuthType: "text",
  Cors: record({
    AllowCredentials: "boolean",
    AllowHeaders: listOf("text"),
    AllowMethods: listOf("text"),
    AllowOrigins: listOf("text"),
    ExposeHeaders: listOf("text"),
    MaxAge: "number",
  }),
  InvokeMode: "text",
} as const;

const urlShape = record({ ...urlFields, TargetFunctionArn: "text" }, ["AuthType", "TargetFunctionArn"]);

/** A function has one: it is called like its function. */
export const functionUrl = defineKind<typeof urlShape>({
  shape: urlShape,
  named: "TargetFunctionArn",
  longestName: 64,
  fixed: [],
  identify: (name, { account, region }) => {
    const arn = name.startsWith("arn:") ? name : `arn:aws:lambda:${region}:${account}:function:${name}`;
    return { ref: arn, attributes: { FunctionArn: arn } };
  },
  later: {
    FunctionUrl: async (call, FunctionName) =>
      (await call("lambda", "GetFunctionUrlConfig", { FunctionName })).FunctionUrl,
  },
  exists: async (call, { name: FunctionName }) =>
    (await unless(call("lambda", "GetFunctionUrlConfig", { FunctionName }), "ResourceNotFoundException")) !== undefined,
  async create(call, { name: FunctionName, properties: { TargetFunctionArn: _, ...given } }) {
    await call("lambda", "CreateFunctionUrlConfig", { ...(given as Given), FunctionName });
  },
  async update(call, { name: FunctionName, properties: { TargetFunctionArn: _, ...given } }) {
    // What the template no longer says is as if it had never said it.
    const stated = { Cors: {}, InvokeMode: "BUFFERED", ...(given as Given) } as const;
    await call("lambda", "UpdateFunctionUrlConfig", { ...stated, FunctionName });
  },
  async remove(call, { name: FunctionName }) {
    await unless(call("lambda", "DeleteFunctionUrlConfig", { FunctionName }), "ResourceNotFoundException");
    return true;
  },
});

/** What the template says may be wrong: Lambda says so. */
interface Given {
  readonly AuthType: "NONE";
  readonly InvokeMode?: "BUFFERED";
}
