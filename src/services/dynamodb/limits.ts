// DescribeLimits and DescribeEndpoints.
import { defineOperations } from "../../kernel/mod.ts";
import { onAll } from "./access.ts";
import { MOST_OF_ACCOUNT, MOST_OF_TABLE } from "./throughput.ts";

export const limits = defineOperations("dynamodb", {
  // AWS's defaults of a new account. Nothing is throttled here.
  DescribeLimits: {
    access: (ctx) => onAll(ctx, "DescribeLimits"),
    handle: async () => ({
      AccountMaxReadCapacityUnits: MOST_OF_ACCOUNT,
      AccountMaxWriteCapacityUnits: MOST_OF_ACCOUNT,
      TableMaxReadCapacityUnits: MOST_OF_TABLE,
      TableMaxWriteCapacityUnits: MOST_OF_TABLE,
    }),
  },

  DescribeEndpoints: {
    access: (ctx) => onAll(ctx, "DescribeEndpoints"),
    handle: async (ctx) => ({
      Endpoints: [{ Address: new URL(ctx.endpoint).host, CachePeriodInMinutes: 1440 }],
    }),
  },
});
