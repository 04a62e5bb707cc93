// What holds for the entries of a batch, before any of them is looked at.
import { errors } from "./errors.ts";

const MOST_ENTRIES = 10;
const MAX_ID = 80;

export function checkEntries<E extends { readonly Id?: string | undefined }>(
  entries: readonly E[] | undefined,
): readonly E[] {
  if (!entries?.length) throw errors.emptyBatch();
  if (entries.length > MOST_ENTRIES) throw errors.tooManyEntries();
  const ids = new Set<string>();
  for (const { Id = "" } of entries) {
    if (Id.length > MAX_ID) throw errors.entryIdTooLong(Id);
    if (!/^[A-Za-z0-9_-]+$/.test(Id)) throw errors.entryIdCharacter(Id);
    if (ids.has(Id)) throw errors.entryIdRepeated();
    ids.add(Id);
  }
  return entries;
}
