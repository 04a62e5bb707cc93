// UpdateTable: billing, throughput, class, protection, encryption, streams, and global indexes that come and go.
import { type Context, defineOperations, type Tx } from "../../kernel/mod.ts";
import { onTable } from "./access.ts";
import { changedKey } from "./encryption.ts";
import { errors } from "./errors.ts";
import { replicaAccess, updateReplicas } from "./global-tables.ts";
import { updateIndexes } from "./index-updates.ts";
import { replicaRules } from "./replicas.ts";
import { type Change, type Definition, redefine, type Table } from "./schema.ts";
import { afterwards, type Later } from "./settle.ts";
import { admit } from "./states.ts";
import { switchStream } from "./streams/streams.ts";
import { countRows, description } from "./table-description.ts";
import { tableByName } from "./tables.ts";
import {
  newOnDemand,
  nextWarm,
  notOnDemand,
  provision,
  switched,
  throughputOf,
  warmNow,
  warmOnDemand,
} from "./throughput.ts";
import { type UpdateInput, updateRules, wantedOf } from "./update-rules.ts";

/** Of the class, in thirty days. https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/WorkingWithTables.tableclasses.html */
const MOST_CLASS_CHANGES = 2;
const CLASS_CHANGES_MS = 30 * 24 * 60 * 60 * 1000;

export const tableUpdates = defineOperations("dynamodb", {
  UpdateTable: {
    access: (ctx, input) => [onTable(ctx, "UpdateTable", input.TableName), ...replicaAccess(ctx, input)],
    async handle(ctx, input) {
      notYet(input);
      if (input.ReplicaUpdates) return { TableDescription: await updateReplicas(ctx, input) };
      updateRules(input);
      const answer = await ctx.write(async (tx) => {
        const found = await tableByName(tx, ctx, input.TableName);
        replicaRules(found, input);
        admit(found, wantedOf(input));
        const { table, later } = await begin(tx, ctx, found, input);
        const answer = description(table, await countRows(tx, table, ctx.now), { now: ctx.now, whole: true });
        let settled: Table | undefined = table;
        for (const one of later) settled = settled && (await afterwards(tx, ctx, settled, one));
        return answer;
      });
      ctx.log.info(`table ${answer.TableName} updated`, { subject: answer.TableArn });
      return { TableDescription: answer };
    },
  },
});

function notYet(input: UpdateInput): void {
  const refused = [
    ...(input.ReplicaUpdates ? [] : (["MultiRegionConsistency"] as const)),
    "GlobalTableWitnessUpdates",
    "GlobalTableSettingsReplicationMode",
  ] as const;
  for (const parameter of refused) if (input[parameter] !== undefined) throw errors.notImplemented(parameter);
}

/** A table while something is under way, and what ends it. The answer tells of it as it is now: AWS echoes the old values. */
export interface Begun {
  readonly table: Table;
  readonly later: readonly Later[];
}

/** Each step looks only at its own parameters. */
type Begin = (tx: Tx, ctx: Context, table: Table, input: UpdateInput) => Promise<Begun>;

async function begin(tx: Tx, ctx: Context, table: Table, input: UpdateInput): Promise<Begun> {
  const steps: readonly Begin[] = [
    changeBilling,
    changeAtOnce,
    changeWarm,
    changeClass,
    changeEncryption,
    changeStream,
    updateIndexes,
  ];
  let begun: Begun = { table, later: [] };
  for (const step of steps) {
    const next = await step(tx, ctx, begun.table, input);
    begun = { table: next.table, later: [...begun.later, ...next.later] };
  }
  return begun;
}

interface Starting {
  readonly kind: Change["kind"];
  readonly takes: Later["takes"];
  /** What is so from now on. */
  readonly atOnce?: Partial<Definition>;
  readonly next?: Partial<Definition>;
}

async function start(tx: Tx, table: Table, { kind, takes, atOnce, next = {} }: Starting): Promise<Begun> {
  const since = table.version;
  const others = (table.changes ?? []).filter((change) => kind !== "warm" || change.kind !== kind);
  const begun = await redefine(tx, table, { ...atOnce, changes: [...others, { kind, since, next }] });
  return { table: begun, later: [{ step: { done: "changed", since }, takes }] };
}

const changeBilling: Begin = async (tx, ctx, table, input) => {
  const { BillingMode, ProvisionedThroughput: given } = input;
  if (BillingMode === undefined && given === undefined) return { table, later: [] };
  const holder = { region: ctx.region };
  const mode = BillingMode ?? table.billingMode;
  if (given && mode === "PAY_PER_REQUEST") throw notOnDemand();
  if (mode === table.billingMode) {
    // To say again that a table pays per request is no error, and changes nothing.
    if (!given) return start(tx, table, { kind: "billing", takes: "none" });
    const { atOnce, next } = provision(table, throughputOf(given), { holder, now: ctx.now });
    return start(tx, table, { kind: "throughput", takes: "throughput", atOnce, next });
  }
  const atOnce: Partial<Definition> = {
    billingMode: mode,
    ...switched(table, mode, throughputOf(given)),
    indexes: table.indexes.map((index) => {
      if (index.kind === "local") return index;
      const update = input.GlobalSecondaryIndexUpdates?.find(({ Update }) => Update?.IndexName === index.name)?.Update;
      if (mode === "PROVISIONED" && !update?.ProvisionedThroughput)
        throw errors.invalid(`ProvisionedThroughput must be specified for index: ${index.name}`);
      return { ...index, ...switched(index, mode, throughputOf(update?.ProvisionedThroughput)) };
    }),
  };
  return mode === "PROVISIONED"
    ? start(tx, table, { kind: "billing", takes: "toProvisioned", atOnce })
    : start(tx, table, {
        kind: "billing",
        takes: "toOnDemand",
        atOnce,
        next: { onDemandSinceMs: ctx.now, warm: warmOnDemand(table) },
      });
};

const changeAtOnce: Begin = async (tx, ctx, table, input) => {
  const { OnDemandThroughput: limits, DeletionProtectionEnabled: deletionProtection } = input;
  const change: Partial<Definition> = {
    ...(limits && {
      onDemandThroughput: newOnDemand(limits, table.billingMode, {
        holder: { region: ctx.region },
        current: table.onDemandThroughput,
      }),
    }),
    ...(deletionProtection !== undefined && { deletionProtection }),
  };
  if (Object.keys(change).length === 0) return { table, later: [] };
  return { table: await redefine(tx, table, change), later: [] };
};

/** The latest request wins. */
const changeWarm: Begin = async (tx, ctx, table, { WarmThroughput: given }) => {
  if (!given) return { table, later: [] };
  const warm = nextWarm(table, given, { mode: table.billingMode, holder: { region: ctx.region } });
  return start(tx, table, {
    kind: "warm",
    takes: "warm",
    atOnce: { warm: warmNow(table, table.billingMode) },
    next: { warm },
  });
};

/** To say STANDARD where nothing was ever said costs none of the changes. */
const changeClass: Begin = async (tx, ctx, table, { TableClass: tableClass }) => {
  if (!tableClass) return { table, later: [] };
  if (!table.tableClass && tableClass === "STANDARD") return start(tx, table, { kind: "class", takes: "none" });
  const recent = (table.tableClassChangesMs ?? []).filter((ms) => ms > ctx.now - CLASS_CHANGES_MS);
  if (recent.length >= MOST_CLASS_CHANGES)
    throw errors.subscriberLimit(`Updates to TableClass are limited to ${MOST_CLASS_CHANGES} times in 30 day(s).`);
  if (table.tableClass === tableClass) return start(tx, table, { kind: "class", takes: "none" });
  const next = { tableClass, tableClassChangesMs: [...recent, ctx.now] };
  return start(tx, table, { kind: "class", takes: "class", next });
};

const changeEncryption: Begin = async (tx, ctx, table, { SSESpecification: given }) => {
  if (!given) return { table, later: [] };
  const encryptionKey = changedKey(ctx, given, table.encryptionKey ?? "");
  return start(tx, table, { kind: "encryption", takes: "encryption", next: { encryptionKey } });
};

/** It is open, or closed, from now on; the table says for a while that it is UPDATING. */
const changeStream: Begin = async (tx, ctx, table, { StreamSpecification: given }) => {
  if (!given) return { table, later: [] };
  return start(tx, await switchStream(tx, ctx, table, given), { kind: "stream", takes: "stream" });
};
