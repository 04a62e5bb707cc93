// Reads a pattern from left to right.

/** What AWS answers is "Invalid filter pattern"; the reason is ours. */
export class PatternFault extends Error {}

export class Scanner {
  readonly text: string;
  at: number;

  constructor(text: string) {
    this.text = text;
    this.at = 0;
  }

  get done(): boolean {
    return this.at >= this.text.length;
  }

  space(): void {
    while (/\s/.test(this.text[this.at] ?? "")) this.at++;
  }

  /** After any space. */
  take(word: string): boolean {
    this.space();
    if (!this.text.startsWith(word, this.at)) return false;
    this.at += word.length;
    return true;
  }

  /** `pattern` is sticky. */
  match(pattern: RegExp): RegExpExecArray | undefined {
    this.space();
    pattern.lastIndex = this.at;
    const found = pattern.exec(this.text);
    if (found) this.at += found[0].length;
    return found ?? undefined;
  }

  need(word: string): void {
    if (!this.take(word)) throw this.fault(`"${word}" is expected`);
  }

  fault(why: string): PatternFault {
    return new PatternFault(`${why} at position ${this.at}`);
  }

  /** The text between two of `quote`; a backslash takes the next one as it is, and stays. */
  quoted(quote: string): string {
    const start = ++this.at;
    for (; !this.done; this.at++) {
      if (this.text[this.at] === "\\") this.at++;
      else if (this.text[this.at] === quote) return this.text.slice(start, this.at++);
    }
    throw this.fault(`${quote} is not closed`);
  }
}

/** `a && (b || c)`; `leaf` reads one of the letters. `wanted` says whether all hold. */
export function condition<T>(scanner: Scanner, leaf: () => (of: T) => boolean): (of: T) => boolean {
  const alternatives = [conjunction(scanner, leaf)];
  while (scanner.take("||")) alternatives.push(conjunction(scanner, leaf));
  return alternatives.length === 1 ? alternatives[0]! : (of) => alternatives.some((one) => one(of));
}

function conjunction<T>(scanner: Scanner, leaf: () => (of: T) => boolean): (of: T) => boolean {
  const all = [primary(scanner, leaf)];
  while (scanner.take("&&")) all.push(primary(scanner, leaf));
  return all.length === 1 ? all[0]! : (of) => all.every((one) => one(of));
}

function primary<T>(scanner: Scanner, leaf: () => (of: T) => boolean): (of: T) => boolean {
  if (!scanner.take("(")) return leaf();
  const inner = condition(scanner, leaf);
  scanner.need(")");
  return inner;
}
