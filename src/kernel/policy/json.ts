// Where things stand in a JSON text, which JSON.parse does not tell: the line of a statement, a key given twice, the place of a principal.

export interface Node {
  /** Of its first character and after its last. */
  readonly start: number;
  readonly end: number;
  /** A scalar's. */
  readonly value?: string | number | boolean | null;
  /** A list's. */
  readonly items?: readonly Node[];
  /** An object's, in their order, also those given twice. */
  readonly entries?: readonly (readonly [key: string, node: Node])[];
}

/** A policy's elements stand six deep. What is deeper than this is none, and would be too deep for those who walk it. */
const DEPTH_LIMIT = 100;

/** undefined: the text is no JSON, or nested as no policy is. */
export function scan(text: string): Node | undefined {
  try {
    JSON.parse(text);
  } catch {
    // Whoever asks has a sentence of its own for it.
    return undefined;
  }
  return depthOf(text) > DEPTH_LIMIT ? undefined : new Scanner(text).node();
}

function depthOf(json: string): number {
  let depth = 0;
  let deepest = 0;
  for (const [mark] of json.matchAll(/"(?:[^"\\]|\\.)*"|[[{\]}]/g)) {
    if (mark === "[" || mark === "{") deepest = Math.max(deepest, ++depth);
    else if (mark === "]" || mark === "}") depth--;
  }
  return deepest;
}

export const child = (node: Node | undefined, key: string): Node | undefined =>
  node?.entries?.find(([name]) => name === key)?.[1];

/** A list's items, or the one that stands without a list. */
export const each = (node: Node | undefined): readonly Node[] => node?.items ?? (node ? [node] : []);

/** From 1 on. */
export const lineAt = (text: string, offset: number): number => text.slice(0, offset).split("\n").length;

/** Anywhere in it, an object has a key more than once. */
export function hasRepeatedKey({ items = [], entries = [] }: Node): boolean {
  if (new Set(entries.map(([key]) => key)).size < entries.length) return true;
  return [...items, ...entries.map(([, node]) => node)].some(hasRepeatedKey);
}

const SPACE = /[ \t\r\n]*/y;
const SCALAR = /"(?:[^"\\]|\\.)*"|[^\s,\]}]+/y;

/** Of a text that is known to be JSON. */
class Scanner {
  readonly #text: string;
  #at = 0;

  constructor(text: string) {
    this.#text = text;
  }

  node(): Node {
    this.#take(SPACE);
    const start = this.#at;
    const open = this.#text[start];
    if (open === "{") return { start, ...this.#object(), end: this.#at };
    if (open === "[") return { start, ...this.#list(), end: this.#at };
    const value = JSON.parse(this.#take(SCALAR)) as string;
    return { start, end: this.#at, value };
  }

  #object() {
    const entries: [string, Node][] = [];
    this.#each(() => {
      const key = this.node().value as string;
      this.#take(SPACE);
      // The colon.
      this.#at++;
      entries.push([key, this.node()]);
    });
    return { entries };
  }

  #list() {
    const items: Node[] = [];
    this.#each(() => items.push(this.node()));
    return { items };
  }

  /** What stands between the brackets, comma by comma. */
  #each(one: () => void): void {
    do {
      this.#at++;
      this.#take(SPACE);
      if (this.#closes()) break;
      one();
      this.#take(SPACE);
    } while (!this.#closes());
    this.#at++;
  }

  #closes(): boolean {
    return "]}".includes(this.#text[this.#at]!);
  }

  #take(pattern: RegExp): string {
    pattern.lastIndex = this.#at;
    const [found] = pattern.exec(this.#text)!;
    this.#at += found.length;
    return found;
  }
}
