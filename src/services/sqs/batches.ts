// What all batches have in common: their limits, and entries that fail alone.
import { AwsError } from "../../kernel/mod.ts";
import { errors } from "./errors.ts";

const MOST_ENTRIES = 10;

/** `entry` is the name of an entry's type, as AWS calls it. */
export function checkEntries<E extends { Id?: string | undefined }>(
  entries: readonly E[] | undefined,
  entry: string,
): readonly E[] {
  if (!entries?.length) throw errors.emptyBatch(entry);
  if (entries.length > MOST_ENTRIES) throw errors.tooManyEntries(entries.length);
  const ids = new Set<string>();
  for (const { Id = "" } of entries) {
    if (!/^[A-Za-z0-9_-]{1,80}$/.test(Id)) throw errors.entryId();
    if (ids.has(Id)) throw errors.entryIdRepeated(Id);
    ids.add(Id);
  }
  return entries;
}

interface Failure {
  readonly Id: string | undefined;
  readonly SenderFault: boolean;
  readonly Code: string;
  readonly Message: string;
}

/** In the form in which all batches answer. */
export class Results<S> {
  readonly #successful: S[] = [];
  readonly #failed: Failure[] = [];

  get successful(): readonly S[] {
    return this.#successful;
  }

  /** An AwsError fails this entry alone. */
  async add(Id: string | undefined, work: () => S | Promise<S>): Promise<void> {
    try {
      this.#successful.push(await work());
    } catch (error) {
      if (!(error instanceof AwsError)) throw error;
      this.#failed.push({ Id, SenderFault: error.status < 500, Code: error.code, Message: error.message });
    }
  }

  output(): { Successful: S[]; Failed: Failure[] } {
    return { Successful: this.#successful, Failed: this.#failed };
  }
}
