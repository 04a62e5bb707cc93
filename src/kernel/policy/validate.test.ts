// biome-ignore-all lint/suspicious/noTemplateCurlyInString: policy variables are written so
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { identityPolicyFault } from "./validate.ts";
import { resourcePolicyFault, trustPolicyFault } from "./validate-principals.ts";

type Json = Record<string, unknown>;
const document = (...statements: unknown[]) => JSON.stringify({ Version: "2012-10-17", Statement: statements });
const good = { Effect: "Allow", Action: "s3:GetObject", Resource: "*" };
const trust = { Effect: "Allow", Action: "sts:AssumeRole", Principal: { Service: "lambda.amazonaws.com" } };
const without = (json: Json, name: string) => Object.fromEntries(Object.entries(json).filter(([key]) => key !== name));
const SYNTAX = "Syntax errors in policy.";

describe("an identity policy", () => {
  const cases: [string, string, string | undefined][] = [
    ["as it should be", document(good), undefined],
    ["with one statement and no list", JSON.stringify({ Statement: good }), undefined],
    [
      "with everything",
      document({ ...good, Sid: "A1", Condition: { "ForAnyValue:StringLikeIfExists": { "aws:k": ["a", 1, true] } } }),
      undefined,
    ],
    [
      "with a variable in an ARN's last part",
      document({ ...good, Resource: "arn:aws:s3:::${aws:username}/*" }),
      undefined,
    ],
    [
      "with stars for whole parts of an ARN",
      document({
        ...good,
        Resource: ["arn:*:sqs:*:*:*", "arn:aws:iam::aws:policy/*", "arn:aws:iam::*:root", "arn:aws:iam::1111*:*"],
      }),
      undefined,
    ],
    ["that is no JSON", "{", SYNTAX],
    ["that is a list", "[]", SYNTAX],
    ["with an unknown element", JSON.stringify({ Statement: good, Extra: 1 }), SYNTAX],
    ["of an unknown version", JSON.stringify({ Version: "2013-01-01", Statement: good }), SYNTAX],
    ["without statements", document(), SYNTAX],
    ["nested without end", `{"Statement":${"[".repeat(50_000)}${"]".repeat(50_000)}}`, SYNTAX],
    ["with a statement that is text", document("x"), SYNTAX],
    ["with an unknown element in a statement", document({ ...good, Extra: 1 }), SYNTAX],
    ["with an unknown effect", document({ ...good, Effect: "Maybe" }), SYNTAX],
    ["with an action that is a number", document({ ...good, Action: 1 }), SYNTAX],
    ["with Action and NotAction", document({ ...good, NotAction: "s3:*" }), SYNTAX],
    ["with an unknown operator", document({ ...good, Condition: { StringSame: { k: "v" } } }), SYNTAX],
    ["with a condition that is text", document({ ...good, Condition: "x" }), SYNTAX],
    ["with a principal", document({ ...good, Principal: "*" }), "Policy document should not specify a principal."],
    ["without actions", document(without(good, "Action")), "Policy statement must contain actions."],
    ["with an empty list of actions", document({ ...good, Action: [] }), "Policy statement must contain actions."],
    ["without resources", document(without(good, "Resource")), "Policy statement must contain resources."],
    [
      "with an action of no vendor",
      document({ ...good, Action: "GetObject" }),
      "Actions/Conditions must be prefaced by a vendor, e.g., iam, sdb, ec2, etc.",
    ],
    [
      "with an action of two colons",
      document({ ...good, Action: "s3:a:b" }),
      "Actions/Condition can contain only one colon.",
    ],
    ["with an odd vendor", document({ ...good, Action: "a a:b" }), "Vendor a a is not valid"],
    [
      "with a resource that is no ARN",
      document({ ...good, Resource: "bucket" }),
      'Resource bucket must be in ARN format or "*".',
    ],
    ["with a short ARN", document({ ...good, Resource: "arn:aws:s3" }), "The policy failed legacy parsing"],
    [
      "with a name for an account",
      document({ ...good, Resource: "arn:aws:sqs:us-east-1:mine:q" }),
      "The policy failed legacy parsing",
    ],
    [
      "with a variable for an account",
      document({ ...good, Resource: "arn:aws:sqs:us-east-1:${aws:PrincipalAccount}:q" }),
      "The policy failed legacy parsing",
    ],
    [
      "with an ARN of any service",
      document({ ...good, Resource: "arn:aws:*:*:*:*" }),
      "Resource vendor must be fully qualified and cannot contain regexes.",
    ],
    [
      "with a region in IAM",
      document({ ...good, Resource: "arn:aws:iam:us-east-1:111111111111:role/r" }),
      "IAM resource arn:aws:iam:us-east-1:111111111111:role/r cannot contain region information.",
    ],
    [
      "with a region in a bucket",
      document({ ...good, Resource: "arn:aws:s3:us-east-1::b" }),
      "Resource arn:aws:s3:us-east-1::b can not contain region information.",
    ],
    [
      "with an unknown path in IAM",
      document({ ...good, Resource: "arn:aws:iam::111111111111:*/x" }),
      'IAM resource path must either be "*", root, or start with user/, federated-user/, role/, group/, instance-profile/, mfa/, server-certificate/, policy/, sms-mfa/, saml-provider/, oidc-provider/, report/, access-report/.',
    ],
    [
      "with a condition key of no vendor",
      document({ ...good, Condition: { StringEquals: { SourceIp: "v" } } }),
      "Actions/Conditions must be prefaced by a vendor, e.g., iam, sdb, ec2, etc.",
    ],
    [
      "with a key twice",
      '{"Version":"2012-10-17","Statement":[{"Effect":"Deny","Effect":"Allow","Action":"*","Resource":"*"}]}',
      SYNTAX,
    ],
    [
      "with an odd partition",
      document({ ...good, Resource: "arn:red:s3:::b" }),
      'Partition "red" is not valid for resource "arn:red:s3:::b".',
    ],
    [
      "with a Sid twice",
      document({ ...good, Sid: "a" }, { ...good, Sid: "a" }),
      "Statement IDs (SID) in a single policy must be unique.",
    ],
    [
      "with a Sid with a space",
      document({ ...good, Sid: "a b" }),
      "Statement IDs (SID) must be alpha-numeric. Check that your input satisfies the regular expression [0-9A-Za-z]*",
    ],
  ];
  for (const [name, text, fault] of cases)
    test(`${name}: ${fault ?? "no fault"}`, () => assert.equal(identityPolicyFault(text), fault));

  test("must be of Version 2012-10-17 where it stands by itself", () => {
    const fault = "Policy document must be version 2012-10-17 or greater.";
    assert.equal(identityPolicyFault(JSON.stringify({ Statement: good }), { managed: true }), fault);
    assert.equal(identityPolicyFault(document(good), { managed: true }), undefined);
  });
});

describe("a trust policy", () => {
  const cases: [string, string, string | undefined][] = [
    ["for a service", document(trust), undefined],
    [
      "for accounts, users and roles",
      document({ ...trust, Principal: { AWS: ["111111111111", "arn:aws:iam::111111111111:role/a/b", "*"] } }),
      undefined,
    ],
    [
      "with a condition and further sts actions",
      document({
        ...trust,
        Action: ["sts:AssumeRole", "sts:TagSession"],
        Condition: { StringEquals: { "sts:ExternalId": "x" } },
      }),
      undefined,
    ],
    ["that is no JSON", "x", "This policy contains invalid Json"],
    [
      "of an unknown version",
      JSON.stringify({ Version: "1", Statement: trust }),
      "The policy must contain a valid version string",
    ],
    ["without statements", document(), "Could not parse the policy: Statement is empty!"],
    [
      "for a kind of principals that is but a word of JavaScript",
      document({ ...trust, Principal: { constructor: "x" } }),
      'Invalid principal in policy: "constructor"',
    ],
    ["without an effect", document(without(trust, "Effect")), "Missing required field Effect"],
    ["with an unknown effect", document({ ...trust, Effect: "Maybe" }), "Invalid effect: Maybe"],
    ["without a principal", document(without(trust, "Principal")), "Missing required field Principal"],
    [
      "with an empty principal",
      document({ ...trust, Principal: {} }),
      "Missing required field Principal cannot be empty!",
    ],
    [
      "with an unknown kind of principal",
      document({ ...trust, Principal: { Me: "x" } }),
      'Invalid principal in policy: "Me"',
    ],
    [
      "with a bad ARN",
      document({ ...trust, Principal: { AWS: "arn:aws:iam::1:x" } }),
      'Invalid principal in policy: "AWS":"arn:aws:iam::1:x"',
    ],
    [
      "with a bad service",
      document({ ...trust, Principal: { Service: "lambda" } }),
      'Invalid principal in policy: "SERVICE":"lambda"',
    ],
    [
      "with NotPrincipal",
      document({ ...without(trust, "Principal"), NotPrincipal: "*" }),
      "Allow with NotPrincipal is not allowed.",
    ],
    ["without actions", document(without(trust, "Action")), "Missing required field Action"],
    [
      "with another service's action",
      document({ ...trust, Action: "s3:GetObject" }),
      "AssumeRole policy may only specify STS AssumeRole actions.",
    ],
    [
      "with every sts action",
      document({ ...trust, Action: "sts:*" }),
      "AssumeRole policy may only specify STS AssumeRole actions.",
    ],
    ["with a resource", document({ ...trust, Resource: "*" }), "Has prohibited field Resource"],
    ["with an unknown element", document({ ...trust, Actions: "*" }), "Unknown field Actions"],
    ["with a key twice", '{"Statement":{"Effect":"Deny","Effect":"Allow"}}', "This policy contains invalid Json"],
    ["with patterns of sts actions", document({ ...trust, Action: ["sts:AssumeRole*", "sts:TagSession"] }), undefined],
    [
      "with an sts action that assumes nothing",
      document({ ...trust, Action: "sts:GetCallerIdentity" }),
      "AssumeRole policy may only specify STS AssumeRole actions.",
    ],
    [
      "for identity providers",
      document({
        ...trust,
        Action: "sts:AssumeRoleWithWebIdentity",
        Principal: {
          Federated: ["accounts.google.com", "arn:aws:iam::111111111111:oidc-provider/token.example.com/a"],
        },
      }),
      undefined,
    ],
    [
      "with a bad identity provider",
      document({ ...trust, Principal: { Federated: "*" } }),
      "Federated principals must be valid domain names or SAML metadata ARNs",
    ],
    [
      "with a user of another partition",
      document({ ...trust, Principal: { AWS: "arn:aws-cn:iam::111111111111:user/a" } }),
      'Invalid principal in policy: "AWS":"arn:aws-cn:iam::111111111111:user/a"',
    ],
    [
      "with a Sid twice",
      document({ ...trust, Sid: "a" }, { ...trust, Sid: "a" }),
      "The Statement Ids in the policy are not unique",
    ],
  ];
  for (const [name, text, fault] of cases)
    test(`${name}: ${fault ?? "no fault"}`, () => assert.equal(trustPolicyFault(text), fault));
});

test("a resource policy must have principals, and may not allow all but some", () => {
  const ours = { ...good, Principal: "*" };
  assert.equal(resourcePolicyFault(document(ours)), undefined);
  assert.equal(resourcePolicyFault("x"), "This policy contains invalid Json");
  assert.equal(resourcePolicyFault("{}"), "Missing required field Statement");
  assert.equal(resourcePolicyFault(document()), "Could not parse the policy: Statement is empty!");
  assert.equal(
    resourcePolicyFault(document({ ...ours, Principal: { AWS: "someone" } })),
    "Invalid principal in policy",
  );
  assert.equal(
    resourcePolicyFault(document({ ...ours, Principal: { AWS: "111111111111" }, Effect: "Deny" })),
    undefined,
  );
  assert.equal(resourcePolicyFault(document({ ...ours, NotPrincipal: "*" })), SYNTAX);
  assert.equal(resourcePolicyFault(document({ ...ours, Condition: { StringSame: { "aws:k": "v" } } })), SYNTAX);
  assert.equal(resourcePolicyFault(document(good)), "Missing required field Principal");
  assert.equal(
    resourcePolicyFault(document({ ...good, NotPrincipal: "*" })),
    "Allow with NotPrincipal is not allowed.",
  );
  assert.equal(resourcePolicyFault(document(without(ours, "Action"))), "Missing required field Action");
  assert.equal(resourcePolicyFault(document({ ...ours, Effect: "Maybe" })), "Invalid effect: Maybe");
  assert.equal(resourcePolicyFault(document(without(ours, "Effect"))), "Missing required field Effect");
});
