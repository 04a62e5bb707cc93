// What one UpdateTable may ask for: little at a time. Sentences and their order were seen on AWS, 2026-10.
import type { Input } from "../../kernel/mod.ts";
import { errors } from "./errors.ts";
import { oneIndexAtATime, type Wanted } from "./states.ts";
import { notOnDemand } from "./throughput.ts";

export type UpdateInput = Input<"dynamodb", "UpdateTable">;
export type IndexUpdate = NonNullable<UpdateInput["GlobalSecondaryIndexUpdates"]>[number];

/** Of these each wants a request of its own; the first that is there is named. */
const ALONE = [
  ["SSESpecification", "Server-Side Encryption modification must be the only operation in the request"],
  ["TableClass", "TableClass modification must be the only operation in the request"],
  ["DeletionProtectionEnabled", "DeletionProtection modification must be the only operation in the request"],
  ["WarmThroughput", "WarmThroughput must be the only operation in the request"],
] as const;

export function updateRules(input: UpdateInput): void {
  const { TableName: _name, AttributeDefinitions: _definitions, ...rest } = input;
  const asked = Object.entries(rest).filter(
    ([name, value]) => value !== undefined && !(name === "GlobalSecondaryIndexUpdates" && isEmpty(value)),
  );
  if (asked.length === 0)
    throw errors.validation(
      "At least one of ProvisionedThroughput, BillingMode, UpdateStreamEnabled, GlobalSecondaryIndexUpdates, SSESpecification, ReplicaUpdates, MultiAccountReplicaReady, ReplicaTransitRoleArn, MultiRegionConsistency, DeletionProtectionEnabled, OnDemandThroughput, WarmThroughput or TableClass is required",
    );
  if (isEmpty(input.GlobalSecondaryIndexUpdates)) throw errors.invalid("List of GlobalSecondaryIndexUpdates is empty");
  const names = asked.map(([name]) => name);
  for (const [name, sentence] of ALONE) {
    if (names.length < 2 || !names.includes(name)) continue;
    if (name === "WarmThroughput" && input.GlobalSecondaryIndexUpdates?.some(({ Create }) => Create))
      throw errors.invalid("Create global secondary index cannot be specified when updating WarmThroughput");
    throw errors.invalid(sentence);
  }
  if (
    names.includes("OnDemandThroughput") &&
    names.some((name) => name !== "OnDemandThroughput" && name !== "BillingMode")
  )
    throw errors.invalid("OnDemandThroughput can only be combined with BillingMode in an UpdateTable request");
  const provisions = input.ProvisionedThroughput !== undefined || input.BillingMode === "PROVISIONED";
  if (input.StreamSpecification && provisions)
    throw errors.invalid("You cannot modify stream status while updating table IOPS");
  indexUpdateRules(input.GlobalSecondaryIndexUpdates ?? []);
  if (input.GlobalSecondaryIndexUpdates?.some(({ Create, Delete }) => Create || Delete)) {
    if (provisions) throw errors.invalid("You cannot create or delete index while updating table IOPS");
    if (input.StreamSpecification)
      throw errors.invalid("You cannot create or delete index while changing stream status");
  }
  if (input.BillingMode === "PROVISIONED" && !input.ProvisionedThroughput)
    throw errors.invalid("ProvisionedThroughput must be specified when BillingMode is PROVISIONED");
  if (input.BillingMode === "PAY_PER_REQUEST" && input.ProvisionedThroughput) throw notOnDemand();
}

const isEmpty = (value: unknown): boolean => Array.isArray(value) && value.length === 0;

function indexUpdateRules(updates: readonly IndexUpdate[]): void {
  const names = new Set<string>();
  for (const { Create, Update, Delete } of updates) {
    const actions = [Create, Update, Delete].filter((action) => action !== undefined);
    if (actions.length === 0)
      throw errors.invalid(
        "One of GlobalSecondaryIndexUpdate.Update, GlobalSecondaryIndexUpdate.Create, GlobalSecondaryIndexUpdate.Delete must not be null",
      );
    if (actions.length > 1)
      throw errors.invalid("Only one global secondary index action is allowed per GlobalSecondaryIndexUpdate object");
    const name = actions[0]!.IndexName!;
    if (names.has(name))
      throw errors.invalid(
        `Only one global secondary index update per index is allowed simultaneously. Index: ${name}`,
      );
    names.add(name);
  }
  if (updates.filter(({ Create, Delete }) => Create || Delete).length > 1) throw oneIndexAtATime();
}

export function wantedOf(input: UpdateInput): Wanted {
  const updates = input.GlobalSecondaryIndexUpdates ?? [];
  const names = (kind: "Create" | "Delete" | "Update") =>
    updates.map((update) => update[kind]?.IndexName).filter((name) => name !== undefined);
  return {
    capacity: input.ProvisionedThroughput !== undefined || input.BillingMode !== undefined,
    onDemandThroughput: input.OnDemandThroughput !== undefined,
    stream: input.StreamSpecification !== undefined,
    class: input.TableClass !== undefined,
    encryption: input.SSESpecification !== undefined,
    creates: names("Create"),
    deletes: names("Delete"),
    updates: names("Update"),
  };
}
