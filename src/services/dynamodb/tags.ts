// TagResource, UntagResource, ListTagsOfResource.
import {
  type Arn,
  type Context,
  defineOperations,
  type Input,
  parseArn,
  requestTagKeys,
  requestTags,
  type Tx,
} from "../../kernel/mod.ts";
import { onTable } from "./access.ts";
import { errors } from "./errors.ts";
import { findTable, type Table, tableRef } from "./schema.ts";
import { settledTable } from "./states.ts";

export const MIGRATION = `
  CREATE TABLE dynamodb_tag (
    number BIGINT NOT NULL, key TEXT NOT NULL, value TEXT NOT NULL,
    PRIMARY KEY (number, key)
  )`;

/** https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Tagging.html */
const MOST_TAGS = 50;
/** AWS's own page: ten at a time. */
const MOST_TAGS_LISTED = 10;
const TAG = /^[\p{L}\p{N}\p{Z}+\-=._:/@]*$/u;

type Tags = NonNullable<Input<"dynamodb", "TagResource">["Tags"]>;
interface Tag {
  readonly key: string;
  readonly value: string;
}

export const tags = defineOperations("dynamodb", {
  TagResource: {
    access: (ctx, input) => onTable(ctx, "TagResource", tagged(input.ResourceArn), requestTags(input.Tags)),
    async handle(ctx, input) {
      const given = tagRules(input.Tags ?? []);
      if (given.length === 0) throw errors.validation("Atleast one Tag needs to be provided as Input.");
      await ctx.write(async (tx) => {
        const table = await taggedTable(tx, ctx, input.ResourceArn);
        await writeTags(tx, table, given);
      });
      return {};
    },
  },

  UntagResource: {
    access: (ctx, input) => onTable(ctx, "UntagResource", tagged(input.ResourceArn), requestTagKeys(input.TagKeys)),
    async handle(ctx, input) {
      if (!input.TagKeys?.length) throw errors.validation("Atleast one Tag Key needs to be provided as Input.");
      await ctx.write(async (tx) => {
        const { number } = await taggedTable(tx, ctx, input.ResourceArn);
        for (const key of input.TagKeys!)
          await tx.run("DELETE FROM dynamodb_tag WHERE number = :number AND key = :key", { number, key });
      });
      return {};
    },
  },

  ListTagsOfResource: {
    access: (ctx, input) => onTable(ctx, "ListTagsOfResource", tagged(input.ResourceArn)),
    async handle(ctx, input) {
      const after = input.NextToken === undefined ? "" : Buffer.from(input.NextToken, "base64url").toString();
      const rows = await ctx.read(async (tx) => {
        const { number } = await taggedTable(tx, ctx, input.ResourceArn);
        return tx.all<Tag>(
          "SELECT key, value FROM dynamodb_tag WHERE number = :number AND key > :after ORDER BY key LIMIT :count",
          { number, after, count: MOST_TAGS_LISTED + 1 },
        );
      });
      const page = rows.slice(0, MOST_TAGS_LISTED);
      return {
        Tags: page.map(({ key, value }) => ({ Key: key, Value: value })),
        ...(rows.length > page.length && { NextToken: Buffer.from(page.at(-1)!.key).toString("base64url") }),
      };
    },
  },
});

/** For the door: an index has its table's. */
export async function resourceTags(ctx: Context, resource: Arn): Promise<Readonly<Record<string, string>> | undefined> {
  const parts = parseArn(resource)!;
  const name = /^table\/([^/]+)/.exec(parts.resource)?.[1];
  if (name === undefined) return undefined;
  const rows = await ctx.read((tx) =>
    tx.all<Tag>(
      `SELECT g.key, g.value FROM dynamodb_table t JOIN dynamodb_tag g ON g.number = t.number
       WHERE t.account = :account AND t.region = :region AND t.name = :name`,
      { account: parts.account, region: parts.region, name },
    ),
  );
  return Object.fromEntries(rows.map(({ key, value }) => [key, value]));
}

export function tagRules(given: Tags): readonly Tag[] {
  const pairs = given.map(({ Key = "", Value = "" }) => ({ key: Key, value: Value }));
  for (const { key, value } of pairs) {
    if (!TAG.test(key)) throw errors.validation(`The Tag Key provided is invalid, Key: ${key}`);
    if (!TAG.test(value)) throw errors.validation(`The Tag Value provided is invalid, Value: ${value}`);
    if (key.toLowerCase().startsWith("aws:"))
      throw errors.validation(`Tag Key cannot be prefixed with aws:, Key: ${key}`);
  }
  const twice = pairs.find(({ key }, i) => pairs.findIndex((other) => other.key === key) < i);
  if (twice) throw errors.validation(`Duplicate Tag Keys provided as input: Duplicate Tag Key found ${twice.key}`);
  return pairs;
}

export async function writeTags(tx: Tx, { number }: Table, given: readonly Tag[]): Promise<void> {
  for (const { key, value } of given)
    await tx.run(
      `INSERT INTO dynamodb_tag (number, key, value) VALUES (:number, :key, :value)
       ON CONFLICT (number, key) DO UPDATE SET value = excluded.value`,
      { number, key, value },
    );
  const row = await tx.one<{ count: number }>("SELECT COUNT(*) AS count FROM dynamodb_tag WHERE number = :number", {
    number,
  });
  if (row!.count > MOST_TAGS)
    throw errors.validation("Number of Tags exceed the current limit for the provided ResourceArn");
}

export async function removeTags(tx: Tx, { number }: Table): Promise<void> {
  await tx.run("DELETE FROM dynamodb_tag WHERE number = :number", { number });
}

/** Only a table's ARN will do: names, and ARNs of indexes, are refused. */
function tagged(arn = ""): string {
  if (!arn.startsWith("arn:")) throw errors.invalid(`ARNs must start with 'arn:': ${arn}`);
  const { service, resource = "" } = parseArn(arn) ?? {};
  if (service !== "dynamodb") throw errors.invalid(`Provided Arn is not a DynamoDB resource arn: ${arn}`);
  if (/^table\/[^/]+\/index\//.test(resource))
    throw errors.invalid(
      `Invalid resource arn provided, only table or stream is accepted. Provided resource arn: ${arn}`,
    );
  return arn;
}

async function taggedTable(tx: Tx, ctx: Context, arn = ""): Promise<Table> {
  const table = await findTable(tx, tableRef(ctx, tagged(arn)));
  if (!table || table.status === "CREATING") throw errors.arnNotFound(arn);
  settledTable(table);
  return table;
}
