// DynamoDB as the one who acts: it closes shards, and takes items whose time has come.
import { type Arn, type Principal, parseArn } from "../../kernel/mod.ts";

/** `arn`: of the table, or the stream, for which it acts. */
export const dynamodbItself = (arn: Arn): Principal => ({
  kind: "service",
  name: "dynamodb.amazonaws.com",
  account: parseArn(arn)!.account,
  sourceArn: arn,
});
