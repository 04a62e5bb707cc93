// What AWS demands of a table's and an index's definition.
// https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_CreateTable.html
import type { Context, Input } from "../../kernel/mod.ts";
import { errors } from "./errors.ts";
import { keyAttributes } from "./item-key.ts";
import type { Definition, Index, KeyAttribute, KeySchema, Throughput } from "./schema.ts";
import { type BillingMode, newCapacity, newTableBilling } from "./throughput.ts";

type CreateInput = Input<"dynamodb", "CreateTable">;
type Attributes = CreateInput["AttributeDefinitions"];
type Elements = CreateInput["KeySchema"];
type LocalIndexes = NonNullable<CreateInput["LocalSecondaryIndexes"]>;
type GlobalIndexes = NonNullable<CreateInput["GlobalSecondaryIndexes"]>;
type GivenIndex = Omit<GlobalIndexes[number], "KeySchema"> & { KeySchema?: Elements };

const MOST_LOCAL = 5;
export const MOST_GLOBAL = 20;
const MOST_NON_KEY_ATTRIBUTES = 100;
const NO_THROUGHPUT: Throughput = { read: 0, write: 0 };

/** Without the number that its rows will have. */
export type NewIndex = Omit<Index, "number">;
export type NewDefinition = Omit<Definition, "indexes"> & { readonly indexes: readonly NewIndex[] };

/** AWS's order: the key, what is defined and what of it is used, and then everything else. */
export function newDefinition({ now, region }: Pick<Context, "now" | "region">, input: CreateInput): NewDefinition {
  const billingMode = input.BillingMode ?? "PROVISIONED";
  const attributes = attributesOf(input.AttributeDefinitions);
  const key = tableKey(input.KeySchema, attributes);
  const locals = input.LocalSecondaryIndexes ?? [];
  const globals = input.GlobalSecondaryIndexes ?? [];
  const keys = [...locals, ...globals].map(({ KeySchema }) => KeySchema ?? []);
  for (const elements of keys) defined(elements, attributes);
  allUsed(attributes, [input.KeySchema!, ...keys]);
  newTableBilling(billingMode, input.ProvisionedThroughput);
  indexCounts(input, key);
  const indexes = [
    ...locals.map((index) => localIndex(index, key, attributes)),
    ...globals.map((index) => newGlobalIndex(index, attributes, { mode: billingMode, region })),
  ];
  namesOnce(indexes);
  nonKeyAttributesInAll(indexes);
  return {
    key,
    attributes,
    indexes,
    billingMode,
    ...newCapacity(input, billingMode, { region }),
    ...(billingMode === "PAY_PER_REQUEST" && { onDemandSinceMs: now }),
    deletionProtection: input.DeletionProtectionEnabled ?? false,
    ...(input.TableClass && { tableClass: input.TableClass }),
  };
}

export function attributesOf(given: Attributes): readonly KeyAttribute[] {
  const attributes = (given ?? []).map(({ AttributeName, AttributeType }) => ({
    name: AttributeName!,
    type: AttributeType!,
  }));
  const names = new Set(attributes.map(({ name }) => name));
  if (names.size < attributes.length) {
    const twice = attributes.find(({ name }, i) => attributes.findIndex((other) => other.name === name) < i)!;
    throw errors.validation(`Attribute Name is duplicated: ${twice.name}`);
  }
  return attributes;
}

function tableKey(elements: Elements, attributes: readonly KeyAttribute[]): KeySchema {
  const given = elements ?? [];
  if (given.length === 0) throw errors.invalid("No provided key schema");
  if (attributes.length < given.length)
    throw errors.validation("Invalid KeySchema: Some index key attribute have no definition");
  defined(given, attributes);
  return pairKey(given, attributes);
}

/** At most one of each kind, as tables and local indexes have. */
function pairKey(given: NonNullable<Elements>, attributes: readonly KeyAttribute[]): KeySchema {
  const [first, second] = given;
  if (given.length > 2)
    throw errors.validation(
      `1 validation error detected: Value '[${given.map(elementText).join(", ")}]' at 'keySchema' failed to satisfy constraint: Member must have length less than or equal to 2`,
    );
  if (first?.KeyType !== "HASH")
    throw errors.validation("Invalid KeySchema: The first KeySchemaElement is not a HASH key type");
  if (second && second.KeyType !== "RANGE")
    throw errors.validation("Invalid KeySchema: The second KeySchemaElement is not a RANGE key type");
  if (second && second.AttributeName === first.AttributeName)
    throw errors.validation("Both the Hash Key and the Range Key element in the KeySchema have the same name");
  return keyOf(given, attributes);
}

const elementText = ({ AttributeName, KeyType }: NonNullable<Elements>[number]): string =>
  `KeySchemaElement(attributeName=${AttributeName}, keyType=${KeyType})`;

function keyOf(given: NonNullable<Elements>, attributes: readonly KeyAttribute[]): KeySchema {
  const of = (kind: "HASH" | "RANGE") =>
    given
      .filter(({ KeyType }) => KeyType === kind)
      .map(({ AttributeName }) => attributes.find(({ name }) => name === AttributeName)!);
  return { hash: of("HASH"), range: of("RANGE") };
}

function defined(given: NonNullable<Elements>, attributes: readonly KeyAttribute[]): void {
  if (given.every(({ AttributeName }) => attributes.some(({ name }) => name === AttributeName))) return;
  const keys = given.map(({ AttributeName }) => AttributeName).join(", ");
  throw errors.invalid(
    `Some index key attributes are not defined in AttributeDefinitions. Keys: [${keys}], AttributeDefinitions: [${attributes.map(({ name }) => name).join(", ")}]`,
  );
}

function indexCounts({ LocalSecondaryIndexes, GlobalSecondaryIndexes }: CreateInput, key: KeySchema): void {
  if (LocalSecondaryIndexes) {
    if (LocalSecondaryIndexes.length === 0) throw errors.invalid("List of LocalSecondaryIndexes is empty");
    if (LocalSecondaryIndexes.length > MOST_LOCAL)
      throw errors.invalid(`Number of LocalSecondaryIndexes exceeds per-table limit of ${MOST_LOCAL}`);
    if (key.range.length === 0)
      throw errors.invalid(
        "Table KeySchema does not have a range key, which is required when specifying a LocalSecondaryIndex",
      );
  }
  if (GlobalSecondaryIndexes?.length === 0) throw errors.invalid("List of GlobalSecondaryIndexes is empty");
  if (GlobalSecondaryIndexes && GlobalSecondaryIndexes.length > MOST_GLOBAL)
    throw errors.invalid(`GlobalSecondaryIndex count exceeds the per-table limit of ${MOST_GLOBAL}`);
}

function localIndex(given: LocalIndexes[number], table: KeySchema, attributes: readonly KeyAttribute[]): NewIndex {
  const base = indexBase(given);
  const key = pairKey(given.KeySchema ?? [], attributes);
  if (key.range.length === 0) throw errors.invalid(`Index KeySchema does not have a range key for index: ${base.name}`);
  if (key.hash[0]!.name !== table.hash[0]!.name)
    throw errors.invalid(
      `Index KeySchema does not have the same leading hash key as table KeySchema for index: ${base.name}. index hash key: ${key.hash[0]!.name}, table hash key: ${table.hash[0]!.name}`,
    );
  return { ...base, kind: "local", key, throughput: NO_THROUGHPUT };
}

interface Within {
  readonly mode: BillingMode;
  readonly region: string;
}

function newGlobalIndex(given: GivenIndex, attributes: readonly KeyAttribute[], { mode, region }: Within): NewIndex {
  const base = indexBase(given);
  if (mode === "PROVISIONED" && !given.ProvisionedThroughput)
    throw errors.invalid(`ProvisionedThroughput is not specified for index: ${base.name}`);
  if (mode === "PAY_PER_REQUEST" && given.ProvisionedThroughput)
    throw errors.invalid(
      `ProvisionedThroughput should not be specified for index: ${base.name} when BillingMode is PAY_PER_REQUEST`,
    );
  return globalIndex(base, given, { attributes, mode, region });
}

/** UpdateTable's sentences are others. */
export function addedIndex(
  given: GivenIndex,
  attributes: readonly KeyAttribute[] | undefined,
  { mode, region }: Within,
): NewIndex {
  if (!attributes) throw errors.invalid(`AttributeDefinitions is not specified for index: ${given.IndexName}`);
  defined(given.KeySchema ?? [], attributes);
  const base = indexBase(given);
  if (mode === "PROVISIONED" && !given.ProvisionedThroughput)
    throw errors.invalid(`Both ReadCapacityUnits and WriteCapacityUnits must be specified for index: ${base.name}`);
  if (mode === "PAY_PER_REQUEST" && given.ProvisionedThroughput)
    throw errors.invalid(
      `Neither ReadCapacityUnits nor WriteCapacityUnits can be specified for index: ${base.name} when BillingMode is PAY_PER_REQUEST`,
    );
  return globalIndex(base, given, { attributes, mode, region });
}

const globalIndex = (
  base: IndexBase,
  given: GivenIndex,
  { attributes, mode, region }: Within & { readonly attributes: readonly KeyAttribute[] },
): NewIndex => ({
  ...base,
  kind: "global",
  key: severalKey(given.KeySchema ?? [], attributes),
  ...newCapacity(given, mode, { index: base.name, region }),
});

const MOST_OF_A_KIND = 4;

/** A global index's key: up to four HASH attributes, then up to four RANGE attributes. */
function severalKey(given: NonNullable<Elements>, attributes: readonly KeyAttribute[]): KeySchema {
  const key = keyOf(given, attributes);
  if (given[0]?.KeyType !== "HASH")
    throw errors.validation("Invalid KeySchema: The first KeySchemaElement is not a HASH key type");
  const firstRange = given.findIndex(({ KeyType }) => KeyType === "RANGE");
  if (firstRange >= 0 && given.slice(firstRange).some(({ KeyType }) => KeyType === "HASH"))
    throw errors.invalid("All HASH key attributes must precede RANGE key attributes in the KeySchema");
  for (const kind of ["hash", "range"] as const)
    if (key[kind].length > MOST_OF_A_KIND)
      throw errors.invalid(`The KeySchema exceeds the maximum allowed number of ${kind.toUpperCase()} key attributes`);
  if (new Set(given.map(({ AttributeName }) => AttributeName)).size < given.length)
    throw errors.validation("The KeySchema contains multiple key attributes with the same name");
  return key;
}

type IndexBase = Pick<Index, "name" | "projection" | "nonKeyAttributes">;

function indexBase({ IndexName: name = "", Projection }: GivenIndex): IndexBase {
  const projection = Projection?.ProjectionType;
  const nonKeyAttributes = Projection?.NonKeyAttributes;
  if (!projection) throw errors.invalid("Unknown ProjectionType: null");
  if (projection === "INCLUDE" && !nonKeyAttributes)
    throw errors.invalid("ProjectionType is INCLUDE, but NonKeyAttributes is not specified");
  if (projection !== "INCLUDE" && nonKeyAttributes)
    throw errors.invalid(`ProjectionType is ${projection}, but NonKeyAttributes is specified`);
  const twice = nonKeyAttributes?.find((attribute, i) => nonKeyAttributes.indexOf(attribute) < i);
  if (twice !== undefined) throw errors.invalid(`Duplicate element in NonKeyAttributes: ${twice}`);
  return { name, projection, nonKeyAttributes: nonKeyAttributes ?? [] };
}

function namesOnce(indexes: readonly NewIndex[]): void {
  const twice = indexes.find(({ name }, i) => indexes.findIndex((other) => other.name === name) < i);
  if (twice) throw errors.invalid(`Duplicate index name: ${twice.name}`);
}

export function nonKeyAttributesInAll(indexes: readonly NewIndex[]): void {
  const count = indexes.reduce((sum, { nonKeyAttributes }) => sum + nonKeyAttributes.length, 0);
  if (count > MOST_NON_KEY_ATTRIBUTES)
    throw errors.invalid(`NonKeyAttributes projected in all indexes exceeds the limit of ${MOST_NON_KEY_ATTRIBUTES}`);
}

function allUsed(attributes: readonly KeyAttribute[], keys: readonly NonNullable<Elements>[]): void {
  const used = new Set(keys.flatMap((elements) => elements.map(({ AttributeName }) => AttributeName)));
  if (attributes.every(({ name }) => used.has(name))) return;
  if (keys.length === 1)
    throw errors.invalid(
      "Number of attributes in KeySchema does not exactly match number of attributes defined in AttributeDefinitions",
    );
  throw errors.invalid(
    `Some AttributeDefinitions are not used. AttributeDefinitions: [${attributes.map(({ name }) => name).join(", ")}], keys used: [${[...used].join(", ")}]`,
  );
}

export const usedNames = (keys: readonly KeySchema[]): ReadonlySet<string> =>
  new Set(keys.flatMap((key) => keyAttributes(key).map(({ name }) => name)));
