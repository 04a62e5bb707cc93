// A topic's policy as a document: the one that every topic is born with, and its statements.
import { type TopicRef, topicArn } from "./arns.ts";

export interface Statement {
  readonly Sid?: string;
  readonly Effect: string;
  readonly Action?: string | readonly string[];
  readonly NotAction?: string | readonly string[];
}

export interface Policy {
  readonly Version?: string;
  readonly Id?: string;
  readonly Statement: Statement | readonly Statement[];
}

/** What a topic's policy may speak of. https://docs.aws.amazon.com/sns/latest/dg/sns-access-policy-language-api-permissions-reference.html */
export const ACTIONS = [
  "GetTopicAttributes",
  "SetTopicAttributes",
  "AddPermission",
  "RemovePermission",
  "DeleteTopic",
  "Subscribe",
  "ListSubscriptionsByTopic",
  "Publish",
  "Receive",
  "ListTagsForResource",
  "TagResource",
  "UntagResource",
  "ConfirmSubscription",
  "GetDataProtectionPolicy",
  "PutDataProtectionPolicy",
];
const BORN_WITH = ACTIONS.slice(0, 8);

/** Recorded, to the order of its members. It lets nobody in: AWS:SourceOwner is the caller's only where an AWS service of that account calls. */
export const defaultPolicy = (ref: TopicRef): string =>
  JSON.stringify({
    Version: "2008-10-17",
    Id: "__default_policy_ID",
    Statement: [
      {
        Sid: "__default_statement_ID",
        Effect: "Allow",
        Principal: { AWS: "*" },
        Action: BORN_WITH.map((action) => `SNS:${action}`),
        Resource: topicArn(ref),
        Condition: { StringEquals: { "AWS:SourceOwner": ref.account } },
      },
    ],
  });

export const statementsOf = ({ Statement }: Policy): readonly Statement[] => [Statement].flat();

export const actionsOf = (document: string): readonly string[] =>
  statementsOf(JSON.parse(document) as Policy).flatMap(({ Action, NotAction }) => [Action ?? NotAction ?? []].flat());
