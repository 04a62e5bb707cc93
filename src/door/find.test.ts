import assert from "node:assert/strict";
import { readdirSync } from "node:fs";
import { Readable } from "node:stream";
import { test } from "node:test";
import type { HttpRequest } from "../model/http.ts";
import { loadModel } from "../model/load.ts";
import { find, isForm, SERVICES, spoken } from "./find.ts";

const models = new Map(
  Object.keys(SERVICES).map((name) => [
    name,
    loadModel(new URL(`../services/${name}/service.ts`, import.meta.url).href),
  ]),
);

interface Sent {
  readonly method?: string;
  readonly path?: string;
  readonly query?: string;
  readonly headers?: Record<string, string>;
  readonly form?: Record<string, string>;
}

const request = ({ method = "POST", path = "/", query = "", headers = {} }: Sent): HttpRequest => ({
  method,
  path,
  query,
  headers: { host: "127.0.0.1:4566", ...headers },
  body: Readable.from([]),
  from: "127.0.0.1",
});

const scope = (service: string) => ({
  authorization: `AWS4-HMAC-SHA256 Credential=AKID/20260101/us-east-1/${service}/aws4_request, SignedHeaders=host, Signature=0`,
});

function found(sent: Sent): string | undefined {
  const form = sent.form && new URLSearchParams(sent.form);
  const result = find(request(sent), models, { ...(form && { form }) });
  return result && `${result.service} ${result.protocol}`;
}

const pathOf = (sent: Sent) => find(request(sent), models)?.request.path;

test("the facts that find knows are those of the models, and no service is forgotten", () => {
  const built = readdirSync(new URL("../services", import.meta.url), { withFileTypes: true })
    .filter((entry) => entry.isDirectory())
    .map((entry) => entry.name);
  assert.deepEqual(Object.keys(SERVICES).sort(), built.sort());
  for (const [name, traits] of Object.entries(SERVICES)) {
    const model = models.get(name)!();
    const [first] = model.protocols;
    assert.deepEqual(traits, {
      signing: model.signingName,
      ...(model.target && { target: model.target }),
      ...(model.protocols.includes("query") && { version: model.apiVersion }),
      ...((first === "restXml" || first === "restJson") && { rest: first }),
    });
  }
});

test("a target names its service and its protocol", () => {
  const json = (target: string, version: string, signing: string) => ({
    headers: { "x-amz-target": target, "content-type": `application/x-amz-json-${version}`, ...scope(signing) },
  });
  assert.equal(found(json("DynamoDB_20120810.PutItem", "1.0", "dynamodb")), "dynamodb awsJson1_0");
  assert.equal(found(json("DynamoDBStreams_20120810.GetRecords", "1.0", "dynamodb")), "dynamodbstreams awsJson1_0");
  assert.equal(found(json("AmazonSQS.SendMessage", "1.0", "sqs")), "sqs awsJson1_0");
  assert.equal(found(json("AWSEvents.PutEvents", "1.1", "events")), "events awsJson1_1");
  assert.equal(found(json("TrentService.Encrypt", "1.1", "kms")), undefined);
});

test("Action and Version name a query service, also unsigned and in the URL", () => {
  const sts = { Action: "AssumeRoleWithWebIdentity", Version: "2011-06-15" };
  assert.equal(found({ form: sts }), "sts query");
  assert.equal(found({ method: "GET", query: String(new URLSearchParams(sts)) }), "sts query");
  assert.equal(found({ form: { Action: "SendMessage", Version: "2012-11-05" }, headers: scope("sqs") }), "sqs query");
  assert.equal(found({ form: { Action: "PutMetricData" }, headers: scope("monitoring") }), "cloudwatch query");
  assert.equal(found({ path: "/000000000000/q", form: { Action: "SendMessage" } }), "sqs query");
  assert.equal(found({ path: "/000000000000/q", method: "GET" }), "s3 restXml");
});

test("rpcv2Cbor names the service in its path", () => {
  const path = "/service/GraniteServiceVersion20100801/operation/PutMetricData";
  assert.equal(found({ path, headers: { "smithy-protocol": "rpc-v2-cbor" } }), "cloudwatch rpcv2Cbor");
  assert.equal(found({ path: "/service/Other/operation/X" }), undefined);
});

test("a form with a file is for a bucket, whatever that is called", () => {
  const headers = { "content-type": "multipart/form-data; boundary=x" };
  for (const path of ["/photos", "/schedules", "/"]) assert.equal(found({ path, headers }), "s3 restXml");
});

test("the credential's scope names the rest, in the header and in a presigned URL", () => {
  assert.equal(found({ path: "/x", headers: scope("s3") }), "s3 restXml");
  assert.equal(found({ path: "/v2/apis", headers: scope("apigateway") }), "apigatewayv2 restJson");
  assert.equal(found({ path: "/restapis", headers: scope("apigateway") }), "apigateway restJson");
  assert.equal(found({ path: "/schedules/x", headers: scope("s3") }), "s3 restXml");
  assert.equal(found({ path: "/v20180820/bucket", headers: scope("s3") }), undefined);
  assert.equal(found({ headers: scope("kinesis") }), undefined);
  const query = "X-Amz-Credential=AKID%2F20260101%2Fus-east-1%2Flambda%2Faws4_request";
  assert.equal(found({ method: "GET", path: "/2015-03-31/functions", query }), "lambda restJson");
  assert.equal(found({ headers: { authorization: "AWS AKID:sig" } }), "s3 restXml");
  assert.equal(found({ headers: scope("constructor") }), undefined);
});

test("without a signature the path tells, and else it is S3", () => {
  assert.equal(found({ path: "/2015-03-31/functions/f/invocations" }), "lambda restJson");
  assert.equal(found({ method: "GET", path: "/schedule-groups" }), "scheduler restJson");
  assert.equal(found({ method: "GET", path: "/bucket/key" }), "s3 restXml");
  assert.equal(found({ method: "GET", headers: { host: "sns.us-east-1.amazonaws.com" } }), "sns query");
  assert.equal(found({ method: "GET", query: "Action=Unsubscribe&SubscriptionArn=a" }), "sns query");
  assert.equal(found({ method: "GET", path: "/bucket", query: "Action=Unsubscribe&SubscriptionArn=a" }), "s3 restXml");
});

test("a bucket in the host is put into the path", () => {
  const at = (host: string, path = "/k", signed = true) =>
    pathOf({ method: "GET", path, headers: { host, ...(signed && scope("s3")) } });
  assert.equal(at("b.s3.localhost:4566"), "/b/k");
  assert.equal(at("b.s3.localhost:4566", "/"), "/b/");
  assert.equal(at("b.localhost:4566"), "/b/k");
  assert.equal(at("my.dotted.bucket.s3.eu-west-1.amazonaws.com"), "/my.dotted.bucket/k");
  assert.equal(at("b.s3-eu-west-1.amazonaws.com"), "/b/k");
  assert.equal(at("b.s3.dualstack.eu-west-1.amazonaws.com"), "/b/k");
  assert.equal(at("b--use1-az4--x-s3.s3express-use1-az4.us-east-1.amazonaws.com"), "/b--use1-az4--x-s3/k");
  assert.equal(at("s3express-control.us-east-1.amazonaws.com", "/b--use1-az4--x-s3"), "/b--use1-az4--x-s3");
  assert.equal(at("127.0.0.1:4566", "/b--use1-az4--x-s3//k//l"), "/b--use1-az4--x-s3/k//l");
  assert.equal(at("127.0.0.1:4566", "/b//k"), "/b//k");
  assert.equal(at("b.s3.localhost.localstack.cloud:4566"), "/b/k");
  assert.equal(at("s3.localhost.localstack.cloud:4566"), "/k");
  assert.equal(at("s3.us-east-1.amazonaws.com"), "/k");
  assert.equal(at("localhost:4566"), "/k");
  assert.equal(at("127.0.0.1:4566"), "/k");
  assert.equal(at("b.localhost", "/k", false), "/b/k");
});

test("a form is read from POST alone, and never from S3's", () => {
  const headers = { "content-type": "application/x-www-form-urlencoded; charset=utf-8" };
  assert.equal(isForm(request({ headers })), true);
  assert.equal(isForm(request({ method: "PUT", headers })), false);
  assert.equal(isForm(request({ headers: { ...headers, ...scope("s3") } })), false);
  assert.equal(isForm(request({ headers: { "content-type": "application/json" } })), false);
});

test("who is unknown is answered in the protocol that he speaks", () => {
  assert.equal(
    spoken(
      request({ headers: { "x-amz-target": "TrentService.Encrypt", "content-type": "application/x-amz-json-1.1" } }),
    ),
    "awsJson1_1",
  );
  assert.equal(spoken(request({}), new URLSearchParams({ Action: "X" })), "query");
  assert.equal(spoken(request({ path: "/service/X/operation/Y" })), "rpcv2Cbor");
  assert.equal(spoken(request({ headers: scope("lambda") })), "restJson");
  assert.equal(spoken(request({ method: "GET" })), "restXml");
  assert.equal(found({ headers: scope("sns") }), "sns query");
  assert.equal(found({ headers: scope("dynamodb") }), "dynamodb awsJson1_0");
});
