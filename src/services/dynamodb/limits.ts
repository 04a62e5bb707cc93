// DescribeLimits and DescribeEndpoints.
import { defineOperations } from "../../kernel/mod.ts";
import { onAll } from "./access.ts";

export const limits = defineOperations("dynamodb", {
  // AWS's defaults of a new account. Nothing is throttled here.
  DescribeLimits: {
    access: (ctx) => onAll(ctx, "DescribeLimits"),
    handle: async () => ({
      AccountMaxReadCapacityUnits: 80_000,
      AccountMaxWriteCapacityUnits: 80_000,
      TableMaxReadCapacityUnits: 40_000,
      TableMaxWriteCapacityUnits: 40_000,
    }),
  },

  DescribeEndpoints: {
    access: (ctx) => onAll(ctx, "DescribeEndpoints"),
    handle: async (ctx) => ({
      Endpoints: [{ Address: new URL(ctx.endpoint).host, CachePeriodInMinutes: 1440 }],
    }),
  },
});
