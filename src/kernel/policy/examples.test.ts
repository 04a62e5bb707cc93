// biome-ignore-all lint/suspicious/noTemplateCurlyInString: policy variables are written so
// What AWS's documentation uses policies for, and what they then decide.
// https://docs.aws.amazon.com/IAM/latest/UserGuide/access_policies_examples.html and the pages on global keys, sets, tags, trust and SCPs.
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { type Asked, ask, FRED, type Json, NOBODY, policy, ROOT, S3, SESSION, TOKEN } from "./decisions.fixture.ts";

type Values = Record<string, string | string[]>;
/** `+` or `-`, and what is asked: an action, on which resource ("" the usual one), with which keys. */
type Call = readonly [sign: "+" | "-", action: string, resource?: string, values?: Values];

const all = { Effect: "Allow", Action: "*", Resource: "*" };
const no = (more: Json): Json => ({ Effect: "Deny", Resource: "*", ...more });
const yes = (more: Json): Json => ({ Effect: "Allow", Resource: "*", ...more });
const USUAL = "arn:aws:x:us-east-1:111111111111:y/z";

function calls(statements: Json[], asked: readonly Call[], more: (of: Json[]) => Asked): void {
  for (const [sign, action, resource, values = {}] of asked) {
    const name = [action, resource, Object.entries(values).flat(2).join(" ")].filter(Boolean).join(" ");
    test(`${sign === "+" ? "allowed" : "denied"}: ${name}`, () =>
      assert.equal(ask({ action, resource: resource || USUAL, values, ...more(statements) }).allowed, sign === "+"));
  }
}

const identity: readonly (readonly [string, Json[], readonly Call[]])[] = [
  [
    "nothing without MFA but getting an MFA device: the key is missing with long-term credentials",
    [
      all,
      no({
        Action: undefined,
        NotAction: ["iam:*MFA*", "sts:GetSessionToken"],
        Condition: { BoolIfExists: { "aws:MultiFactorAuthPresent": "false" } },
      }),
    ],
    [
      ["-", "s3:GetObject"],
      ["-", "s3:GetObject", "", { "aws:MultiFactorAuthPresent": "false" }],
      ["+", "s3:GetObject", "", { "aws:MultiFactorAuthPresent": "true" }],
      ["+", "iam:EnableMFADevice"],
      ["+", "sts:GetSessionToken"],
      ["-", "sts:AssumeRole"],
    ],
  ],
  [
    "MFA not long ago",
    [yes({ Action: "*", Condition: { NumericLessThan: { "aws:MultiFactorAuthAge": "3600" } } })],
    [
      ["+", "s3:GetObject", "", { "aws:MultiFactorAuthAge": "3599" }],
      ["-", "s3:GetObject", "", { "aws:MultiFactorAuthAge": "3600" }],
      ["-", "s3:GetObject"],
    ],
  ],
  [
    "from our network only, but for calls that services make for us",
    [
      all,
      no({
        Action: "*",
        Condition: {
          NotIpAddress: { "aws:SourceIp": ["192.0.2.0/24", "203.0.113.0/24"] },
          Bool: { "aws:ViaAWSService": "false" },
        },
      }),
    ],
    [
      ["+", "s3:GetObject", "", { "aws:SourceIp": "203.0.113.9", "aws:ViaAWSService": "false" }],
      ["-", "s3:GetObject", "", { "aws:SourceIp": "198.51.100.1", "aws:ViaAWSService": "false" }],
      ["+", "s3:GetObject", "", { "aws:SourceIp": "198.51.100.1", "aws:ViaAWSService": "true" }],
    ],
  ],
  [
    "in two regions only, but for global services",
    [
      all,
      no({
        NotAction: ["iam:*", "sts:*", "s3:ListAllMyBuckets"],
        Condition: { StringNotEquals: { "aws:RequestedRegion": ["eu-west-1", "eu-central-1"] } },
      }),
    ],
    [
      ["+", "sqs:SendMessage", "", { "aws:RequestedRegion": "eu-west-1" }],
      ["-", "sqs:SendMessage", "", { "aws:RequestedRegion": "us-east-1" }],
      ["+", "iam:GetUser", "", { "aws:RequestedRegion": "us-east-1" }],
      ["+", "s3:ListAllMyBuckets", "", { "aws:RequestedRegion": "us-east-1" }],
    ],
  ],
  [
    "between two dates",
    [
      yes({
        Action: "*",
        Condition: {
          DateGreaterThan: { "aws:CurrentTime": "2026-04-01T00:00:00Z" },
          DateLessThan: { "aws:CurrentTime": "2026-06-30T23:59:59Z" },
        },
      }),
    ],
    [
      ["+", "s3:GetObject", "", { "aws:CurrentTime": "2026-05-01T12:00:00.000Z" }],
      ["-", "s3:GetObject", "", { "aws:CurrentTime": "2026-07-01T00:00:00.000Z" }],
      ["-", "s3:GetObject", "", { "aws:CurrentTime": "2026-03-31T23:59:59.999Z" }],
    ],
  ],
  [
    "what bears the caller's own tag (ABAC)",
    [yes({ Action: "*", Condition: { StringEquals: { "aws:ResourceTag/team": "${aws:PrincipalTag/team}" } } })],
    [
      ["+", "dynamodb:GetItem", "", { "aws:ResourceTag/team": "red", "aws:PrincipalTag/team": "red" }],
      ["-", "dynamodb:GetItem", "", { "aws:ResourceTag/team": "blue", "aws:PrincipalTag/team": "red" }],
      ["-", "dynamodb:GetItem", "", { "aws:PrincipalTag/team": "red" }],
      ["-", "dynamodb:GetItem", "", { "aws:ResourceTag/team": "red" }],
    ],
  ],
  [
    "making only what is tagged, and with these keys only",
    [
      yes({
        Action: "sqs:CreateQueue",
        Condition: {
          "ForAllValues:StringEquals": { "aws:TagKeys": ["team", "cost"] },
          Null: { "aws:TagKeys": "false" },
        },
      }),
    ],
    [
      ["+", "sqs:CreateQueue", "", { "aws:TagKeys": ["team"] }],
      ["+", "sqs:CreateQueue", "", { "aws:TagKeys": ["team", "cost"] }],
      ["-", "sqs:CreateQueue", "", { "aws:TagKeys": ["team", "other"] }],
      ["-", "sqs:CreateQueue"],
    ],
  ],
  [
    "a home directory in a bucket",
    [
      yes({
        Action: "s3:ListBucket",
        Resource: "arn:aws:s3:::b",
        Condition: { StringLike: { "s3:prefix": ["", "home/", "home/${aws:username}/*"] } },
      }),
      yes({
        Action: "s3:*",
        Resource: ["arn:aws:s3:::b/home/${aws:username}", "arn:aws:s3:::b/home/${aws:username}/*"],
      }),
    ],
    [
      ["+", "s3:ListBucket", "arn:aws:s3:::b", { "aws:username": "ann", "s3:prefix": "" }],
      ["+", "s3:ListBucket", "arn:aws:s3:::b", { "aws:username": "ann", "s3:prefix": "home/ann/x" }],
      ["-", "s3:ListBucket", "arn:aws:s3:::b", { "aws:username": "ann", "s3:prefix": "home/bob/" }],
      ["-", "s3:ListBucket", "arn:aws:s3:::b", { "aws:username": "ann" }],
      ["+", "s3:PutObject", "arn:aws:s3:::b/home/ann/x", { "aws:username": "ann" }],
      ["-", "s3:PutObject", "arn:aws:s3:::b/home/annex/x", { "aws:username": "ann" }],
      ["-", "s3:PutObject", "arn:aws:s3:::b/home/x", { "aws:username": "*" }],
    ],
  ],
  [
    "one's own access keys",
    [yes({ Action: "iam:*AccessKey*", Resource: "arn:aws:iam::*:user/${aws:username}" })],
    [
      ["+", "iam:CreateAccessKey", "arn:aws:iam::111111111111:user/ann", { "aws:username": "ann" }],
      ["-", "iam:CreateAccessKey", "arn:aws:iam::111111111111:user/bob", { "aws:username": "ann" }],
      ["-", "iam:CreateUser", "arn:aws:iam::111111111111:user/ann", { "aws:username": "ann" }],
      ["-", "iam:CreateAccessKey", "arn:aws:iam::111111111111:user/ann"],
    ],
  ],
  [
    "one's own items, and some attributes of them",
    [
      yes({
        Action: ["dynamodb:GetItem", "dynamodb:Query"],
        Condition: {
          "ForAllValues:StringEquals": {
            "dynamodb:LeadingKeys": "${aws:userid}",
            "dynamodb:Attributes": ["id", "score"],
          },
          StringEqualsIfExists: { "dynamodb:Select": "SPECIFIC_ATTRIBUTES" },
        },
      }),
    ],
    [
      [
        "+",
        "dynamodb:GetItem",
        "",
        { "aws:userid": "A1", "dynamodb:LeadingKeys": ["A1"], "dynamodb:Attributes": ["id"] },
      ],
      [
        "-",
        "dynamodb:GetItem",
        "",
        { "aws:userid": "A1", "dynamodb:LeadingKeys": ["A1", "B2"], "dynamodb:Attributes": ["id"] },
      ],
      [
        "-",
        "dynamodb:GetItem",
        "",
        { "aws:userid": "A1", "dynamodb:LeadingKeys": ["A1"], "dynamodb:Attributes": ["id", "secret"] },
      ],
      [
        "+",
        "dynamodb:Query",
        "",
        { "aws:userid": "A1", "dynamodb:LeadingKeys": "A1", "dynamodb:Select": "SPECIFIC_ATTRIBUTES" },
      ],
      [
        "-",
        "dynamodb:Query",
        "",
        { "aws:userid": "A1", "dynamodb:LeadingKeys": "A1", "dynamodb:Select": "ALL_ATTRIBUTES" },
      ],
    ],
  ],
  [
    "no sessions that were given before a moment",
    [all, no({ Action: "*", Condition: { DateLessThan: { "aws:TokenIssueTime": "2026-05-01T00:00:00Z" } } })],
    [
      ["-", "s3:GetObject", "", { "aws:TokenIssueTime": "2026-04-30T23:59:59Z" }],
      ["+", "s3:GetObject", "", { "aws:TokenIssueTime": "2026-05-01T00:00:00Z" }],
      ["+", "s3:GetObject"],
    ],
  ],
  [
    "passing one role to one service",
    [
      yes({
        Action: "iam:PassRole",
        Resource: "arn:aws:iam::*:role/app-*",
        Condition: { StringEquals: { "iam:PassedToService": "lambda.amazonaws.com" } },
      }),
    ],
    [
      ["+", "iam:PassRole", "arn:aws:iam::111111111111:role/app-x", { "iam:PassedToService": "lambda.amazonaws.com" }],
      ["-", "iam:PassRole", "arn:aws:iam::111111111111:role/app-x", { "iam:PassedToService": "ec2.amazonaws.com" }],
      ["-", "iam:PassRole", "arn:aws:iam::111111111111:role/other", { "iam:PassedToService": "lambda.amazonaws.com" }],
    ],
  ],
];

for (const [name, statements, asked] of identity)
  describe(name, () => calls(statements, asked, (of) => ({ identityPolicies: [policy(...of)] })));

describe("a bucket that is open with TLS only", () => {
  const statements = [
    yes({ Principal: "*", Action: "s3:GetObject" }),
    no({ Principal: "*", Action: "s3:*", Condition: { Bool: { "aws:SecureTransport": "false" } } }),
  ];
  const asked: Call[] = [
    ["+", "s3:GetObject", "", { "aws:SecureTransport": "true" }],
    ["-", "s3:GetObject", "", { "aws:SecureTransport": "false" }],
    ["-", "s3:PutObject", "", { "aws:SecureTransport": "true" }],
  ];
  for (const caller of [NOBODY, SESSION, FRED])
    describe(`for ${caller.kind}`, () =>
      calls(statements, asked, (of) => ({ caller, resourcePolicy: policy(...of), sessionPolicies: [policy(all)] })));
});

describe("a bucket for one role only, by aws:PrincipalArn", () => {
  const statements = [
    no({ Principal: "*", Action: "s3:*", Condition: { ArnNotEquals: { "aws:PrincipalArn": SESSION.roleArn } } }),
  ];
  const asked: Call[] = [
    ["+", "s3:GetObject", "", { "aws:PrincipalArn": SESSION.roleArn! }],
    ["-", "s3:GetObject", "", { "aws:PrincipalArn": "arn:aws:iam::111111111111:role/other" }],
    ["-", "s3:GetObject"],
  ];
  calls(statements, asked, (of) => ({
    caller: SESSION,
    identityPolicies: [policy(all)],
    resourcePolicy: policy(...of),
  }));
});

describe("a queue for our organization", () => {
  const statements = [
    yes({ Principal: "*", Action: "sqs:SendMessage", Condition: { StringEquals: { "aws:PrincipalOrgID": "o-1" } } }),
  ];
  const asked: Call[] = [
    ["+", "sqs:SendMessage", "", { "aws:PrincipalOrgID": "o-1" }],
    ["-", "sqs:SendMessage", "", { "aws:PrincipalOrgID": "o-2" }],
    ["-", "sqs:SendMessage"],
  ];
  calls(statements, asked, (of) => ({
    sameAccount: false,
    identityPolicies: [policy(all)],
    resourcePolicy: policy(...of),
  }));
});

describe("a queue for one bucket of one account (no confused deputy)", () => {
  const Condition = {
    ArnLike: { "aws:SourceArn": "arn:aws:s3:*:*:b" },
    StringEquals: { "aws:SourceAccount": "111111111111" },
  };
  const statements = [yes({ Principal: { Service: "s3.amazonaws.com" }, Action: "sqs:SendMessage", Condition })];
  const asked: Call[] = [
    ["+", "sqs:SendMessage", "", { "aws:SourceArn": "arn:aws:s3:::b", "aws:SourceAccount": "111111111111" }],
    ["-", "sqs:SendMessage", "", { "aws:SourceArn": "arn:aws:s3:::b", "aws:SourceAccount": "222222222222" }],
    ["-", "sqs:SendMessage", "", { "aws:SourceArn": "arn:aws:s3:::c", "aws:SourceAccount": "111111111111" }],
    ["-", "sqs:SendMessage"],
  ];
  calls(statements, asked, (of) => ({ caller: S3, resourcePolicy: policy(...of) }));
});

describe("a role for a stranger with an external id", () => {
  const statements = [
    {
      Effect: "Allow",
      Principal: { AWS: "111111111111" },
      Action: "sts:AssumeRole",
      Condition: { StringEquals: { "sts:ExternalId": "42" } },
    },
  ];
  const asked: Call[] = [
    ["+", "sts:AssumeRole", "", { "sts:ExternalId": "42" }],
    ["-", "sts:AssumeRole", "", { "sts:ExternalId": "43" }],
    ["-", "sts:AssumeRole"],
    ["-", "sts:TagSession", "", { "sts:ExternalId": "42" }],
  ];
  calls(statements, asked, (of) => ({
    trust: true,
    sameAccount: false,
    identityPolicies: [policy(all)],
    resourcePolicy: policy(...of),
  }));
});

describe("a role for some subjects of an identity provider", () => {
  const Condition = {
    StringEquals: { "accounts.google.com:aud": "app" },
    StringLike: { "accounts.google.com:sub": "team-*" },
  };
  const statements = [
    {
      Effect: "Allow",
      Principal: { Federated: "accounts.google.com" },
      Action: "sts:AssumeRoleWithWebIdentity",
      Condition,
    },
  ];
  const asked: Call[] = [
    [
      "+",
      "sts:AssumeRoleWithWebIdentity",
      "",
      { "accounts.google.com:aud": "app", "accounts.google.com:sub": "team-a" },
    ],
    [
      "-",
      "sts:AssumeRoleWithWebIdentity",
      "",
      { "accounts.google.com:aud": "other", "accounts.google.com:sub": "team-a" },
    ],
    ["-", "sts:AssumeRoleWithWebIdentity", "", { "accounts.google.com:aud": "app", "accounts.google.com:sub": "me" }],
    ["-", "sts:AssumeRole", "", { "accounts.google.com:aud": "app", "accounts.google.com:sub": "team-a" }],
  ];
  calls(statements, asked, (of) => ({ caller: TOKEN, trust: true, resourcePolicy: policy(...of) }));
});

describe("an organization that forbids root's own calls, and one service", () => {
  const statements = [
    all,
    no({ Action: "*", Condition: { ArnLike: { "aws:PrincipalArn": "arn:aws:iam::*:root" } } }),
    no({ Action: "sqs:*" }),
  ];
  const asRoot = { "aws:PrincipalArn": ROOT.arn! };
  calls(
    statements,
    [
      ["-", "s3:GetObject", "", asRoot],
      ["-", "sqs:SendMessage", "", asRoot],
    ],
    (of) => ({ caller: ROOT, controls: [[policy(...of)]] }),
  );
  const asUser: Call[] = [
    ["+", "s3:GetObject", "", { "aws:PrincipalArn": "arn:aws:iam::111111111111:user/root" }],
    ["-", "sqs:SendMessage"],
  ];
  calls(statements, asUser, (of) => ({ identityPolicies: [policy(all)], controls: [[policy(all)], [policy(...of)]] }));
});
