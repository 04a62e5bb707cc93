// CreateArchive, UpdateArchive, DescribeArchive, ListArchives, DeleteArchive. An archive is a rule of its bus that EventBridge manages.
// https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-archive.html
import { type Access, type Context, defineOperations, type Input, type Tx } from "../../kernel/mod.ts";
import { onAll } from "./access.ts";
import {
  type Archive,
  type ArchiveRef,
  archiveArn,
  findArchive,
  forgetAll,
  keyOf,
  listArchives,
  oldest,
  planSweep,
  saveArchive,
} from "./archived.ts";
import { busArn, busOfArn, openBus, rulesChanged } from "./bus-rows.ts";
import { errors } from "./errors.ts";
import { cursorOf, paged } from "./pages.ts";
import { compiled } from "./patterns.ts";
import { putTarget, type RuleRef, removeRule, removeTarget, saveRule } from "./rows.ts";

/** The service that AWS names as theirs. */
const MANAGED_BY = "prod.vhs.events.aws.internal";

const onArchive = (ctx: Context, action: string, name: string | undefined): Access => ({
  action: `events:${action}`,
  resource: archiveArn(refOf(ctx, name)),
});

const refOf = ({ account, region }: Context, name: string | undefined): ArchiveRef => ({
  account,
  region,
  name: name ?? "",
});

export const archives = defineOperations("events", {
  CreateArchive: {
    access: (ctx, input) => onArchive(ctx, "CreateArchive", input.ArchiveName),
    async handle(ctx, input) {
      const ref = refOf(ctx, input.ArchiveName);
      const bus = busOfArn(input.EventSourceArn ?? "");
      if (!bus || bus.account !== ctx.account || bus.region !== ctx.region)
        throw errors.parameter("EventSourceArn", "Must contain an event bus ARN.");
      const archive: Archive = {
        ...ref,
        bus: bus.name,
        ...settings(input),
        event_count: 0,
        size_bytes: 0,
        sweep_ms: null,
        created_ms: ctx.now,
      };
      await ctx.write(async (tx) => {
        await openBus(tx, bus);
        if (await findArchive(tx, ref)) throw errors.archiveExists(ref.name);
        await saveArchive(tx, archive);
        await listen(ctx, tx, archive);
      });
      return { ArchiveArn: archiveArn(ref), State: "ENABLED" as const, CreationTime: new Date(archive.created_ms) };
    },
  },

  UpdateArchive: {
    access: (ctx, input) => onArchive(ctx, "UpdateArchive", input.ArchiveName),
    async handle(ctx, input) {
      const ref = refOf(ctx, input.ArchiveName);
      return ctx.write(async (tx) => {
        const before = await openArchive(tx, ref);
        const given = settings({ ...shown(before), ...input });
        const archive = { ...before, ...given, sweep_ms: null };
        const first = await oldest(tx, ref);
        const sweep_ms = first === undefined ? null : await planSweep(ctx, tx, archive, first);
        await saveArchive(tx, { ...archive, sweep_ms });
        await listen(ctx, tx, archive);
        return { ArchiveArn: archiveArn(ref), State: "ENABLED" as const, CreationTime: new Date(archive.created_ms) };
      });
    },
  },

  DescribeArchive: {
    access: (ctx, input) => onArchive(ctx, "DescribeArchive", input.ArchiveName),
    async handle(ctx, input) {
      const archive = await ctx.read((tx) => openArchive(tx, refOf(ctx, input.ArchiveName)));
      return { ArchiveArn: archiveArn(archive), ...shown(archive), ...listed(archive) };
    },
  },

  ListArchives: {
    access: (ctx) => onAll(ctx, "ListArchives", "archive"),
    async handle(ctx, input) {
      const { NamePrefix, EventSourceArn, State } = input;
      const narrowed = [NamePrefix, EventSourceArn, State].filter((given) => given !== undefined);
      if (narrowed.length > 1)
        throw errors.validation(
          "At most one filter is allowed for ListArchives. Use either : State, EventSourceArn, or NamePrefix.",
        );
      const { account, region } = ctx;
      const { items, more } = await paged(input, (page) =>
        ctx.read((tx) => listArchives(tx, { account, region, prefix: NamePrefix ?? "", ...page })),
      );
      const wanted = items.filter(
        (one) =>
          (EventSourceArn === undefined || sourceArn(one) === EventSourceArn) && (State ?? "ENABLED") === "ENABLED",
      );
      return { Archives: wanted.map(listed), ...(more && { NextToken: cursorOf(items.at(-1)!.name) }) };
    },
  },

  DeleteArchive: {
    access: (ctx, input) => onArchive(ctx, "DeleteArchive", input.ArchiveName),
    async handle(ctx, input) {
      const ref = refOf(ctx, input.ArchiveName);
      await ctx.write(async (tx) => {
        const archive = await openArchive(tx, ref);
        await forgetAll(tx, ref);
        await tx.run(
          "DELETE FROM events_archive WHERE account = :account AND region = :region AND name = :name",
          keyOf(ref),
        );
        await removeTarget(tx, ruleOf(archive), archive.name);
        await removeRule(tx, ruleOf(archive));
        await rulesChanged(ctx, tx, busRef(archive));
      });
      return {};
    },
  },
});

export async function openArchive(tx: Tx, ref: ArchiveRef): Promise<Archive> {
  const archive = await findArchive(tx, ref);
  if (!archive) throw errors.noArchive(ref.name);
  return archive;
}

const busRef = ({ account, region, bus }: Archive) => ({ account, region, name: bus });
const sourceArn = (archive: Archive): string => busArn(busRef(archive));
const ruleOf = ({ account, region, bus, name }: Archive): RuleRef => ({
  account,
  region,
  bus,
  name: `Events-Archive-${name}`,
});

/** What is replayed is not archived again. */
async function listen(ctx: Context, tx: Tx, archive: Archive): Promise<void> {
  const asked = archive.pattern === null ? {} : (JSON.parse(archive.pattern) as object);
  const pattern = JSON.stringify({ ...asked, "replay-name": [{ exists: false }] });
  const rule = ruleOf(archive);
  await saveRule(tx, {
    ...rule,
    schedule: null,
    pattern,
    state: "ENABLED",
    description: null,
    role_arn: null,
    managed_by: MANAGED_BY,
    created_by: archive.account,
    tags: "{}",
    next_ms: null,
  });
  const arn = archiveArn(archive);
  await putTarget(tx, rule, { id: archive.name, arn, definition: JSON.stringify({ Id: archive.name, Arn: arn }) });
  await rulesChanged(ctx, tx, busRef(archive));
}

type Settings = Pick<Archive, "description" | "pattern" | "retention_days" | "kms_key">;

function settings(input: Omit<Input<"events", "UpdateArchive">, "ArchiveName">): Settings {
  const pattern = input.EventPattern || null;
  if (pattern !== null) compiled(pattern);
  return {
    description: input.Description || null,
    pattern,
    retention_days: input.RetentionDays ?? 0,
    kms_key: input.KmsKeyIdentifier || null,
  };
}

const shown = ({ description, pattern, kms_key, retention_days }: Settings) => ({
  ...(description !== null && { Description: description }),
  ...(pattern !== null && { EventPattern: pattern }),
  ...(kms_key !== null && { KmsKeyIdentifier: kms_key }),
  RetentionDays: retention_days,
});

const listed = (archive: Archive) => ({
  ArchiveName: archive.name,
  EventSourceArn: sourceArn(archive),
  State: "ENABLED" as const,
  RetentionDays: archive.retention_days,
  SizeBytes: archive.size_bytes,
  EventCount: archive.event_count,
  CreationTime: new Date(archive.created_ms),
});
