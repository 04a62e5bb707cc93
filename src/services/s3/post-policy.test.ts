import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { type Form, postForm } from "../../../test/post-form.ts";
import { startCloudWithBuckets } from "../../../test/s3.ts";

const { cloud, newBucket } = await startCloudWithBuckets({ bucketDefaults: "classic" });
const post = (form: Form) => postForm(cloud, form);

describe("the policy", async () => {
  const { Bucket: bucket } = await newBucket();
  const ok: [string, Omit<Form, "bucket">][] = [
    ["a prefix of the key", { fields: { key: "user/a" }, conditions: [["starts-with", "$key", "user/"]] }],
    ["anything", { fields: { key: "a", "x-amz-meta-x": "y" }, conditions: [["starts-with", "$x-amz-meta-x", ""]] }],
    [
      "operators and names in any case",
      {
        fields: { KeY: "a" },
        conditions: [
          ["StArTs-WiTh", "$KeY", ""],
          ["EQ", "$bUcKeT", bucket],
        ],
      },
    ],
    [
      "a list of content types",
      {
        fields: { key: "a", "Content-Type": "image/a, image/b" },
        conditions: [["starts-with", "$Content-Type", "image/"]],
      },
    ],
    ["sizes as text", { fields: { key: "a" }, conditions: [["content-length-range", "1", "10"]] }],
    ["fields that are to be ignored", { fields: { key: "a", "x-ignore-me": "1" } }],
    [
      "an escaped dollar sign",
      {
        fields: { key: "$a" },
        policy: `{"expiration":"2099-01-01T00:00:00Z","conditions":[["starts-with","$key","\\$a"],["starts-with","$bucket",""],["starts-with","$x-amz-algorithm",""],["starts-with","$x-amz-credential",""],["starts-with","$x-amz-date",""]]}`,
      },
    ],
  ];
  for (const [name, form] of ok)
    test(`admits ${name}`, async () => {
      const answer = await post({ bucket, ...form });
      assert.equal(answer.status, 204, answer.text);
    });

  const against = (text: string) => `AccessDenied 403 Invalid according to Policy: ${text}`;
  const document = (text: string) => `InvalidPolicyDocument 400 Invalid Policy: ${text}`;
  const whole = (of: object) => JSON.stringify({ expiration: "2099-01-01T00:00:00Z", conditions: [], ...of });
  const fields = { key: "a" };
  const refused: [string, Omit<Form, "bucket">, string][] = [
    [
      "another key",
      { fields, conditions: [["eq", "$key", "b"]] },
      against('Policy Condition failed: ["eq", "$key", "b"]'),
    ],
    ["another case", { fields, conditions: [{ key: "A" }] }, against('Policy Condition failed: ["eq", "$key", "A"]')],
    [
      "another prefix",
      { fields, conditions: [["starts-with", "$key", "b/"]] },
      against('Policy Condition failed: ["starts-with", "$key", "b/"]'),
    ],
    [
      "another bucket",
      { fields, conditions: [{ bucket: "b" }] },
      against('Policy Condition failed: ["eq", "$bucket", "b"]'),
    ],
    [
      "a field that is not there",
      { fields, conditions: [["starts-with", "$acl", ""]] },
      against('Policy Condition failed: ["starts-with", "$acl", ""]'),
    ],
    [
      "a name without its dollar sign",
      { fields, conditions: [["eq", "key", "a"]] },
      against('Policy Condition failed: ["eq", "key", "a"]'),
    ],
    [
      "one content type of several",
      {
        fields: { key: "a", "Content-Type": "image/a,text/b" },
        conditions: [["starts-with", "$Content-Type", "image/"]],
      },
      against(
        'Policy Condition failed: ["starts-with", "$content-type", "image/"]'.replace("content-type", "Content-Type"),
      ),
    ],
    [
      "a field without a condition",
      {
        fields,
        tamper: (form) => {
          const file = form.get("file")!;
          form.delete("file");
          form.append("acl", "private");
          form.append("file", file);
        },
      },
      against("Extra input fields: acl"),
    ],
    [
      "a range that is none",
      { fields, conditions: [["content-length-range", "test", "10"]] },
      against('Policy Condition failed: ["content-length-range", "test", "10"]'),
    ],
    [
      "an end in the past",
      { fields, policy: whole({ expiration: "2001-01-01T00:00:00Z" }) },
      against("Policy expired."),
    ],
    ["no JSON", { fields, policy: "{" }, document("Invalid JSON.")],
    ["no end", { fields, policy: whole({ expiration: undefined }) }, document("Policy missing expiration.")],
    [
      "no conditions",
      { fields, policy: whole({ conditions: undefined, CONDITIONS: [] }) },
      document("Policy missing conditions."),
    ],
    [
      "an end that is no time",
      { fields, policy: whole({ expiration: "tomorrow" }) },
      document("Invalid 'expiration' value: 'tomorrow'"),
    ],
    [
      "conditions that are no list",
      { fields, policy: whole({ conditions: {} }) },
      document("Invalid 'conditions' value: must be a List."),
    ],
    [
      "an empty condition",
      { fields, policy: whole({ conditions: [{}] }) },
      document("Invalid Simple-Condition: Simple-Conditions must have exactly one property specified."),
    ],
    [
      "a condition of two",
      { fields, policy: whole({ conditions: [{ a: "1", b: "2" }] }) },
      document("Invalid Simple-Condition: Simple-Conditions must have exactly one property specified."),
    ],
    [
      "a value that is no text",
      { fields, policy: whole({ conditions: [{ a: 1 }] }) },
      document("Invalid Simple-Condition: value must be a string."),
    ],
    [
      "a condition that is none",
      { fields, policy: whole({ conditions: ["key"] }) },
      document("Invalid Condition: must be a List or a Map."),
    ],
    [
      "an unknown operation",
      { fields, policy: whole({ conditions: [["ends-with", "$key", "a"]] }) },
      document("Invalid Condition: unknown operation 'ends-with'."),
    ],
    [
      "too few arguments",
      { fields, policy: whole({ conditions: [["content-length-range", 0]] }) },
      document("Invalid 'content-length-range' Condition: wrong number of arguments."),
    ],
    [
      "arguments that are no text",
      { fields, policy: whole({ conditions: [["eq", "$key", 1]] }) },
      document("Invalid 'eq' Condition: values must be strings."),
    ],
  ];
  for (const [name, form, expected] of refused)
    test(`refuses ${name}`, async () => {
      assert.equal((await post({ bucket, ...form })).error, expected);
    });
});
