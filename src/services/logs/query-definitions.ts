// PutQueryDefinition, DescribeQueryDefinitions, DeleteQueryDefinition: queries that are kept by name.
import { defineOperations, newRequestId } from "../../kernel/mod.ts";
import { onEverything } from "./access.ts";
import { errors } from "./errors.ts";
import { cut, readCursor } from "./pages.ts";

interface DefinitionRow {
  readonly id: string;
  readonly name: string;
  /** JSON: the query and its groups. */
  readonly definition: string;
  readonly modified_ms: number;
}

const PAGE = 1000;

export const queryDefinitions = defineOperations("logs", {
  PutQueryDefinition: {
    access: () => onEverything("PutQueryDefinition"),
    async handle(ctx, input) {
      if (input.parameters?.length) throw errors.notImplemented("PutQueryDefinition's parameters");
      const { account, region } = ctx;
      const { name = "", queryString, logGroupNames = [], queryLanguage = "CWLI" } = input;
      const id = input.queryDefinitionId ?? newRequestId();
      const definition = JSON.stringify({ queryString, logGroupNames, queryLanguage });
      await ctx.write(async (tx) => {
        const known = await tx.one(
          "SELECT id FROM logs_query_definition WHERE account = :account AND region = :region AND id = :id",
          { account, region, id },
        );
        if (input.queryDefinitionId !== undefined && !known) throw errors.noQueryDefinition();
        await tx.run(
          `INSERT INTO logs_query_definition (account, region, id, name, definition, modified_ms)
           VALUES (:account, :region, :id, :name, :definition, :modified_ms)
           ON CONFLICT (account, region, id) DO UPDATE SET name = :name, definition = :definition, modified_ms = :modified_ms`,
          { account, region, id, name, definition, modified_ms: ctx.now },
        );
      });
      return { queryDefinitionId: id };
    },
  },

  DescribeQueryDefinitions: {
    access: () => onEverything("DescribeQueryDefinitions"),
    async handle(ctx, input) {
      const { account, region } = ctx;
      const [name, id] = readCursor(input.nextToken, 2);
      const rows = await ctx.singly.all<DefinitionRow>(
        `SELECT * FROM logs_query_definition WHERE account = :account AND region = :region AND (name, id) > (:name, :id)
         ORDER BY name, id`,
        { account, region, name: name!, id: id! },
      );
      const prefix = input.queryDefinitionNamePrefix ?? "";
      const wanted = rows.filter((row) => row.name.startsWith(prefix));
      const { items, nextToken } = cut(wanted, input.maxResults ?? PAGE, (row) => [row.name, row.id]);
      const queryDefinitions = items.map((row) => ({
        queryDefinitionId: row.id,
        name: row.name,
        ...(JSON.parse(row.definition) as { queryString: string; logGroupNames: string[] }),
        lastModified: row.modified_ms,
      }));
      return { queryDefinitions, ...(nextToken !== undefined && { nextToken }) };
    },
  },

  DeleteQueryDefinition: {
    access: () => onEverything("DeleteQueryDefinition"),
    async handle(ctx, input) {
      const { account, region } = ctx;
      const gone = await ctx.write((tx) =>
        tx.run("DELETE FROM logs_query_definition WHERE account = :account AND region = :region AND id = :id", {
          account,
          region,
          id: input.queryDefinitionId!,
        }),
      );
      if (gone === 0) throw errors.noQueryDefinition();
      return { success: true };
    },
  },
});
