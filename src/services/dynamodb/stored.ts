// Items as they come from the store: parsed where somebody looks into them, and answered as the text that they lie there as.
import { verbatim } from "../../kernel/mod.ts";
import { type Item, itemOf, itemText } from "./value.ts";

export interface Stored {
  readonly item: Item;
  /** As AWS counts it. */
  readonly size: number;
}

export class StoredItem implements Stored {
  /** DynamoDB JSON. */
  readonly text: string;
  readonly size: number;
  #item: Item | undefined;

  constructor({ item, size }: StoredRow) {
    this.text = item;
    this.size = size;
  }

  /** What a projection left of it. */
  with(item: Item): StoredItem {
    return new StoredItem({ item: itemText(item), size: this.size });
  }

  get item(): Item {
    this.#item ??= itemOf(this.text);
    return this.#item;
  }
}

/** The columns. */
export interface StoredRow {
  readonly item: string;
  readonly size: number;
}

/** As it lies in the store. */
export const storedText = (stored: Stored): string =>
  stored instanceof StoredItem ? stored.text : itemText(stored.item);

/** For an answer. */
export const storedItem = ({ text }: StoredItem): Item => verbatim(text, itemOf);

export const storedItems = (all: readonly StoredItem[]): Item[] =>
  verbatim(`[${all.map(({ text }) => text).join(",")}]`, () => all.map(({ item }) => item));

/** By the names of their tables. */
export const storedByName = (
  lists: readonly { readonly name: string; readonly items: readonly StoredItem[] }[],
): Record<string, Item[]> =>
  verbatim(
    `{${lists.map(({ name, items }) => `${JSON.stringify(name)}:[${items.map(({ text }) => text).join(",")}]`).join(",")}}`,
    () => Object.fromEntries(lists.map(({ name, items }) => [name, items.map(({ item }) => item)])),
  );
