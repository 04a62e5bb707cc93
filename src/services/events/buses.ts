// CreateEventBus, UpdateEventBus, DescribeEventBus, ListEventBuses, DeleteEventBus.
import { defineOperations, type Input, type Output, parseArn, requestTags } from "../../kernel/mod.ts";
import { onAll, onBus } from "./access.ts";
import {
  type Bus,
  busArn,
  busOf,
  DEFAULT_BUS,
  findBus,
  listBuses,
  openBus,
  rulesChanged,
  saveBus,
} from "./bus-rows.ts";
import { errors } from "./errors.ts";
import { cursorOf, paged } from "./pages.ts";
import { countRules } from "./rows.ts";
import { tagged } from "./tags.ts";

/** https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-quota.html */
const MOST_BUSES = 100;

export const buses = defineOperations("events", {
  CreateEventBus: {
    access: (ctx, input) =>
      ["CreateEventBus", ...(input.Tags?.length ? ["TagResource"] : [])].map((action) =>
        onBus(action, busOf(ctx, input.Name), requestTags(input.Tags)),
      ),
    async handle(ctx, input) {
      if (input.EventSourceName !== undefined) throw errors.notImplemented("CreateEventBus's EventSourceName");
      const ref = busOf(ctx, input.Name);
      if (ref.name.includes("/")) throw errors.validation("Event bus name must not contain '/'.");
      const kept = keptOf(input);
      await ctx.write(async (tx) => {
        if (await findBus(tx, ref)) throw errors.busExists(ref.name);
        const { account, region } = ref;
        const page = { account, region, prefix: "", after: "", limit: MOST_BUSES };
        if ((await listBuses(tx, page)).length >= MOST_BUSES) throw errors.limit();
        const tags = JSON.stringify(tagged({}, input.Tags ?? []));
        const times = { created_ms: ctx.now, modified_ms: ctx.now };
        await saveBus(tx, { ...ref, ...kept, policy: null, tags, rules_version: "", ...times }, ctx.now);
      });
      return { EventBusArn: busArn(ref), ...shown(kept) };
    },
  },

  UpdateEventBus: {
    access: (ctx, input) => onBus("UpdateEventBus", busOf(ctx, input.Name)),
    async handle(ctx, input) {
      const ref = busOf(ctx, input.Name);
      const kept = keptOf(input);
      await ctx.write(async (tx) => saveBus(tx, { ...(await openBus(tx, ref)), ...kept }, ctx.now));
      return { Arn: busArn(ref), Name: ref.name, ...shown(kept) };
    },
  },

  DescribeEventBus: {
    access: (ctx, input) => onBus("DescribeEventBus", busOf(ctx, input.Name)),
    async handle(ctx, input) {
      const bus = await ctx.read((tx) => openBus(tx, busOf(ctx, input.Name)));
      return { ...listed(bus), ...shown(bus) };
    },
  },

  ListEventBuses: {
    access: (ctx) => onAll(ctx, "ListEventBuses", "event-bus"),
    async handle(ctx, input) {
      const { account, region } = ctx;
      const { items, more } = await paged(input, (page) =>
        ctx.read((tx) => listBuses(tx, { account, region, prefix: input.NamePrefix ?? "", ...page })),
      );
      return { EventBuses: items.map(listed), ...(more && { NextToken: cursorOf(items.at(-1)!.name) }) };
    },
  },

  DeleteEventBus: {
    access: (ctx, input) => onBus("DeleteEventBus", busOf(ctx, input.Name)),
    async handle(ctx, input) {
      const ref = busOf(ctx, input.Name);
      if (ref.name === DEFAULT_BUS) throw errors.validation("Cannot delete event bus default.");
      await ctx.write(async (tx) => {
        await openBus(tx, ref);
        if ((await countRules(tx, ref)) > 0)
          throw errors.validation(`Event bus ${ref.name} can't be deleted since it has rules.`);
        await rulesChanged(ctx, tx, ref);
        const { account, region, name } = ref;
        await tx.run("DELETE FROM events_bus WHERE account = :account AND region = :region AND name = :name", {
          account,
          region,
          name,
        });
      });
      return {};
    },
  },
});

type Kept = Pick<Bus, "description" | "kms_key" | "dead_letter">;

/** What a bus keeps and answers. Nothing is encrypted with its key, so nothing fails for want of it and goes to its dead-letter queue. */
function keptOf(input: Omit<Input<"events", "UpdateEventBus">, "Name">): Kept {
  const level = input.LogConfig?.Level;
  if (level !== undefined && level !== "OFF") throw errors.notImplemented(`A bus's LogConfig.Level ${level}`);
  const dead = input.DeadLetterConfig?.Arn;
  if (dead !== undefined && parseArn(dead)?.service !== "sqs")
    throw errors.parameter(dead, "Provided Arn is not in correct format.");
  return {
    description: input.Description ?? null,
    kms_key: input.KmsKeyIdentifier || null,
    dead_letter: dead === undefined ? null : JSON.stringify({ Arn: dead }),
  };
}

const shown = ({ description, kms_key, dead_letter }: Kept) => ({
  ...(description !== null && { Description: description }),
  ...(kms_key !== null && { KmsKeyIdentifier: kms_key }),
  ...(dead_letter !== null && { DeadLetterConfig: JSON.parse(dead_letter) as { Arn: string } }),
});

const listed = (bus: Bus): NonNullable<Output<"events", "ListEventBuses">["EventBuses"]>[number] => ({
  Name: bus.name,
  Arn: busArn(bus),
  ...(bus.description !== null && { Description: bus.description }),
  ...(bus.policy !== null && { Policy: bus.policy }),
  ...(bus.created_ms > 0 && { CreationTime: new Date(bus.created_ms), LastModifiedTime: new Date(bus.modified_ms) }),
});
