// PutSubscriptionFilter, DescribeSubscriptionFilters, DeleteSubscriptionFilter. What matches goes to a function; deliveries.ts brings it.
import { AwsError, type Context, defineOperations, type Output, parseArn } from "../../kernel/mod.ts";
import { onNamed } from "./access.ts";
import { invokeAs } from "./deliveries.ts";
import { errors } from "./errors.ts";
import { deleteFilter, filtersOf, putFilter } from "./filters.ts";
import { cut, readCursor } from "./pages.ts";
import { pattern } from "./patterns.ts";
import { itself } from "./retention.ts";
import { type FilterRow, type GroupRef, groupArn, openGroup, refOf } from "./rows.ts";

const MOST_FILTERS = 2;
const PAGE = 50;

export const subscriptionFilters = defineOperations("logs", {
  PutSubscriptionFilter: {
    access: (ctx, input) => onNamed(ctx, "PutSubscriptionFilter", input),
    async handle(ctx, input) {
      for (const member of ["applyOnTransformedLogs", "fieldSelectionCriteria", "emitSystemFields"] as const)
        if (input[member]?.valueOf() && input[member].toString() !== "")
          throw errors.notImplemented(`PutSubscriptionFilter's ${member}`);
      const { filterName: name = "", filterPattern = "", destinationArn = "", distribution = "ByLogStream" } = input;
      checkDestination(ctx, destinationArn, input.roleArn);
      pattern(filterPattern);
      const ref = refOf(ctx, input.logGroupName);
      await openGroup(ctx.singly, ref);
      await mayInvoke(ctx, ref, destinationArn);
      const definition = JSON.stringify({ destinationArn, distribution });
      await ctx.write(async (tx) => {
        const { id } = await openGroup(tx, ref);
        const row: FilterRow = {
          group_id: id,
          kind: "subscription",
          name,
          pattern: filterPattern,
          definition,
          created_ms: ctx.now,
        };
        if (!(await putFilter(tx, row, MOST_FILTERS))) throw errors.limit();
      });
      return {};
    },
  },

  DescribeSubscriptionFilters: {
    access: (ctx, input) => onNamed(ctx, "DescribeSubscriptionFilters", input),
    async handle(ctx, input) {
      const { filterNamePrefix: prefix = "", limit = PAGE } = input;
      const group = await openGroup(ctx.singly, refOf(ctx, input.logGroupName));
      const [after] = readCursor(input.nextToken);
      const all = await filtersOf(ctx.singly, group.id, "subscription");
      const wanted = all.filter(({ name }) => name > after! && name.startsWith(prefix));
      const { items, nextToken } = cut(wanted, limit, ({ name }) => [name]);
      return {
        subscriptionFilters: items.map((row) => described(group, row)),
        ...(nextToken !== undefined && { nextToken }),
      };
    },
  },

  DeleteSubscriptionFilter: {
    access: (ctx, input) => onNamed(ctx, "DeleteSubscriptionFilter", input),
    async handle(ctx, input) {
      await ctx.write(async (tx) => {
        const { id: groupId } = await openGroup(tx, refOf(ctx, input.logGroupName));
        const gone = await deleteFilter(tx, { groupId, kind: "subscription", name: input.filterName! });
        if (!gone) throw errors.noSubscriptionFilter();
      });
      return {};
    },
  },
});

function checkDestination(ctx: Context, arn: string, role: string | undefined): void {
  const parts = parseArn(arn);
  if (parts?.service === "kinesis" || parts?.service === "firehose") {
    if (role === undefined)
      throw errors.parameter(`destinationArn for vendor ${parts.service} cannot be used without roleArn`);
    throw errors.notImplemented(`A subscription of ${parts.service}`);
  }
  if (parts?.service === "logs") throw errors.notImplemented("A subscription of a destination");
  if (parts?.service !== "lambda")
    throw errors.parameter(
      `PutSubscriptionFilter operation cannot work with destinationArn for vendor ${parts?.service ?? arn}`,
    );
  if (role !== undefined) throw errors.parameter("destinationArn for vendor lambda cannot be used with roleArn");
  if (parts.account !== ctx.account) throw errors.crossAccount();
}

/** AWS tries it before it keeps it. */
async function mayInvoke(ctx: Context, ref: GroupRef, FunctionName: string): Promise<void> {
  try {
    const input = { FunctionName, InvocationType: "DryRun" } as const;
    await invokeAs(ctx, itself(groupArn(ref), ref.account), (as) => ctx.call("lambda", "Invoke", input, as));
  } catch (error) {
    if (error instanceof AwsError && error.status < 500) throw errors.cannotInvoke();
    throw error;
  }
}

type Described = NonNullable<Output<"logs", "DescribeSubscriptionFilters">["subscriptionFilters"]>[number];

const described = (group: GroupRef, row: FilterRow): Described => ({
  filterName: row.name,
  logGroupName: group.name,
  filterPattern: row.pattern,
  ...(JSON.parse(row.definition) as Pick<Described, "destinationArn" | "distribution">),
  applyOnTransformedLogs: false,
  creationTime: row.created_ms,
});
