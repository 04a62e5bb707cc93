// A CSV file into a table: each line an item. The file is read twice: what a column holds is known at its end only.
import { createHash } from "node:crypto";
import { statSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { UserError } from "../command.ts";
import type { Access } from "../signed.ts";
import { type Line, linesOf } from "./csv.ts";
import { openProgress } from "./progress.ts";
import { DynamodbFailure, dynamodb } from "./remote.ts";
import { attributeOf, Guess, type Type, type Value } from "./types.ts";

export interface Import {
  readonly access: Access;
  readonly file: string;
  readonly table: string;
  /** One or two columns: a table that is not there is made with them. */
  readonly key: readonly string[] | undefined;
  /** Said; they come before what is guessed. */
  readonly types: ReadonlyMap<string, Type>;
}

export interface Imported {
  readonly lines: number;
  readonly made: boolean;
}

/** Items of one key are written in their order: each lane has its own keys. As many as share a commit to the disk well. */
const LANES = 8;
/** BatchWriteItem's own limits: 25 items; 16 MB, of which JSON with its names takes its share. */
const BATCH_ITEMS = 25;
const BATCH_BYTES = 8 * 1024 * 1024;

export async function importCsv(of: Import): Promise<Imported> {
  const { guessed, lines } = await guess(of.file);
  for (const name of [...of.types.keys(), ...(of.key ?? [])])
    if (!guessed.has(name)) throw new UserError(`${of.file} has no column ${name}`);
  const types = new Map([...guessed, ...of.types]);
  const { key, made } = await tableFor(of, types);
  return { lines: await write(of, { types, key, lines }), made };
}

async function guess(file: string): Promise<{ guessed: Map<string, Type>; lines: number }> {
  using progress = openProgress("lines read");
  const guesses = new Map<string, Guess>();
  let names: readonly string[] | undefined;
  let count = 0;
  for await (const line of linesWithShare(file, (share) => progress.at(count, share))) {
    if (!names) {
      names = headerOf(file, line);
      for (const name of names) guesses.set(name, new Guess());
      continue;
    }
    count++;
    if (line.fields.length !== names.length)
      throw new UserError(
        `${file}, line ${line.number}: ${line.fields.length} fields, where the header has ${names.length}`,
      );
    for (const [i, field] of line.fields.entries()) guesses.get(names[i]!)!.look(field);
  }
  if (!names) throw new UserError(`${file} is empty: its first line names the columns`);
  return { guessed: new Map([...guesses].map(([name, { type }]) => [name, type])), lines: count };
}

async function* linesWithShare(file: string, share: (share: number) => void): AsyncGenerator<Line> {
  const { size } = statSync(file);
  let read = 0;
  for await (const line of linesOf(file, (bytes) => (read += bytes))) {
    share(size === 0 ? 1 : read / size);
    yield line;
  }
}

function headerOf(file: string, { fields }: Line): readonly string[] {
  const names = fields.map((name) => name.trim());
  const fault = names.includes("")
    ? "a column without a name"
    : new Set(names).size < names.length
      ? `two columns ${names.find((name, i) => names.indexOf(name) < i)}`
      : undefined;
  if (fault) throw new UserError(`${file}: the first line has ${fault}`);
  return names;
}

const LOOK_AGAIN_MS = 100;

interface Description {
  readonly Table: {
    readonly TableStatus: string;
    readonly KeySchema: readonly { AttributeName: string }[];
    readonly AttributeDefinitions: readonly { AttributeName: string; AttributeType: Type }[];
  };
}

/** Attributes of keys have the type that the table says. */
async function tableFor(
  { access, table, key, file }: Import,
  types: Map<string, Type>,
): Promise<{ key: readonly string[]; made: boolean }> {
  const found = await describe(access, table);
  if (found) {
    const names = found.Table.KeySchema.map(({ AttributeName }) => AttributeName);
    if (key && key.join() !== names.join())
      throw new UserError(`the table ${table} is there, with the key ${names.join()}: leave out --key`);
    const missing = names.find((name) => !types.has(name));
    if (missing !== undefined) throw new UserError(`${file} has no column ${missing}, which is of the key of ${table}`);
    for (const { AttributeName, AttributeType } of found.Table.AttributeDefinitions)
      if (types.has(AttributeName)) types.set(AttributeName, AttributeType);
    return { key: names, made: false };
  }
  if (!key) throw new UserError(`there is no table ${table}; to make it say --key COLUMN or --key COLUMN,COLUMN`);
  for (const name of key) if (types.get(name) === "BOOL") types.set(name, "S");
  await dynamodb(access, "CreateTable", {
    TableName: table,
    AttributeDefinitions: key.map((name) => ({ AttributeName: name, AttributeType: types.get(name) })),
    KeySchema: key.map((name, i) => ({ AttributeName: name, KeyType: i === 0 ? "HASH" : "RANGE" })),
    BillingMode: "PAY_PER_REQUEST",
  }).catch(sentence);
  // With `--delays real` it is not there at once.
  while ((await describe(access, table))?.Table.TableStatus !== "ACTIVE") await sleep(LOOK_AGAIN_MS);
  return { key, made: true };
}

const describe = (access: Access, TableName: string): Promise<Description | undefined> =>
  dynamodb<Description>(access, "DescribeTable", { TableName }).catch((error: unknown) => {
    if (error instanceof DynamodbFailure && error.code === "ResourceNotFoundException") return undefined;
    return sentence(error);
  });

function sentence(error: unknown): never {
  throw error instanceof DynamodbFailure ? new UserError(error.message) : error;
}

type Item = Readonly<Record<string, Value>>;

interface Writing {
  readonly types: ReadonlyMap<string, Type>;
  readonly key: readonly string[];
  readonly lines: number;
}

/** Resolves with the number of lines that were written. */
async function write(of: Import, { types, key, lines }: Writing): Promise<number> {
  using progress = openProgress("items");
  let written = 0;
  const lanes = Array.from(
    { length: LANES },
    () =>
      new Lane(of, (count) => {
        written += count;
        progress.at(written, written / lines);
      }),
  );
  let names: readonly string[] | undefined;
  for await (const line of linesOf(of.file, () => undefined)) {
    if (!names) {
      names = headerOf(of.file, line);
      continue;
    }
    const item = itemOf(of.file, line, { names, types });
    for (const name of key)
      if (!item[name]) throw new UserError(`${of.file}, line ${line.number}: ${name} is empty, and of the key`);
    const id = JSON.stringify(key.map((name) => item[name]));
    await lanes[createHash("md5").update(id).digest()[0]! % LANES]!.add(id, item, line.number);
  }
  await Promise.all(lanes.map((lane) => lane.end()));
  return written;
}

function itemOf(
  file: string,
  { fields, number }: Line,
  { names, types }: { names: readonly string[]; types: ReadonlyMap<string, Type> },
): Item {
  const item: Record<string, Value> = {};
  for (const [i, field] of fields.entries()) {
    const name = names[i]!;
    try {
      const value = attributeOf(field, types.get(name)!);
      if (value) item[name] = value;
    } catch (error) {
      if (!(error instanceof UserError)) throw error;
      throw new UserError(`${file}, line ${number}, ${name}: ${error.message}`);
    }
  }
  return item;
}

interface Batch {
  /** By key: of two lines with the same the later counts, as it would in another batch. */
  readonly items: Map<string, Item>;
  lines: number;
  bytes: number;
  first: number;
  last: number;
}

const emptyBatch = (): Batch => ({ items: new Map(), lines: 0, bytes: 0, first: 0, last: 0 });

/** One batch is filled while the one before is on its way. */
class Lane {
  readonly #of: Import;
  readonly #done: (lines: number) => void;
  #batch = emptyBatch();
  #sent: Promise<void> = Promise.resolve();

  constructor(of: Import, done: (lines: number) => void) {
    this.#of = of;
    this.#done = done;
  }

  async add(id: string, item: Item, line: number): Promise<void> {
    const batch = this.#batch;
    if (batch.lines === 0) batch.first = line;
    batch.last = line;
    batch.lines++;
    batch.bytes += JSON.stringify(item).length;
    batch.items.set(id, item);
    if (batch.items.size === BATCH_ITEMS || batch.bytes > BATCH_BYTES) await this.#flush();
  }

  async end(): Promise<void> {
    await this.#flush();
    await this.#sent;
  }

  async #flush(): Promise<void> {
    const batch = this.#batch;
    this.#batch = emptyBatch();
    await this.#sent;
    this.#sent = this.#send(batch);
    // Whoever waits for it next is told; until then nobody does.
    this.#sent.catch(() => undefined);
  }

  async #send({ items, lines, first, last }: Batch): Promise<void> {
    const { access, table, file } = this.#of;
    let requests: readonly object[] = [...items.values()].map((Item) => ({ PutRequest: { Item } }));
    while (requests.length > 0) {
      const { UnprocessedItems = {} } = await dynamodb<{ UnprocessedItems?: Record<string, object[]> }>(
        access,
        "BatchWriteItem",
        { RequestItems: { [table]: requests } },
      ).catch((error: unknown) => {
        if (!(error instanceof DynamodbFailure)) throw error;
        throw new UserError(`${file}, lines ${first} to ${last}: ${error.message}`);
      });
      requests = UnprocessedItems[table] ?? [];
    }
    this.#done(lines);
  }
}
