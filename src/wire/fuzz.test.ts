// Whatever comes over the wire is read, or refused with an AwsError of the client's fault: never another error, never slow.
import assert from "node:assert/strict";
import { Readable } from "node:stream";
import { test } from "node:test";
import { type Random, random } from "../../test/random.ts";
import { AwsError } from "../kernel/error.ts";
import type { HttpRequest } from "../model/http.ts";
import { loadModel } from "../model/load.ts";
import type { Model, Protocol } from "../model/model.ts";
import { validate } from "../model/validate.ts";
import * as wire from "./wire.ts";

const modelOf = (name: string): Model => loadModel(new URL(`../services/${name}/service.ts`, import.meta.url).href)();
const ROUNDS = 1500;
const SLOW_MS = 250;

const PIECES: Record<Protocol, readonly string[]> = {
  awsJson1_0: [
    '{"',
    '":',
    "}",
    "[",
    "]",
    ",",
    '"S"',
    "null",
    "1e999",
    "-0",
    "true",
    '"\\ud800"',
    "__proto__",
    "Item",
    "TableName",
  ],
  awsJson1_1: [],
  restJson: ["{", "}", '"Code":', '"ZipFile":"!"', "[", "]", '"Environment":{"Variables":', "1", '"x"', "null", ","],
  restXml: [
    "<",
    ">",
    "/",
    "<Tagging>",
    "</Tagging>",
    "<TagSet>",
    "<Tag/>",
    "&#x0;",
    "&amp;",
    "<![CDATA[",
    "]]>",
    "<!--",
    "<?",
    "='",
  ],
  query: [
    "&",
    "=",
    ".",
    "Tags",
    "member",
    "1",
    "999999",
    "Key",
    "__proto__",
    "%",
    "%zz",
    "+",
    "PolicyDocument",
    "entry",
  ],
  rpcv2Cbor: [
    "\xbf",
    "\xff",
    "\x9f",
    "\x61",
    "a",
    "\xfb",
    "\xc1",
    "\x5f",
    "\x7f",
    "\xa1",
    "\x00",
    "\x1b",
    "\x81",
    "\xd8",
  ],
};

const SUBJECTS: readonly { service: string; operation: string; protocol: Protocol; path?: string; query?: string }[] = [
  { service: "dynamodb", operation: "PutItem", protocol: "awsJson1_0" },
  { service: "lambda", operation: "CreateFunction", protocol: "restJson" },
  { service: "s3", operation: "PutObjectTagging", protocol: "restXml" },
  { service: "iam", operation: "CreateRole", protocol: "query" },
  { service: "cloudwatch", operation: "PutMetricData", protocol: "rpcv2Cbor" },
];

function garbage(pieces: readonly string[], next: Random): string {
  const length = Math.floor(next() * 30);
  return Array.from({ length }, () =>
    next() < 0.9 ? pieces[Math.floor(next() * pieces.length)] : String.fromCharCode(Math.floor(next() * 256)),
  ).join("");
}

for (const { service, operation, protocol } of SUBJECTS)
  test(`garbage in ${protocol} is read or refused`, () => {
    const model = modelOf(service);
    const next = random(7);
    for (let round = 0; round < ROUNDS; round++) {
      const text = garbage(PIECES[protocol], next);
      const bytes = new Uint8Array(Buffer.from(text, "latin1"));
      const request: HttpRequest = {
        method: "PUT",
        path: "/",
        query: text,
        headers: { "if-match": text },
        body: Readable.from([]),
        from: "",
      };
      const route: wire.Route = {
        operation,
        protocol,
        labels: { Bucket: text, Key: text },
        query: new URLSearchParams(text),
        form: new URLSearchParams(text),
      };
      const started = performance.now();
      try {
        validate(model, operation, wire.input(model, route, request, bytes));
      } catch (error) {
        assert.ok(
          error instanceof AwsError && error.status === 400,
          `${JSON.stringify(text)}: ${(error as Error).stack}`,
        );
      }
      assert.ok(performance.now() - started < SLOW_MS, text);
    }
  });

test("long and hostile bodies are dealt with in linear time", () => {
  const read = (service: string, route: Omit<wire.Route, "labels">, text: string) => {
    const started = performance.now();
    const bytes = new Uint8Array(Buffer.from(text));
    const request: HttpRequest = {
      method: "PUT",
      path: "/",
      query: "",
      headers: {},
      body: Readable.from([]),
      from: "",
    };
    try {
      wire.input(
        modelOf(service),
        { ...route, labels: { Bucket: "b", Key: "k" }, query: new URLSearchParams() },
        request,
        bytes,
      );
    } catch (error) {
      assert.ok(error instanceof AwsError, String(error));
    }
    assert.ok(performance.now() - started < 3000, `${service}: ${text.slice(0, 40)}`);
  };
  const xml = { operation: "PutObjectTagging", protocol: "restXml" } as const;
  const json = { operation: "PutItem", protocol: "awsJson1_0" } as const;
  const many = 200_000;
  read("s3", xml, `<Tagging ${"a".repeat(many)}`);
  read("s3", xml, `<Tagging>${"&".repeat(many)}</Tagging>`);
  read("s3", xml, `<Tagging${" ".repeat(many)}`);
  read("s3", xml, `<Tagging>${"<a/>".repeat(many)}</Tagging>`);
  read("s3", xml, "<!--".repeat(many));
  read("dynamodb", json, "[".repeat(many));
  read("dynamodb", json, `{"Item":{"a":${'{"L":['.repeat(many)}`);
  const form = new URLSearchParams(`Tags.${"member.".repeat(many)}1=x&${"a.1=x&".repeat(many / 10)}`);
  read("iam", { operation: "CreateRole", protocol: "query", form }, "");
});
