// AWS::Events::Connection and AWS::Events::ApiDestination. Their ARNs end with an id that EventBridge gives.
// https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-events-connection.html
import { defineKind, unless } from "./kind.ts";
import { listOf, record, type Value } from "./shape.ts";

const MISSING = "ResourceNotFoundException";
const parameters = listOf(record({ Key: "text", Value: "text", IsValueSecret: "boolean" }, ["Key", "Value"]));
const http = record({
  HeaderParameters: parameters,
  QueryStringParameters: parameters,
  BodyParameters: parameters,
});
const connectionShape = record(
  {
    Name: "text",
    Description: "text",
    AuthorizationType: "text",
    AuthParameters: record({
      BasicAuthParameters: record({ Username: "text", Password: "text" }, ["Username", "Password"]),
      ApiKeyAuthParameters: record({ ApiKeyName: "text", ApiKeyValue: "text" }, ["ApiKeyName", "ApiKeyValue"]),
      OAuthParameters: record(
        {
          ClientParameters: record({ ClientID: "text", ClientSecret: "text" }, ["ClientID", "ClientSecret"]),
          AuthorizationEndpoint: "text",
          HttpMethod: "text",
          OAuthHttpParameters: http,
        },
        ["ClientParameters", "AuthorizationEndpoint", "HttpMethod"],
      ),
      InvocationHttpParameters: http,
    }),
  },
  ["AuthorizationType", "AuthParameters"],
);

export const connection = defineKind<typeof connectionShape>({
  shape: connectionShape,
  named: "Name",
  longestName: 64,
  fixed: [],
  identify: (name) => ({ ref: name, attributes: {} }),
  later: {
    Arn: async (call, name) => (await call("events", "DescribeConnection", { Name: name })).ConnectionArn,
    SecretArn: async (call, name) => (await call("events", "DescribeConnection", { Name: name })).SecretArn,
  },
  exists: async (call, { name }) =>
    (await unless(call("events", "DescribeConnection", { Name: name }), MISSING)) !== undefined,
  async create(call, { name, properties }) {
    await call("events", "CreateConnection", { Name: name, ...connectionSettings(properties) });
  },
  async update(call, { name, properties }) {
    await call("events", "UpdateConnection", { Name: name, ...connectionSettings(properties) });
  },
  async remove(call, { name }) {
    await unless(call("events", "DeleteConnection", { Name: name }), MISSING);
    return true;
  },
});

function connectionSettings({ Description, AuthorizationType, AuthParameters }: Value<typeof connectionShape>) {
  const { OAuthParameters: oauth, ...others } = AuthParameters;
  return {
    ...(Description !== undefined && { Description }),
    AuthorizationType: AuthorizationType as "BASIC",
    AuthParameters: {
      ...others,
      ...(oauth && { OAuthParameters: { ...oauth, HttpMethod: oauth.HttpMethod as "POST" } }),
    },
  };
}

const destinationShape = record(
  {
    Name: "text",
    Description: "text",
    ConnectionArn: "text",
    InvocationEndpoint: "text",
    HttpMethod: "text",
    InvocationRateLimitPerSecond: "number",
  },
  ["ConnectionArn", "InvocationEndpoint", "HttpMethod"],
);

export const apiDestination = defineKind<typeof destinationShape>({
  shape: destinationShape,
  named: "Name",
  longestName: 64,
  fixed: [],
  identify: (name) => ({ ref: name, attributes: {} }),
  later: {
    Arn: async (call, name) => (await call("events", "DescribeApiDestination", { Name: name })).ApiDestinationArn,
  },
  exists: async (call, { name }) =>
    (await unless(call("events", "DescribeApiDestination", { Name: name }), MISSING)) !== undefined,
  async create(call, { name, properties: { Name: _, HttpMethod, ...given } }) {
    await call("events", "CreateApiDestination", { Name: name, HttpMethod: HttpMethod as "POST", ...given });
  },
  async update(call, { name, properties: { Name: _, HttpMethod, ...given } }) {
    await call("events", "UpdateApiDestination", { Name: name, HttpMethod: HttpMethod as "POST", ...given });
  },
  async remove(call, { name }) {
    await unless(call("events", "DeleteApiDestination", { Name: name }), MISSING);
    return true;
  },
});
