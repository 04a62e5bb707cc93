// CreateEventSourceMapping, Get, Update, Delete, List. https://docs.aws.amazon.com/lambda/latest/api/API_CreateEventSourceMapping.html
import {
  type Access,
  AwsError,
  type Context,
  defineOperations,
  delayed,
  forgetPositions,
  newRequestId,
  requestTags,
  type Tx,
} from "../../../kernel/mod.ts";
import { configurationOf, type FunctionRow } from "../configuration.ts";
import { errors, invalidParameter } from "../errors.ts";
import { findFunction, requireFunction } from "../functions.ts";
import { type FunctionRef, functionArn, type Place, resolveName, resourceOf } from "../names.ts";
import { checkTags } from "../tags.ts";
import { askSource } from "./ask.ts";
import { checkSource, choose } from "./definition.ts";
import {
  describeMapping,
  findMapping,
  findTwin,
  functionOf,
  isQueue,
  listMappings,
  type MappingRow,
  mappingArn,
  NOTHING_YET,
  removeMapping,
  saveMapping,
  type Transition,
} from "./rows.ts";
import { mappingsOf } from "./running.ts";

export const eventSourceMappings = defineOperations("lambda", {
  CreateEventSourceMapping: {
    access(ctx, input) {
      const conditions = { "lambda:FunctionArn": resourceOf(ctx, input.FunctionName), ...requestTags(input.Tags) };
      const tagging = Object.keys(input.Tags ?? {}).length > 0;
      return [
        { action: "lambda:CreateEventSourceMapping", resource: "*", conditions },
        ...(tagging ? [{ action: "lambda:TagResource", resource: anyMapping(ctx), conditions }] : []),
      ];
    },
    // AWS's order, as far as it was seen: the source, what does not fit it, the function, the source itself, a mapping that is there.
    async handle(ctx, input) {
      const ref = resolveName(ctx, input.FunctionName!);
      const source = checkSource(input, ctx.region);
      const definition = choose(source, input);
      checkTags(input.Tags ?? {});
      const fn = await openFunction(ctx, ref);
      const row: MappingRow = {
        uuid: newRequestId(),
        account: ctx.account,
        region: ctx.region,
        function_name: ref.name,
        qualifier: ref.qualifier ?? "",
        source,
        definition: JSON.stringify(definition),
        enabled: input.Enabled === false ? 0 : 1,
        transition: "",
        last_result: NOTHING_YET,
        tags: JSON.stringify(input.Tags ?? {}),
        revision: newRequestId(),
        created_ms: ctx.now,
        modified_ms: ctx.now,
      };
      const refuseTwin = async (tx: Tx) => {
        const twin = await findTwin(tx, row);
        if (twin) throw alreadyThere(twin);
      };
      await ctx.read(refuseTwin);
      await askSource(ctx, source, { ref, configuration: configurationOf(fn) });
      return describeMapping(await change(ctx, row, "Creating", refuseTwin), "Creating");
    },
  },

  GetEventSourceMapping: {
    access: (ctx, input) => onMapping(ctx, "GetEventSourceMapping", input.UUID),
    handle: async (ctx, input) => describeMapping(await ctx.read((tx) => openMapping(tx, ctx, input.UUID))),
  },

  UpdateEventSourceMapping: {
    access: (ctx, input) => onMapping(ctx, "UpdateEventSourceMapping", input.UUID),
    async handle(ctx, input) {
      const before = await ctx.read((tx) => openMapping(tx, ctx, input.UUID));
      const ref = input.FunctionName === undefined ? functionOf(before) : resolveName(ctx, input.FunctionName);
      const definition = choose(before.source, input, JSON.parse(before.definition));
      const fn = await openFunction(ctx, ref);
      const enabled = input.Enabled === undefined ? before.enabled : Number(input.Enabled);
      const row: MappingRow = {
        ...before,
        function_name: ref.name,
        qualifier: ref.qualifier ?? "",
        definition: JSON.stringify(definition),
        enabled,
        revision: newRequestId(),
        modified_ms: ctx.now,
      };
      if (enabled) await askSource(ctx, row.source, { ref, configuration: configurationOf(fn) });
      const transition = enabled === before.enabled ? "Updating" : enabled ? "Enabling" : "Disabling";
      const after = await change(ctx, row, transition, async (tx) => {
        const now = await openMapping(tx, ctx, row.uuid);
        if (now.transition !== "") throw inUse("update");
        const twin = await findTwin(tx, row);
        if (twin) throw alreadyThere(twin);
      });
      return describeMapping(after, transition);
    },
  },

  DeleteEventSourceMapping: {
    access: (ctx, input) => onMapping(ctx, "DeleteEventSourceMapping", input.UUID),
    async handle(ctx, input) {
      const before = await ctx.read((tx) => openMapping(tx, ctx, input.UUID));
      const row = { ...before, enabled: 0, revision: newRequestId(), modified_ms: ctx.now };
      const after = await change(ctx, row, "Deleting", async (tx) => {
        const now = await openMapping(tx, ctx, row.uuid);
        if (now.transition !== "") throw inUse("delete");
      });
      return describeMapping(after, "Deleting");
    },
  },

  ListEventSourceMappings: {
    access: () => ({ action: "lambda:ListEventSourceMappings", resource: "*" }),
    async handle(ctx, input) {
      const ref = input.FunctionName === undefined ? undefined : resolveName(ctx, input.FunctionName);
      const limit = Math.min(input.MaxItems ?? PAGE, PAGE);
      const of = {
        account: ctx.account,
        region: ctx.region,
        source: input.EventSourceArn ?? "",
        name: ref?.name ?? "",
        qualifier: ref?.qualifier ?? "",
        after: input.Marker ?? "",
        limit: limit + 1,
      };
      const rows = await ctx.read(async (tx) => {
        if (ref) await requireFunction(tx, ref);
        return listMappings(tx, of);
      });
      const shown = rows.slice(0, limit);
      return {
        EventSourceMappings: shown.map((row) => describeMapping(row)),
        ...(rows.length > limit && { NextMarker: shown.at(-1)!.uuid }),
      };
    },
  },
});

// "Lambda returns a maximum of 100 items in each response, even if you set the number higher" (ListEventSourceMappings).
const PAGE = 100;
/** What was seen of AWS: a mapping polls after 10 to 30 seconds. */
const TAKES_MS = 15_000;

const anyMapping = (ctx: Context): string => mappingArn({ ...ctx, uuid: "*" });

async function onMapping(ctx: Context, action: string, uuid: string | undefined): Promise<Access> {
  const row = uuid === undefined ? undefined : await findMapping(ctx.singly, { ...placeOf(ctx), uuid });
  return {
    action: `lambda:${action}`,
    resource: mappingArn({ ...placeOf(ctx), uuid: uuid ?? "" }),
    ...(row && { conditions: { "lambda:FunctionArn": functionArn(functionOf(row)) } }),
  };
}

const placeOf = ({ account, region }: Place): Place => ({ account, region });

async function openMapping(tx: Tx, place: Place, uuid: string | undefined): Promise<MappingRow> {
  const row = await findMapping(tx, { ...placeOf(place), uuid: uuid ?? "" });
  if (!row) throw errors.noPolicy(); // the same words
  return row;
}

async function openFunction(ctx: Context, ref: FunctionRef): Promise<FunctionRow> {
  const row = await ctx.read((tx) => findFunction(tx, ref));
  if (!row) throw invalidParameter("Function does not exist");
  return row;
}

/** In one transaction, then its poller follows: at once, or when AWS would be as far. */
async function change(
  ctx: Context,
  row: MappingRow,
  transition: Transition,
  check: (tx: Tx) => Promise<void>,
): Promise<MappingRow> {
  const wait = delayed(ctx, TAKES_MS);
  const after = wait === 0 ? row : { ...row, transition };
  await ctx.write(async (tx) => {
    await check(tx);
    if (wait === 0 && transition === "Deleting") await remove(tx, row);
    else await saveMapping(tx, after);
    if (wait > 0) await ctx.put(tx, { to: mappingArn(row), due: ctx.now + wait, payload: { kind: "arrived" } });
  });
  mappingsOf(ctx).follow(after, wait === 0 ? transition : "");
  return after;
}

async function remove(tx: Tx, row: MappingRow): Promise<void> {
  await removeMapping(tx, row.uuid);
  await forgetPositions(tx, mappingArn(row));
}

/** The Work that a transition ends with. */
export async function arrive(ctx: Context, place: Place & { readonly uuid: string }): Promise<void> {
  const arrived = await ctx.write(async (tx) => {
    const row = await findMapping(tx, place);
    if (!row) return undefined;
    if (row.transition === "Deleting") await remove(tx, row);
    else await saveMapping(tx, { ...row, transition: "" });
    return row;
  });
  if (arrived) mappingsOf(ctx).follow({ ...arrived, transition: "" }, arrived.transition);
}

const inUse = (verb: "update" | "delete") =>
  new AwsError("ResourceInUseException", 400, `Cannot ${verb} the event source mapping because it is in use.`);

// Of queues as recorded in 2025; of streams as users of AWS cite it.
function alreadyThere({ uuid, source, function_name, qualifier }: MappingRow): AwsError {
  const name = qualifier === "" ? function_name : `${function_name}:${qualifier}`;
  const end = `already exists. Please update or delete the existing mapping with UUID ${uuid}`;
  return new AwsError(
    "ResourceConflictException",
    409,
    isQueue(source)
      ? `An event source mapping with SQS arn (" ${source} ") and function (" ${name} ") ${end}`
      : `The event source arn (" ${source} ") and function (" ${name} ") provided mapping ${end}`,
  );
}
