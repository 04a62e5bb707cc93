// The table of event source mappings, and how a row reads as AWS's EventSourceMappingConfiguration.
import { type Arn, type Context, type Output, parseArn, type Tx } from "../../../kernel/mod.ts";
import { type FunctionRef, functionArn, type Place } from "../names.ts";
import type { Definition } from "./definition.ts";

export const tables = `
CREATE TABLE lambda_event_source_mapping (
  uuid TEXT NOT NULL PRIMARY KEY,
  account TEXT NOT NULL,
  region TEXT NOT NULL,
  function_name TEXT NOT NULL,
  qualifier TEXT NOT NULL,
  source TEXT NOT NULL,
  definition TEXT NOT NULL,
  enabled BIGINT NOT NULL,
  transition TEXT NOT NULL,
  last_result TEXT NOT NULL,
  tags TEXT NOT NULL,
  revision TEXT NOT NULL,
  created_ms BIGINT NOT NULL,
  modified_ms BIGINT NOT NULL
);
CREATE UNIQUE INDEX lambda_event_source_mapping_by_function
  ON lambda_event_source_mapping (account, region, function_name, qualifier, source)`;

/** What a mapping is between two states: only with `--delays real` does it last. "" otherwise. */
export type Transition = "" | "Creating" | "Updating" | "Enabling" | "Disabling" | "Deleting";

export interface MappingRow extends Place {
  readonly uuid: string;
  readonly function_name: string;
  /** "" where the mapping was made for the function without one. */
  readonly qualifier: string;
  /** ARN of the queue or stream. */
  readonly source: Arn;
  readonly definition: string;
  readonly enabled: number;
  readonly transition: Transition;
  readonly last_result: string;
  readonly tags: string;
  /** Another with each change: a poller with an older one is out of date. */
  readonly revision: string;
  readonly created_ms: number;
  readonly modified_ms: number;
}

export type MappingKey = Pick<MappingRow, "account" | "region" | "uuid">;

export const NOTHING_YET = "No records processed";

export const definitionOf = (row: MappingRow): Definition => JSON.parse(row.definition) as Definition;
export const isQueue = (source: Arn): boolean => parseArn(source)?.service === "sqs";

export const functionOf = ({ account, region, function_name, qualifier }: MappingRow): FunctionRef => ({
  account,
  region,
  name: function_name,
  ...(qualifier !== "" && { qualifier }),
});

export const mappingArn = ({ account, region, uuid }: MappingKey): Arn =>
  `arn:aws:lambda:${region}:${account}:event-source-mapping:${uuid}`;

const MAPPING_ARN = /^arn:aws:lambda:([^:]+):(\d{12}):event-source-mapping:(.+)$/;

/** undefined: of something else. */
export function parseMappingArn(arn: Arn): MappingKey | undefined {
  const [, region, account, uuid] = MAPPING_ARN.exec(arn) ?? [];
  return region === undefined ? undefined : { account: account!, region, uuid: uuid! };
}

/** `state`: where it differs from what the row says, as in the answer to the call that changed it. */
export function describeMapping(row: MappingRow, state?: Transition): Output<"lambda", "GetEventSourceMapping"> {
  const queue = isQueue(row.source);
  return {
    UUID: row.uuid,
    EventSourceArn: row.source,
    EventSourceMappingArn: mappingArn(row),
    FunctionArn: functionArn(functionOf(row)),
    ...(definitionOf(row) as Output<"lambda", "GetEventSourceMapping">),
    LastModified: new Date(row.modified_ms),
    ...(!queue && { LastProcessingResult: row.last_result }),
    State: state || row.transition || (row.enabled ? "Enabled" : "Disabled"),
    StateTransitionReason: queue ? "USER_INITIATED" : "User action",
  };
}

export const findMapping = (tx: Pick<Tx, "one">, { account, region, uuid }: MappingKey) =>
  tx.one<MappingRow>(
    `SELECT * FROM lambda_event_source_mapping WHERE uuid = :uuid AND account = :account AND region = :region`,
    { account, region, uuid },
  );

/** The mapping of the same source to the same function. */
export const findTwin = (tx: Tx, row: MappingRow) =>
  tx.one<MappingRow>(
    `SELECT * FROM lambda_event_source_mapping
     WHERE account = :account AND region = :region AND function_name = :function_name AND qualifier = :qualifier AND source = :source
       AND uuid <> :uuid`,
    {
      account: row.account,
      region: row.region,
      function_name: row.function_name,
      qualifier: row.qualifier,
      source: row.source,
      uuid: row.uuid,
    },
  );

export const saveMapping = (tx: Tx, row: MappingRow): Promise<unknown> =>
  tx.run(
    `INSERT INTO lambda_event_source_mapping (uuid, account, region, function_name, qualifier, source, definition, enabled, transition,
       last_result, tags, revision, created_ms, modified_ms)
     VALUES (:uuid, :account, :region, :function_name, :qualifier, :source, :definition, :enabled, :transition,
       :last_result, :tags, :revision, :created_ms, :modified_ms)
     ON CONFLICT (uuid) DO UPDATE SET function_name = excluded.function_name, qualifier = excluded.qualifier,
       definition = excluded.definition, enabled = excluded.enabled, transition = excluded.transition, tags = excluded.tags,
       revision = excluded.revision, modified_ms = excluded.modified_ms`,
    { ...row },
  );

/** How the last batch went: no change of the mapping, so its poller goes on. */
export const saveResult = (tx: Tx, uuid: string, result: string): Promise<unknown> =>
  tx.run("UPDATE lambda_event_source_mapping SET last_result = :result WHERE uuid = :uuid AND last_result <> :result", {
    uuid,
    result,
  });

export const saveTags = (tx: Tx, uuid: string, tags: string): Promise<unknown> =>
  tx.run("UPDATE lambda_event_source_mapping SET tags = :tags WHERE uuid = :uuid", { uuid, tags });

export const removeMapping = (tx: Tx, uuid: string): Promise<unknown> =>
  tx.run("DELETE FROM lambda_event_source_mapping WHERE uuid = :uuid", { uuid });

export const listMappings = (
  tx: Tx,
  of: Place & { source: string; name: string; qualifier: string; after: string; limit: number },
): Promise<MappingRow[]> =>
  tx.all<MappingRow>(
    `SELECT * FROM lambda_event_source_mapping
     WHERE account = :account AND region = :region AND (:source = '' OR source = :source)
       AND (:name = '' OR (function_name = :name AND qualifier = :qualifier)) AND uuid > :after
     ORDER BY uuid LIMIT :limit`,
    of,
  );

/** Those that are to be polled, and are not being made or taken away. */
export const polledMappings = (tx: Tx): Promise<MappingRow[]> =>
  tx.all<MappingRow>("SELECT * FROM lambda_event_source_mapping WHERE enabled = 1 AND transition IN ('', 'Updating')");

export const stillThere = (ctx: Context, row: MappingRow): Promise<MappingRow | undefined> =>
  findMapping(ctx.singly, row);
