// What AWS demands of a table's and an index's definition.
// https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_CreateTable.html
import type { Input } from "../../kernel/mod.ts";
import { errors } from "./errors.ts";
import { keyAttributes } from "./item-key.ts";
import {
  type Definition,
  type Index,
  type KeyAttribute,
  type KeySchema,
  NAME,
  NAME_RULE,
  type Throughput,
} from "./schema.ts";

type CreateInput = Input<"dynamodb", "CreateTable">;
type Attributes = CreateInput["AttributeDefinitions"];
type Elements = CreateInput["KeySchema"];
type LocalIndexes = NonNullable<CreateInput["LocalSecondaryIndexes"]>;
type GlobalIndexes = NonNullable<CreateInput["GlobalSecondaryIndexes"]>;
type GivenIndex = Omit<GlobalIndexes[number], "KeySchema"> & { KeySchema?: Elements };
type GivenThroughput = CreateInput["ProvisionedThroughput"];

const MOST_LOCAL = 5;
const MOST_GLOBAL = 20;
const MOST_NON_KEY_ATTRIBUTES = 100;
const NO_THROUGHPUT: Throughput = { read: 0, write: 0 };

/** Without the number that its rows will have. */
export type NewIndex = Omit<Index, "number">;
export type NewDefinition = Omit<Definition, "indexes"> & { readonly indexes: readonly NewIndex[] };

export function newDefinition(input: CreateInput, now: number): NewDefinition {
  const billingMode = input.BillingMode ?? "PROVISIONED";
  billingRules(billingMode, input.ProvisionedThroughput);
  const attributes = attributesOf(input.AttributeDefinitions);
  const key = tableKey(input.KeySchema, attributes);
  const locals = input.LocalSecondaryIndexes ?? [];
  const globals = input.GlobalSecondaryIndexes ?? [];
  indexCounts(input, key);
  const indexes = [
    ...locals.map((index) => localIndex(index, key, attributes)),
    ...globals.map((index) => globalIndex(index, attributes, billingMode)),
  ];
  namesOnce(indexes);
  nonKeyAttributesInAll(indexes);
  allUsed(attributes, [key, ...indexes.map((index) => index.key)]);
  return {
    key,
    attributes,
    indexes,
    billingMode,
    throughput: throughputOf(input.ProvisionedThroughput),
    ...(billingMode === "PAY_PER_REQUEST" && { onDemandSinceMs: now }),
    ...(input.WarmThroughput && { warm: warmOf(input.WarmThroughput) }),
    ...(input.OnDemandThroughput && { onDemandThroughput: input.OnDemandThroughput }),
    deletionProtection: input.DeletionProtectionEnabled ?? false,
    ...(input.TableClass && { tableClass: input.TableClass }),
  };
}

export function billingRules(mode: Definition["billingMode"], throughput: GivenThroughput): void {
  if (mode === "PAY_PER_REQUEST" && throughput)
    throw errors.invalid(
      "Neither ReadCapacityUnits nor WriteCapacityUnits can be specified when BillingMode is PAY_PER_REQUEST",
    );
  if (mode === "PROVISIONED" && !throughput)
    throw errors.invalid(
      "ReadCapacityUnits and WriteCapacityUnits must both be specified when BillingMode is PROVISIONED",
    );
}

export const throughputOf = (given: GivenThroughput): Throughput =>
  given ? { read: given.ReadCapacityUnits ?? 0, write: given.WriteCapacityUnits ?? 0 } : NO_THROUGHPUT;

export const warmOf = (given: NonNullable<CreateInput["WarmThroughput"]>): Throughput => ({
  read: given.ReadUnitsPerSecond ?? 0,
  write: given.WriteUnitsPerSecond ?? 0,
});

export function attributesOf(given: Attributes): readonly KeyAttribute[] {
  const attributes = (given ?? []).map(({ AttributeName, AttributeType }) => ({
    name: AttributeName!,
    type: AttributeType!,
  }));
  const names = new Set(attributes.map(({ name }) => name));
  if (names.size < attributes.length) {
    const twice = attributes.find(({ name }, i) => attributes.findIndex((other) => other.name === name) < i)!;
    throw errors.validation(`Cannot have two attributes with the same name: ${twice.name}`);
  }
  return attributes;
}

function tableKey(elements: Elements, attributes: readonly KeyAttribute[]): KeySchema {
  const given = elements ?? [];
  if (given.length === 0) throw errors.invalid("No provided key schema");
  defined(given, attributes, () => {
    throw errors.invalid(
      `Some index key attributes are not defined in AttributeDefinitions. Keys: [${named(given)}], AttributeDefinitions: [${attributes.map(({ name }) => name).join(", ")}]`,
    );
  });
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

const named = (given: NonNullable<Elements>): string => given.map(({ AttributeName }) => AttributeName).join(", ");

function defined(given: NonNullable<Elements>, attributes: readonly KeyAttribute[], otherwise: () => never): void {
  if (given.some(({ AttributeName }) => !attributes.some(({ name }) => name === AttributeName))) otherwise();
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
  globalIndexCount(GlobalSecondaryIndexes?.length ?? 0);
}

export function globalIndexCount(count: number): void {
  if (count > MOST_GLOBAL)
    throw errors.invalid(`GlobalSecondaryIndex count exceeds the per-table limit of ${MOST_GLOBAL}`);
}

function localIndex(given: LocalIndexes[number], table: KeySchema, attributes: readonly KeyAttribute[]): NewIndex {
  const base = indexBase(given, attributes);
  const key = pairKey(given.KeySchema ?? [], attributes);
  if (key.range.length === 0) throw errors.invalid(`Index KeySchema does not have a range key for index: ${base.name}`);
  if (key.hash[0]!.name !== table.hash[0]!.name)
    throw errors.invalid(
      `Index KeySchema does not have the same leading hash key as table KeySchema for index: ${base.name}. index hash key: ${key.hash[0]!.name}, table hash key: ${table.hash[0]!.name}`,
    );
  return { ...base, kind: "local", key, throughput: NO_THROUGHPUT };
}

export function globalIndex(
  given: GivenIndex,
  attributes: readonly KeyAttribute[],
  billingMode: Definition["billingMode"],
): NewIndex {
  const base = indexBase(given, attributes);
  if (billingMode === "PROVISIONED" && !given.ProvisionedThroughput)
    throw errors.invalid(`ProvisionedThroughput must be specified for index: ${base.name}`);
  if (billingMode === "PAY_PER_REQUEST" && given.ProvisionedThroughput)
    throw errors.invalid(
      `ProvisionedThroughput should not be specified for index: ${base.name} when BillingMode is PAY_PER_REQUEST`,
    );
  return {
    ...base,
    kind: "global",
    key: severalKey(given.KeySchema ?? [], attributes),
    throughput: throughputOf(given.ProvisionedThroughput),
    ...(given.WarmThroughput && { warm: warmOf(given.WarmThroughput) }),
    ...(given.OnDemandThroughput && { onDemandThroughput: given.OnDemandThroughput }),
  };
}

const MOST_OF_A_KIND = 4;

/** A global index's key: up to four HASH attributes, then up to four RANGE attributes. */
function severalKey(given: NonNullable<Elements>, attributes: readonly KeyAttribute[]): KeySchema {
  const key = keyOf(given, attributes);
  if (given[0]?.KeyType !== "HASH")
    throw errors.validation("Invalid KeySchema: The first KeySchemaElement is not a HASH key type");
  const firstRange = given.findIndex(({ KeyType }) => KeyType === "RANGE");
  if (firstRange >= 0 && given.slice(firstRange).some(({ KeyType }) => KeyType === "HASH"))
    throw errors.validation("Invalid KeySchema: All HASH key elements must come before all RANGE key elements");
  if (key.hash.length > MOST_OF_A_KIND || key.range.length > MOST_OF_A_KIND)
    throw errors.validation("Invalid KeySchema: An index key has at most 4 HASH and 4 RANGE key elements");
  if (new Set(given.map(({ AttributeName }) => AttributeName)).size < given.length)
    throw errors.validation("Both the Hash Key and the Range Key element in the KeySchema have the same name");
  return key;
}

function indexBase(given: GivenIndex, attributes: readonly KeyAttribute[]) {
  const { IndexName: name = "", Projection, KeySchema = [] } = given;
  if (!NAME.test(name)) throw errors.validation(NAME_RULE);
  defined(KeySchema, attributes, () => {
    throw errors.invalid(
      `Some index key attributes are not defined in AttributeDefinitions. Keys: [${named(KeySchema)}], AttributeDefinitions: [${attributes.map((attribute) => attribute.name).join(", ")}]`,
    );
  });
  const projection = Projection?.ProjectionType;
  const nonKeyAttributes = Projection?.NonKeyAttributes;
  if (!projection) throw errors.invalid("Unknown ProjectionType: null");
  if (projection === "INCLUDE" && !nonKeyAttributes)
    throw errors.invalid("ProjectionType is INCLUDE, but NonKeyAttributes is not specified");
  if (projection !== "INCLUDE" && nonKeyAttributes)
    throw errors.invalid(`ProjectionType is ${projection}, but NonKeyAttributes is specified`);
  const twice = nonKeyAttributes?.find((attribute, i) => nonKeyAttributes.indexOf(attribute) < i);
  if (twice !== undefined) throw errors.invalid(`Duplicate attribute name in NonKeyAttributes: ${twice}`);
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

function allUsed(attributes: readonly KeyAttribute[], keys: readonly KeySchema[]): void {
  const used = usedNames(keys);
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
