// Two tables with indexes, and statements about them.
import { type AttributeValue, DynamoDB, type ExecuteStatementCommandInput } from "@aws-sdk/client-dynamodb";
import { startCloud } from "./cloud.ts";
import { refusal } from "./principals.ts";

export type Item = Record<string, AttributeValue>;
export type More = Partial<ExecuteStatementCommandInput>;
const S = (...names: string[]) => names.map((AttributeName) => ({ AttributeName, AttributeType: "S" as const }));
const HASH = (AttributeName: string) => ({ AttributeName, KeyType: "HASH" as const });
const RANGE = (AttributeName: string) => ({ AttributeName, KeyType: "RANGE" as const });
const ALL = { ProjectionType: "ALL" } as const;
const KEYS_ONLY = { ProjectionType: "KEYS_ONLY" } as const;
const INCLUDE = { ProjectionType: "INCLUDE" as const, NonKeyAttributes: ["projattr"] };

export async function startPairs() {
  const cloud = await startCloud();
  const dynamodb = cloud.client(DynamoDB);
  await dynamodb.createTable({
    TableName: "pairs",
    AttributeDefinitions: S("pk", "sk", "g", "g2", "l", "l2", "h1", "h2"),
    KeySchema: [HASH("pk"), RANGE("sk")],
    GlobalSecondaryIndexes: [
      { IndexName: "gsi-all", KeySchema: [HASH("g")], Projection: ALL },
      { IndexName: "gsi-inc", KeySchema: [HASH("g2")], Projection: INCLUDE },
      { IndexName: "gsi-keys", KeySchema: [HASH("g2")], Projection: KEYS_ONLY },
      { IndexName: "gsi-many", KeySchema: [HASH("h1"), HASH("h2")], Projection: ALL },
    ],
    LocalSecondaryIndexes: [
      { IndexName: "lsi-keys", KeySchema: [HASH("pk"), RANGE("l")], Projection: KEYS_ONLY },
      { IndexName: "lsi-inc", KeySchema: [HASH("pk"), RANGE("l2")], Projection: INCLUDE },
    ],
    BillingMode: "PAY_PER_REQUEST",
  });
  await dynamodb.createTable({
    TableName: "numbers",
    AttributeDefinitions: [{ AttributeName: "pk", AttributeType: "N" }],
    KeySchema: [HASH("pk")],
    BillingMode: "PAY_PER_REQUEST",
  });

  const run = (Statement: string, Parameters?: AttributeValue[], more: More = {}) =>
    dynamodb.executeStatement({ Statement, Parameters, ...more });
  const items = async (...statement: Parameters<typeof run>): Promise<Item[]> => (await run(...statement)).Items!;
  const put = (pk: string, sk: string, more: Item = {}) =>
    dynamodb.putItem({ TableName: "pairs", Item: { pk: { S: pk }, sk: { S: sk }, ...more } });
  const stored = async (pk: string, sk = "1"): Promise<Item | undefined> =>
    (await dynamodb.getItem({ TableName: "pairs", Key: { pk: { S: pk }, sk: { S: sk } } })).Item;
  const sks = async (where: string): Promise<string[]> =>
    (await items(`SELECT sk FROM pairs WHERE ${where}`)).map(({ sk }) => sk!.S!);
  const said = async (sent: Promise<unknown>): Promise<string> =>
    (await refusal(sent)).replace("ValidationException 400 ", "");
  return { cloud, dynamodb, run, items, put, stored, sks, said };
}
