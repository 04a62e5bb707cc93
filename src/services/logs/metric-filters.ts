// PutMetricFilter, DescribeMetricFilters, DeleteMetricFilter, TestMetricFilter.
import { defineOperations, type Output } from "../../kernel/mod.ts";
import { onAll, onEverything, onNamed } from "./access.ts";
import { errors } from "./errors.ts";
import { deleteFilter, putFilter } from "./filters.ts";
import type { Transformation } from "./metric-data.ts";
import { beyond, cut, readCursor } from "./pages.ts";
import { pattern } from "./patterns.ts";
import { type FilterRow, openGroup, refOf } from "./rows.ts";

/** https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/cloudwatch_limits_cwl.html */
const MOST_FILTERS = 100;
const PAGE = 50;

export const metricFilters = defineOperations("logs", {
  PutMetricFilter: {
    access: (ctx, input) => onNamed(ctx, "PutMetricFilter", input),
    async handle(ctx, input) {
      for (const member of ["applyOnTransformedLogs", "fieldSelectionCriteria", "emitSystemFieldDimensions"] as const)
        if (input[member]) throw errors.notImplemented(`PutMetricFilter's ${member}`);
      const { filterName: name = "", filterPattern = "", metricTransformations = [] } = input;
      pattern(filterPattern);
      check(metricTransformations[0]!, filterPattern);
      const definition = JSON.stringify(metricTransformations);
      await ctx.write(async (tx) => {
        const { id } = await openGroup(tx, refOf(ctx, input.logGroupName));
        const row: FilterRow = {
          group_id: id,
          kind: "metric",
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

  DescribeMetricFilters: {
    access: (ctx, input) =>
      input.logGroupName === undefined
        ? onAll(ctx, "DescribeMetricFilters")
        : onNamed(ctx, "DescribeMetricFilters", input),
    async handle(ctx, input) {
      const { filterNamePrefix: prefix = "", limit = PAGE, metricName, metricNamespace } = input;
      if ((metricName === undefined) !== (metricNamespace === undefined))
        throw errors.parameter("Both metricName and metricNamespace must be specified.");
      if (input.logGroupName !== undefined) await openGroup(ctx.singly, refOf(ctx, input.logGroupName));
      const [group, name] = readCursor(input.nextToken, 2);
      const { account, region } = ctx;
      const one = input.logGroupName;
      const rows = await ctx.singly.all<FilterRow & { group_name: string }>(
        `SELECT f.*, g.name AS group_name FROM logs_filter f JOIN logs_group g ON g.id = f.group_id
         WHERE g.account = :account AND g.region = :region AND g.name >= :low AND g.name <= :high AND f.kind = 'metric'
           AND f.name >= :prefix AND f.name < :end AND (g.name, f.name) > (:group, :name)
         ORDER BY g.name, f.name`,
        {
          account,
          region,
          low: one ?? "",
          high: one ?? beyond(""),
          prefix,
          end: beyond(prefix),
          group: group!,
          name: name!,
        },
      );
      const wanted = rows.filter(({ definition }) => {
        const [first] = JSON.parse(definition) as [Transformation];
        return (
          metricName === undefined || (first.metricName === metricName && first.metricNamespace === metricNamespace)
        );
      });
      const { items, nextToken } = cut(wanted, limit, (row) => [row.group_name, row.name]);
      return { metricFilters: items.map(described), ...(nextToken !== undefined && { nextToken }) };
    },
  },

  DeleteMetricFilter: {
    access: (ctx, input) => onNamed(ctx, "DeleteMetricFilter", input),
    async handle(ctx, input) {
      await ctx.write(async (tx) => {
        const { id: groupId } = await openGroup(tx, refOf(ctx, input.logGroupName));
        if (!(await deleteFilter(tx, { groupId, kind: "metric", name: input.filterName! })))
          throw errors.noMetricFilter();
      });
      return {};
    },
  },

  TestMetricFilter: {
    access: () => onEverything("TestMetricFilter"),
    async handle(_ctx, input) {
      const match = pattern(input.filterPattern);
      const matches = (input.logEventMessages ?? []).flatMap((eventMessage, i) => {
        const found = match(eventMessage);
        return found ? [{ eventNumber: i + 1, eventMessage, extractedValues: { ...found.extracted } }] : [];
      });
      return { matches };
    },
  },
});

const MOST_DIMENSIONS = 3;

function check({ metricName, metricValue = "", defaultValue, dimensions = {} }: Transformation, text: string): void {
  const count = Object.keys(dimensions).length;
  if (count > MOST_DIMENSIONS)
    throw errors.parameter(`A metric filter can have at most ${MOST_DIMENSIONS} dimensions.`);
  if (count > 0 && defaultValue !== undefined)
    throw errors.parameter(
      "Invalid metric transformation: dimensions and default value are mutually exclusive properties.",
    );
  const structured = /^\s*[{[]/.test(text);
  if (count > 0 && !structured)
    throw errors.parameter(
      "Invalid metric transformation: dimensions are only supported for JSON or space-delimited filter patterns.",
    );
  const isNumber = /^[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?$/.test(metricValue);
  if (!isNumber && !(structured && metricValue.startsWith("$")))
    throw errors.parameter(
      `Invalid metric transformation: the value of ${metricName} is no number and no field of the pattern.`,
    );
}

type Described = NonNullable<Output<"logs", "DescribeMetricFilters">["metricFilters"]>[number];

const described = (row: FilterRow & { group_name: string }): Described => ({
  filterName: row.name,
  filterPattern: row.pattern,
  metricTransformations: JSON.parse(row.definition) as Transformation[],
  creationTime: row.created_ms,
  logGroupName: row.group_name,
  applyOnTransformedLogs: false,
});
