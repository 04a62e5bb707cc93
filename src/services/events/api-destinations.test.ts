import assert from "node:assert/strict";
import { createServer, type IncomingMessage } from "node:http";
import type { AddressInfo } from "node:net";
import { after, test } from "node:test";
import type { CreateConnectionCommandInput, Target } from "@aws-sdk/client-eventbridge";
import { entry, eventsOf, listen, queueArn, roleFor, sink } from "../../../test/bus.ts";
import { startCloud } from "../../../test/cloud.ts";
import { allow, refusal } from "../../../test/principals.ts";

const cloud = await startCloud();
after(() => cloud[Symbol.asyncDispose]());
const events = eventsOf(cloud);
await cloud.aws.clock({ freeze: Date.parse("2026-11-22T10:00:00Z") });

interface Seen {
  readonly method: string;
  readonly url: string;
  readonly headers: IncomingMessage["headers"];
  readonly body: string;
}

/** What came, and what is answered next: a status, or a status with headers and a body. */
const seen: Seen[] = [];
let answers: [status: number, headers?: Record<string, string>, body?: string][] = [];
const server = createServer(async (request, response) => {
  let body = "";
  for await (const chunk of request) body += String(chunk);
  seen.push({ method: request.method!, url: request.url!, headers: request.headers, body });
  const [status, headers = {}, text = ""] = answers.shift() ?? [200];
  response.writeHead(status, headers).end(text);
});
await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
after(() => server.close());
const endpoint = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;

const role = (name: string, ...statements: object[]) => roleFor(cloud, name, ...statements);
const RoleArn = await role("invoking", allow("events:InvokeApiDestination"));
const dead = await sink(cloud, "dead");

const KEY = {
  AuthorizationType: "API_KEY",
  AuthParameters: { ApiKeyAuthParameters: { ApiKeyName: "x-key", ApiKeyValue: "secret" } },
} as const;

/** A connection, a destination and a rule of one name; an event's source is the same. */
async function destination(
  Name: string,
  {
    connection = KEY,
    more = {},
    target = {},
  }: { connection?: Omit<CreateConnectionCommandInput, "Name">; more?: object; target?: Partial<Target> } = {},
): Promise<void> {
  const { ConnectionArn } = await events.createConnection({ Name, ...connection });
  await cloud.settle();
  const { ApiDestinationArn } = await events.createApiDestination({
    Name,
    ConnectionArn,
    InvocationEndpoint: `${endpoint}/${Name}`,
    HttpMethod: "POST",
    ...more,
  });
  const DeadLetterConfig = { Arn: queueArn("dead") };
  await listen(
    events,
    { Name, EventPattern: { source: [Name] } },
    { Arn: ApiDestinationArn!, RoleArn, DeadLetterConfig, ...target },
  );
}

async function tell(Source: string, detail: object = {}): Promise<Seen[]> {
  seen.length = 0;
  await events.putEvents({ Entries: [entry(detail, { Source })] });
  await cloud.settle();
  return seen.splice(0);
}

test("An event is posted as JSON, with an API key, the connection's parameters over the target's, and parts of the event in the path", async () => {
  const HttpParameters = {
    PathParameterValues: ["$.detail.id", "fixed"],
    HeaderParameters: { "x-type": "$.detail-type", "x-own": "target" },
    QueryStringParameters: { q: "$.detail.n" },
  };
  const InvocationHttpParameters = {
    HeaderParameters: [{ Key: "x-own", Value: "connection" }],
    QueryStringParameters: [{ Key: "c", Value: "1", IsValueSecret: true }],
    BodyParameters: [{ Key: "extra", Value: "v" }],
  };
  await destination("keyed", {
    connection: { ...KEY, AuthParameters: { ...KEY.AuthParameters, InvocationHttpParameters } },
    more: { InvocationEndpoint: `${endpoint}/a/*/b/*` },
    target: { HttpParameters, InputTransformer: { InputPathsMap: { n: "$.detail.n" }, InputTemplate: '{"n":<n>}' } },
  });
  const [{ method, url, headers, body } = assert.fail()] = await tell("keyed", { id: "x/y", n: 7 });
  assert.deepEqual([method, url, body], ["POST", "/a/x%2Fy/b/fixed?q=7&c=1", '{"n":7,"extra":"v"}']);
  const wanted = ["x-key", "x-type", "x-own", "content-type", "user-agent"].map((name) => headers[name]);
  assert.deepEqual(wanted, [
    "secret",
    "t",
    "connection",
    "application/json; charset=utf-8",
    "Amazon/EventBridge/ApiDestinations",
  ]);
  const { AuthParameters } = await events.describeConnection({ Name: "keyed" });
  assert.deepEqual(AuthParameters, {
    ApiKeyAuthParameters: { ApiKeyName: "x-key" },
    InvocationHttpParameters: {
      ...InvocationHttpParameters,
      QueryStringParameters: [{ Key: "c", IsValueSecret: true }],
    },
  });
});

test("A connection of user and password sends them as HTTP Basic; an update of one keeps the other", async () => {
  const BasicAuthParameters = { Username: "u", Password: "p" };
  await destination("basic", { connection: { AuthorizationType: "BASIC", AuthParameters: { BasicAuthParameters } } });
  const sent = async () => (await tell("basic"))[0]!.headers.authorization;
  assert.equal(await sent(), `Basic ${btoa("u:p")}`);
  await events.updateConnection({ Name: "basic", AuthParameters: { BasicAuthParameters: { Username: "w" } } });
  assert.equal(await sent(), `Basic ${btoa("w:p")}`);
});

test("A connection of OAuth fetches a token, keeps it until it ends, and fetches another where it is not taken", async () => {
  const token = (value: string): (typeof answers)[number] => [
    200,
    {},
    JSON.stringify({ access_token: value, expires_in: 60 }),
  ];
  answers = [token("one")];
  await destination("oauth", {
    connection: {
      AuthorizationType: "OAUTH_CLIENT_CREDENTIALS",
      AuthParameters: {
        OAuthParameters: {
          AuthorizationEndpoint: `${endpoint}/token`,
          HttpMethod: "POST",
          ClientParameters: { ClientID: "id", ClientSecret: "secret" },
          OAuthHttpParameters: { BodyParameters: [{ Key: "scope", Value: "all" }] },
        },
      },
    },
  });
  const asked = seen.pop()!;
  assert.deepEqual(
    [asked.url, asked.body, asked.headers.authorization],
    ["/token", "grant_type=client_credentials&scope=all", `Basic ${btoa("id:secret")}`],
  );
  assert.equal((await events.describeConnection({ Name: "oauth" })).ConnectionState, "AUTHORIZED");
  const bearers = async () => (await tell("oauth")).map(({ url, headers }) => [url, headers.authorization]);
  assert.deepEqual(await bearers(), [["/oauth", "Bearer one"]]);
  await cloud.advance(61_000);
  answers = [token("two")];
  assert.deepEqual(await bearers(), [
    ["/token", `Basic ${btoa("id:secret")}`],
    ["/oauth", "Bearer two"],
  ]);
  answers = [[401], token("three")];
  seen.length = 0;
  await events.putEvents({ Entries: [entry({}, { Source: "oauth" })] });
  await cloud.settle();
  await cloud.advance(1000);
  assert.deepEqual(seen.map(({ headers }) => headers.authorization).slice(-1), ["Bearer three"]);
});

test("A connection whose endpoint gives no token is deauthorized, and says why", async () => {
  answers = [[500], [500], [500]];
  const Name = "broken";
  const { ConnectionState } = await events.createConnection({
    Name,
    AuthorizationType: "OAUTH_CLIENT_CREDENTIALS",
    AuthParameters: {
      OAuthParameters: {
        AuthorizationEndpoint: `${endpoint}/token`,
        HttpMethod: "POST",
        ClientParameters: { ClientID: "id", ClientSecret: "secret" },
      },
    },
  });
  assert.equal(ConnectionState, "AUTHORIZING");
  await cloud.settle();
  await cloud.advance(10_000);
  const { ConnectionState: state, StateReason } = await events.describeConnection({ Name });
  assert.deepEqual(
    [state, StateReason],
    ["DEAUTHORIZED", "The authorization endpoint answered 500 without an access token."],
  );
});

test("An endpoint that fails is asked again; one that asks to wait is waited for; a refusal is final", async () => {
  await destination("trying");
  answers = [[503], [429, { "retry-after": "30" }], [200]];
  seen.length = 0;
  await events.putEvents({ Entries: [entry({}, { Source: "trying" })] });
  await cloud.settle();
  assert.equal(seen.length, 1);
  await cloud.advance(1000);
  assert.equal(seen.length, 2);
  await cloud.advance(29_000);
  assert.equal(seen.length, 2);
  await cloud.advance(1000);
  assert.equal(seen.length, 3);
  answers = [[400]];
  assert.equal((await tell("trying")).length, 1);
  const [letter] = await dead();
  assert.equal(letter!.MessageAttributes!.ERROR_MESSAGE!.StringValue, `${endpoint}/trying answered 400`);
});

test("No more requests a second than the destination takes", async () => {
  await destination("slow", { more: { InvocationRateLimitPerSecond: 2 } });
  seen.length = 0;
  await events.putEvents({ Entries: Array.from({ length: 5 }, () => entry({}, { Source: "slow" })) });
  await cloud.settle();
  assert.equal(seen.length, 2);
  await cloud.advance(60_000);
  assert.equal(seen.length, 5);
});

test("A role that may not invoke it, a destination that is gone: refused, and in the dead-letter queue", async () => {
  await destination("forbidden", { target: { RoleArn: await role("powerless") } });
  assert.deepEqual(await tell("forbidden"), []);
  await destination("gone");
  await events.deleteApiDestination({ Name: "gone" });
  assert.deepEqual(await tell("gone"), []);
  const letters = (await dead()).map(({ MessageAttributes }) => MessageAttributes!.ERROR_CODE!.StringValue);
  assert.deepEqual(letters, ["NO_PERMISSIONS", "NO_RESOURCE"]);
});

test("Connections and destinations are described, listed, changed and deleted, with their states", async () => {
  await destination("life");
  const destinationState = async () => (await events.describeApiDestination({ Name: "life" })).ApiDestinationState;
  assert.equal(await destinationState(), "ACTIVE");
  const { ConnectionArn, SecretArn } = await events.describeConnection({ Name: "life" });
  assert.match(ConnectionArn!, /^arn:aws:events:us-east-1:000000000000:connection\/life\/[0-9a-f-]{36}$/);
  assert.match(
    SecretArn!,
    /^arn:aws:secretsmanager:us-east-1:000000000000:secret:events!connection\/life\/[0-9a-f-]{36}-\w{6}$/,
  );
  await events.updateApiDestination({ Name: "life", HttpMethod: "PUT", Description: "d" });
  const { HttpMethod, Description, InvocationRateLimitPerSecond } = await events.describeApiDestination({
    Name: "life",
  });
  assert.deepEqual([HttpMethod, Description, InvocationRateLimitPerSecond], ["PUT", "d", 300]);
  const listed = await events.listApiDestinations({ ConnectionArn });
  assert.deepEqual(
    listed.ApiDestinations!.map(({ Name, ConnectionArn: arn }) => [Name, arn]),
    [["life", ConnectionArn]],
  );
  assert.deepEqual(
    (await events.listConnections({ NamePrefix: "li" })).Connections!.map(({ Name }) => Name),
    ["life"],
  );
  assert.equal((await events.deauthorizeConnection({ Name: "life" })).ConnectionState, "DEAUTHORIZING");
  assert.equal((await events.describeConnection({ Name: "life" })).ConnectionState, "DEAUTHORIZED");
  assert.equal(await destinationState(), "INACTIVE");
  assert.equal(
    await refusal(events.createConnection({ Name: "life", ...KEY })),
    "ResourceAlreadyExistsException 400 Connection life already exists.",
  );
  assert.equal((await events.deleteConnection({ Name: "life" })).ConnectionState, "DELETING");
  await events.deleteApiDestination({ Name: "life" });
  assert.equal(
    await refusal(events.describeConnection({ Name: "life" })),
    "ResourceNotFoundException 400 Failed to describe the connection(s). Connection 'life' does not exist.",
  );
  assert.equal(
    await refusal(events.describeApiDestination({ Name: "life" })),
    "ResourceNotFoundException 400 Failed to describe the api-destination(s). An api-destination 'life' does not exist.",
  );
  const noEndpoint = events.createApiDestination({
    Name: "x",
    ConnectionArn,
    InvocationEndpoint: "ftp://a.b",
    HttpMethod: "POST",
  });
  assert.match(await refusal(noEndpoint), /^ValidationException 400 Parameter InvocationEndpoint is not valid\./);
  const noParameters = events.createConnection({
    Name: "x",
    AuthorizationType: "BASIC",
    AuthParameters: KEY.AuthParameters,
  });
  assert.match(
    await refusal(noParameters),
    /^ValidationException 400 Parameter AuthParameters.BasicAuthParameters is not valid\./,
  );
});

test("An event cannot lead a request out of its path, nor add a header; what is refused is dead at once", async () => {
  await destination("led", {
    more: { InvocationEndpoint: `${endpoint}/led/*` },
    target: {
      HttpParameters: { PathParameterValues: ["$.detail.id"], HeaderParameters: { "x-name": "$.detail.name" } },
    },
  });
  const paths = async (detail: object) => (await tell("led", detail)).map(({ url }) => url);
  assert.deepEqual(await paths({ id: "../a", name: "n" }), ["/led/..%2Fa"]);
  for (const detail of [
    { id: "..", name: "n" },
    { id: "1", name: "n\r\nx-key: mine" },
  ]) {
    assert.deepEqual(await paths(detail), []);
    assert.equal((await dead()).length, 1);
  }
});

test("A redirect of the authorization endpoint is not followed with the client's secret", async () => {
  seen.length = 0;
  answers = [[307, { location: `${endpoint}/elsewhere` }]];
  await events.createConnection({
    Name: "redirected",
    AuthorizationType: "OAUTH_CLIENT_CREDENTIALS",
    AuthParameters: {
      OAuthParameters: {
        ClientParameters: { ClientID: "id", ClientSecret: "s" },
        AuthorizationEndpoint: `${endpoint}/token`,
        HttpMethod: "POST",
      },
    },
  });
  await cloud.settle();
  assert.deepEqual(
    seen.map(({ url }) => url),
    ["/token"],
  );
  await events.deleteConnection({ Name: "redirected" });
});
