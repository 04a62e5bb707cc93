// What archives keep: written in the transaction that takes the event, forgotten when its days are over.
import { type Arn, type Context, type Principal, parseArn, type Tx } from "../../kernel/mod.ts";
import type { Event } from "./event.ts";

export interface ArchiveRef {
  readonly account: string;
  readonly region: string;
  readonly name: string;
}

export interface Archive extends ArchiveRef {
  readonly bus: string;
  readonly description: string | null;
  readonly pattern: string | null;
  /** 0: for ever. */
  readonly retention_days: number;
  readonly kms_key: string | null;
  readonly event_count: number;
  readonly size_bytes: number;
  /** When the next look is due at what is too old; null: none is planned. */
  readonly sweep_ms: number | null;
  readonly created_ms: number;
}

/** Due at `at`: what is too old by then goes. */
export interface Sweep {
  readonly kind: "sweep";
  readonly at: number;
}

const DAY_MS = 86_400_000;
const SWEEP_AGAIN_MS = 3_600_000;

export const archiveArn = ({ account, region, name }: ArchiveRef): Arn =>
  `arn:aws:events:${region}:${account}:archive/${name}`;

export function archiveOfArn(arn: Arn): ArchiveRef | undefined {
  const parts = parseArn(arn);
  const name = /^archive\/([^/]+)$/.exec(parts?.resource ?? "")?.[1];
  return parts?.service === "events" && name ? { account: parts.account, region: parts.region, name } : undefined;
}

const COLUMNS =
  "account, region, name, bus, description, pattern, retention_days, kms_key, event_count, size_bytes, sweep_ms, created_ms";

export const keyOf = ({ account, region, name }: ArchiveRef) => ({ account, region, name });

export const findArchive = (tx: Pick<Tx, "one">, ref: ArchiveRef): Promise<Archive | undefined> =>
  tx.one<Archive>(
    `SELECT ${COLUMNS} FROM events_archive WHERE account = :account AND region = :region AND name = :name`,
    keyOf(ref),
  );

export const listArchives = (
  tx: Tx,
  of: { account: string; region: string; prefix: string; after: string; limit: number },
): Promise<Archive[]> =>
  tx.all<Archive>(
    `SELECT ${COLUMNS} FROM events_archive
     WHERE account = :account AND region = :region AND name > :after AND name >= :prefix AND name < :beyond
     ORDER BY name LIMIT :limit`,
    { ...of, beyond: `${of.prefix}\x7f` },
  );

export async function saveArchive(tx: Tx, archive: Archive): Promise<void> {
  await tx.run(
    `INSERT INTO events_archive (${COLUMNS}) VALUES (:account, :region, :name, :bus, :description, :pattern, :retention_days,
       :kms_key, :event_count, :size_bytes, :sweep_ms, :created_ms)
     ON CONFLICT (account, region, name) DO UPDATE SET description = excluded.description, pattern = excluded.pattern,
       retention_days = excluded.retention_days, kms_key = excluded.kms_key, sweep_ms = excluded.sweep_ms`,
    { ...archive },
  );
}

/** Keeps one event. The same event twice is kept once. */
export async function archive(
  ctx: Context,
  tx: Tx,
  arn: Arn,
  { event, text, receivedMs }: { event: Event; text: string; receivedMs: number },
): Promise<void> {
  const ref = archiveOfArn(arn)!;
  const found = await findArchive(tx, ref);
  if (!found) return;
  const bytes = Buffer.byteLength(text);
  const added = await tx.run(
    `INSERT INTO events_archived (account, region, archive, time_ms, event_id, received_ms, event, size_bytes)
     VALUES (:account, :region, :name, :time, :id, :received, :text, :bytes)
     ON CONFLICT (account, region, archive, time_ms, event_id) DO NOTHING`,
    { ...keyOf(ref), time: Date.parse(event.time), id: event.id, received: receivedMs, text, bytes },
  );
  if (added === 0) return;
  const sweep = found.sweep_ms ?? (await planSweep(ctx, tx, found, receivedMs));
  await tx.run(
    `UPDATE events_archive SET event_count = event_count + 1, size_bytes = size_bytes + :bytes, sweep_ms = :sweep
     WHERE account = :account AND region = :region AND name = :name`,
    { ...keyOf(ref), bytes, sweep },
  );
}

/** When what was received at `receivedMs` is too old, and the work for it. Null: never. */
export async function planSweep(ctx: Context, tx: Tx, archive: Archive, receivedMs: number): Promise<number | null> {
  if (archive.retention_days === 0) return null;
  const due = receivedMs + archive.retention_days * DAY_MS;
  const payload: Sweep = { kind: "sweep", at: due };
  await ctx.put(tx, { to: archiveArn(archive), as: archives(archive), due, payload });
  return due;
}

const archives = (ref: ArchiveRef): Principal => ({
  kind: "service",
  name: "events.amazonaws.com",
  account: ref.account,
  sourceArn: archiveArn(ref),
});

export async function sweep(ctx: Context, ref: ArchiveRef, { at }: Sweep): Promise<void> {
  await ctx.write(async (tx) => {
    const found = await findArchive(tx, ref);
    // Its days were changed since, and another look is planned.
    if (!found || found.sweep_ms !== at) return;
    const before = at - found.retention_days * DAY_MS;
    const old = await tx.one<{ n: number; bytes: number | null }>(
      `SELECT COUNT(*) AS n, SUM(size_bytes) AS bytes FROM events_archived
       WHERE account = :account AND region = :region AND archive = :name AND received_ms <= :before`,
      { ...keyOf(ref), before },
    );
    await tx.run(
      `DELETE FROM events_archived
       WHERE account = :account AND region = :region AND archive = :name AND received_ms <= :before`,
      { ...keyOf(ref), before },
    );
    const next = await oldest(tx, ref);
    await tx.run(
      `UPDATE events_archive SET event_count = event_count - :n, size_bytes = size_bytes - :bytes, sweep_ms = :sweep
       WHERE account = :account AND region = :region AND name = :name`,
      {
        ...keyOf(ref),
        n: old!.n,
        bytes: Number(old!.bytes ?? 0),
        sweep: next === undefined ? null : await planSweep(ctx, tx, found, next),
      },
    );
  });
}

/** It failed again and again: another look in an hour, or what is too old would stay for ever. */
export async function sweepLater(ctx: Context, tx: Tx, ref: ArchiveRef, { at }: Sweep): Promise<void> {
  const found = await findArchive(tx, ref);
  if (!found || found.sweep_ms !== at) return;
  const due = ctx.now + SWEEP_AGAIN_MS;
  const payload: Sweep = { kind: "sweep", at: due };
  await ctx.put(tx, { to: archiveArn(ref), as: archives(ref), due, payload });
  await tx.run(
    "UPDATE events_archive SET sweep_ms = :due WHERE account = :account AND region = :region AND name = :name",
    { ...keyOf(ref), due },
  );
}

export async function oldest(tx: Tx, ref: ArchiveRef): Promise<number | undefined> {
  const row = await tx.one<{ at: number | null }>(
    `SELECT MIN(received_ms) AS at FROM events_archived
     WHERE account = :account AND region = :region AND archive = :name`,
    keyOf(ref),
  );
  return row?.at ?? undefined;
}

export async function forgetAll(tx: Tx, ref: ArchiveRef): Promise<void> {
  await tx.run(
    "DELETE FROM events_archived WHERE account = :account AND region = :region AND archive = :name",
    keyOf(ref),
  );
}
