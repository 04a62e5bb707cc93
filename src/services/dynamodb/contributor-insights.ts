// DescribeContributorInsights, ListContributorInsights: there are none, and none can be switched on (UpdateContributorInsights is refused by name).
import { defineOperations } from "../../kernel/mod.ts";
import { onAll, onTable } from "./access.ts";
import { errors } from "./errors.ts";
import { tableByName } from "./tables.ts";

export const contributorInsights = defineOperations("dynamodb", {
  DescribeContributorInsights: {
    access: (ctx, input) => onTable(ctx, "DescribeContributorInsights", input.TableName),
    async handle(ctx, { TableName, IndexName }) {
      const table = await ctx.read((tx) => tableByName(tx, ctx, TableName));
      if (IndexName !== undefined && !table.indexes.some(({ name }) => name === IndexName))
        throw errors.indexNotFound(table.name, IndexName);
      return {
        TableName: table.name,
        ...(IndexName !== undefined && { IndexName }),
        ContributorInsightsStatus: "DISABLED" as const,
      };
    },
  },

  ListContributorInsights: {
    access: (ctx, { TableName }) =>
      TableName === undefined
        ? onAll(ctx, "ListContributorInsights")
        : onTable(ctx, "ListContributorInsights", TableName),
    async handle(ctx, { TableName }) {
      if (TableName !== undefined) await ctx.read((tx) => tableByName(tx, ctx, TableName));
      return { ContributorInsightsSummaries: [] };
    },
  },
});
