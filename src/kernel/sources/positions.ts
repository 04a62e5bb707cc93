// How far a mapping or a pipe has read each shard of its stream: written when a batch is done, so that a crash brings it again and skips none.
import type { Migration, Tx } from "../../store/store.ts";

export const positionMigrations: readonly Migration[] = [
  `CREATE TABLE source_position (
     source TEXT NOT NULL, shard TEXT NOT NULL, sequence TEXT NOT NULL, done BIGINT NOT NULL,
     state TEXT, lease_owner TEXT, lease_until_ms BIGINT NOT NULL, PRIMARY KEY (source, shard)
   )`,
];

export interface Position {
  readonly shard: string;
  /** Of the last record that is done; "" before the first. */
  readonly sequence: string;
  /** 1: the shard is closed and read to its end. */
  readonly done: number;
  /** JSON of what the consumer keeps with the position: a tumbling window's. */
  readonly state: string | null;
}

export const positionsOf = (tx: Tx, source: string): Promise<Position[]> =>
  tx.all<Position>("SELECT shard, sequence, done, state FROM source_position WHERE source = :source", { source });

/** Takes the shard for `owner`, unless another process has it. undefined: it has. */
export const claimShard = (
  tx: Tx,
  of: { source: string; shard: string; owner: string; now: number; until: number },
): Promise<Position | undefined> =>
  tx.one<Position>(
    `INSERT INTO source_position (source, shard, sequence, done, state, lease_owner, lease_until_ms)
     VALUES (:source, :shard, '', 0, NULL, :owner, :until)
     ON CONFLICT (source, shard) DO UPDATE SET lease_owner = excluded.lease_owner, lease_until_ms = excluded.lease_until_ms
       WHERE source_position.lease_owner = excluded.lease_owner OR source_position.lease_until_ms <= :now
     RETURNING shard, sequence, done, state`,
    of,
  );

/** Together with the lease: whoever has lost it writes nothing. False: lost. */
export async function savePosition(
  tx: Tx,
  of: { source: string; owner: string; until: number } & Position,
): Promise<boolean> {
  const row = await tx.one(
    `UPDATE source_position SET sequence = :sequence, done = :done, state = :state, lease_until_ms = :until
     WHERE source = :source AND shard = :shard AND lease_owner = :owner RETURNING shard`,
    { ...of },
  );
  return row !== undefined;
}

/** While a batch takes its time, nobody else begins with the shard. */
export const renewShards = (tx: Tx, of: { source: string; owner: string; until: number }): Promise<unknown> =>
  tx.run("UPDATE source_position SET lease_until_ms = :until WHERE source = :source AND lease_owner = :owner", of);

/** What a dead or stopped process had is free at once. */
export const releaseShards = (tx: Tx, of: { source: string; owner: string }): Promise<unknown> =>
  tx.run(
    "UPDATE source_position SET lease_until_ms = 0, lease_owner = NULL WHERE source = :source AND lease_owner = :owner",
    of,
  );

/** The mapping or the pipe is gone. */
export const forgetPositions = (tx: Tx, source: string): Promise<unknown> =>
  tx.run("DELETE FROM source_position WHERE source = :source", { source });
