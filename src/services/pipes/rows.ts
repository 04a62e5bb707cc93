// Pipes in the store.
import { type Arn, type Context, parseArn, type Tx } from "../../kernel/mod.ts";
import { errors } from "./errors.ts";

export const tables = `
CREATE TABLE pipes_pipe (
  account TEXT NOT NULL,
  region TEXT NOT NULL,
  name TEXT NOT NULL,
  definition TEXT NOT NULL,
  desired TEXT NOT NULL,
  state TEXT NOT NULL,
  reason TEXT,
  tags TEXT NOT NULL,
  created_ms BIGINT NOT NULL,
  modified_ms BIGINT NOT NULL,
  PRIMARY KEY (account, region, name)
)`;

export interface PipeRef {
  readonly account: string;
  readonly region: string;
  readonly name: string;
}

export interface PipeRow extends PipeRef {
  /** JSON: Definition. */
  readonly definition: string;
  readonly desired: "RUNNING" | "STOPPED";
  readonly state: State;
  readonly reason: string | null;
  /** JSON. */
  readonly tags: string;
  readonly created_ms: number;
  readonly modified_ms: number;
}

/** Nothing takes time here: the states between are never seen. */
export type State = "RUNNING" | "STOPPED" | "CREATE_FAILED" | "UPDATE_FAILED" | "START_FAILED";

export const pipeArn = ({ account, region, name }: PipeRef): Arn => `arn:aws:pipes:${region}:${account}:pipe/${name}`;

export const refOf = ({ account, region }: Context, name: string | undefined): PipeRef => ({
  account,
  region,
  name: name ?? "",
});

export function refOfArn(arn: Arn | undefined): PipeRef | undefined {
  const parts = parseArn(arn ?? "");
  const name = /^pipe\/([^/]+)$/.exec(parts?.resource ?? "")?.[1];
  return parts?.service === "pipes" && name ? { account: parts.account, region: parts.region, name } : undefined;
}

const keyOf = ({ account, region, name }: PipeRef) => ({ account, region, name });

export const findPipe = (tx: Tx, ref: PipeRef): Promise<PipeRow | undefined> =>
  tx.one<PipeRow>(
    "SELECT * FROM pipes_pipe WHERE account = :account AND region = :region AND name = :name",
    keyOf(ref),
  );

export async function openPipe(tx: Tx, ref: PipeRef): Promise<PipeRow> {
  const row = await findPipe(tx, ref);
  if (!row) throw errors.noPipe(ref.name);
  return row;
}

export async function insertPipe(tx: Tx, row: PipeRow): Promise<void> {
  const taken = await findPipe(tx, row);
  if (taken) throw errors.taken(row.name);
  await tx.run(
    `INSERT INTO pipes_pipe (account, region, name, definition, desired, state, reason, tags, created_ms, modified_ms)
     VALUES (:account, :region, :name, :definition, :desired, :state, :reason, :tags, :created_ms, :modified_ms)`,
    { ...row },
  );
}

/** False: it is not there. */
export async function savePipe(
  tx: Tx,
  { account, region, name, definition, desired, state, reason, tags, modified_ms }: PipeRow,
): Promise<boolean> {
  const saved = await tx.run(
    `UPDATE pipes_pipe SET definition = :definition, desired = :desired, state = :state, reason = :reason, tags = :tags,
       modified_ms = :modified_ms
     WHERE account = :account AND region = :region AND name = :name`,
    { account, region, name, definition, desired, state, reason, tags, modified_ms },
  );
  return saved > 0;
}

export const removePipe = (tx: Tx, ref: PipeRef): Promise<unknown> =>
  tx.run("DELETE FROM pipes_pipe WHERE account = :account AND region = :region AND name = :name", keyOf(ref));

export interface PipeList {
  readonly account: string;
  readonly region: string;
  readonly after: string;
  readonly limit: number;
}

/** By name, beyond `after`. */
export const listPipes = (tx: Tx, of: PipeList): Promise<PipeRow[]> =>
  tx.all<PipeRow>(
    `SELECT * FROM pipes_pipe WHERE account = :account AND region = :region AND name > :after ORDER BY name LIMIT :limit`,
    { ...of },
  );

/** Those that ran, and those that were to when the process died on the way. */
export const pipesToRun = (tx: Tx): Promise<PipeRow[]> =>
  tx.all<PipeRow>("SELECT * FROM pipes_pipe WHERE desired = 'RUNNING' AND state IN ('RUNNING', 'STOPPED')");
