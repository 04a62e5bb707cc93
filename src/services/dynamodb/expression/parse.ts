// The grammar of condition, filter and key condition expressions, of projections and of updates.
// https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Expressions.OperatorsAndFunctions.html
import { errors } from "../errors.ts";
import type { Call, Comparator, Condition, Operand, Part, Path, Section, Update, Value } from "./ast.ts";
import { lex, syntaxError, type Token } from "./lex.ts";

const MOST_BYTES = 4096;
/** Recorded: of the others it does not say the size. */
const SAYS_SIZE: ReadonlySet<string> = new Set(["ConditionExpression", "FilterExpression"]);
const LARGEST_INDEX = 2 ** 31 - 1;
const MOST_OPERATORS = 300;
const MOST_IN_OPERANDS = 100;
const DEEPEST_PATH = 32;
/** Deeper recursion than any expression of 300 operators needs. */
const DEEPEST_PARENTHESES = 320;

const COMPARATORS: ReadonlySet<string> = new Set(["=", "<>", "<", "<=", ">", ">="]);
const SECTIONS: ReadonlySet<string> = new Set(["set", "remove", "add", "delete"]);

type Node = { readonly condition: Condition } | { readonly operand: Operand };

export function parseCondition(text: string, label: string): Condition {
  const words = new Words(text, label);
  const node = words.or();
  words.end();
  words.finish();
  return words.asCondition(node);
}

export function parseProjection(text: string, label: string): readonly Path[] {
  const words = new Words(text, label);
  const paths = [words.path()];
  while (words.takes(",")) paths.push(words.path());
  words.end();
  return paths;
}

export function parseUpdate(text: string, label: string): Update {
  const words = new Words(text, label);
  const sections: { -readonly [S in Section]: Update[S][number][] } = { set: [], remove: [], add: [], delete: [] };
  let twice: string | undefined;
  do {
    const section = words.section();
    if (sections[section].length > 0) twice ??= section;
    do {
      const path = words.path();
      if (section === "set") sections.set.push({ path, value: words.assigned() });
      else if (section === "remove") sections.remove.push(path);
      else sections[section].push({ path, value: words.value() });
    } while (words.takes(","));
  } while (!words.atEnd());
  if (twice)
    throw errors.validation(
      `Invalid ${label}: The "${twice.toUpperCase()}" section can only be used once in an update expression;`,
    );
  words.finish();
  return sections;
}

/** A cursor over the words. Methods are named for what they read. */
class Words {
  readonly #text: string;
  readonly #label: string;
  readonly #tokens: readonly Token[];
  #at = 0;
  #depth = 0;
  #operators = 0;
  #redundant = false;
  /** The pair of parentheses closed last: its first word, and the word after it. */
  #closed = { open: -1, end: -1 };

  constructor(text: string, label: string) {
    if (text.trim() === "") throw errors.validation(`Invalid ${label}: The expression can not be empty;`);
    const bytes = Buffer.byteLength(text);
    if (bytes > MOST_BYTES)
      throw errors.validation(
        `Invalid ${label}: Expression size has exceeded the maximum allowed size;${SAYS_SIZE.has(label) ? ` expression size: ${bytes}` : ""}`,
      );
    this.#text = text;
    this.#label = label;
    this.#tokens = lex(text, label);
  }

  get #next(): Token {
    return this.#tokens[this.#at]!;
  }

  atEnd(): boolean {
    return this.#next.kind === "end";
  }

  end(): void {
    if (!this.atEnd()) throw this.#unexpected();
  }

  /** What is wrong although the grammar is right. */
  finish(): void {
    if (this.#redundant) throw errors.validation(`Invalid ${this.#label}: The expression has redundant parentheses;`);
    if (this.#operators > MOST_OPERATORS)
      throw errors.validation(
        `Invalid ${this.#label}: The expression contains too many operators; operator count: ${this.#operators}`,
      );
  }

  takes(symbol: string): boolean {
    if (this.#next.kind !== "symbol" || this.#next.text !== symbol) return false;
    this.#at++;
    return true;
  }

  or(): Node {
    let left = this.#and();
    while (this.#takesWord("or")) {
      const first = this.asCondition(left);
      left = { condition: { kind: "or", left: first, right: this.asCondition(this.#and()) } };
      this.#operators++;
    }
    return left;
  }

  asCondition(node: Node): Condition {
    if ("condition" in node) return node.condition;
    if (node.operand.kind === "call") return node.operand;
    throw this.#unexpected();
  }

  #and(): Node {
    let left = this.#not();
    while (this.#takesWord("and")) {
      const first = this.asCondition(left);
      left = { condition: { kind: "and", left: first, right: this.asCondition(this.#not()) } };
      this.#operators++;
    }
    return left;
  }

  #not(): Node {
    if (!this.#isWord("not")) return this.#predicate();
    return this.#nested(() => {
      this.#at++;
      this.#operators++;
      return { condition: { kind: "not", condition: this.asCondition(this.#not()) } };
    });
  }

  #predicate(): Node {
    const left = this.#primary();
    if ("condition" in left) return left;
    const { operand } = left;
    if (this.#next.kind === "symbol" && COMPARATORS.has(this.#next.text)) {
      const operator = this.#next.text as Comparator;
      this.#at++;
      this.#operators++;
      return { condition: { kind: "compare", operator, left: operand, right: this.#operand() } };
    }
    if (this.#takesWord("between")) {
      this.#operators++;
      const low = this.#operand();
      if (!this.#takesWord("and")) throw this.#unexpected();
      return { condition: { kind: "between", operand, low, high: this.#operand() } };
    }
    if (this.#takesWord("in")) {
      this.#operators++;
      return { condition: { kind: "in", operand, list: this.#list() } };
    }
    return left;
  }

  #list(): readonly Operand[] {
    this.#expect("(");
    const list = [this.#operand()];
    while (this.takes(",")) list.push(this.#operand());
    this.#expect(")");
    if (list.length > MOST_IN_OPERANDS)
      throw errors.validation(
        `Invalid ${this.#label}: The IN operator is provided with too many operands; number of operands: ${list.length}`,
      );
    return list;
  }

  #operand(): Operand {
    const node = this.#primary();
    if ("operand" in node) return node.operand;
    throw this.#unexpected();
  }

  /** An operand, or anything in parentheses. */
  #primary(): Node {
    return this.#next.text === "(" ? this.#inParentheses(() => this.or()) : { operand: this.#bareOperand() };
  }

  #inParentheses<T>(read: () => T): T {
    const open = this.#at;
    this.#expect("(");
    return this.#nested(() => {
      const inner = read();
      // Nothing but another pair stands within: ((a = b)). AWS allows ((a) = b) and (a).
      if (this.#closed.open === open + 1 && this.#closed.end === this.#at) this.#redundant = true;
      this.#expect(")");
      this.#closed = { open, end: this.#at };
      return inner;
    });
  }

  #bareOperand(): Operand {
    if (this.#next.kind === "value") return this.value();
    const after = this.#tokens[this.#at + 1];
    if (this.#next.kind === "name" && after?.text === "(") return this.#call();
    return this.path();
  }

  value(): Value {
    if (this.#next.kind !== "value") throw this.#unexpected();
    const { text } = this.#next;
    this.#at++;
    return { kind: "value", name: text, value: UNBOUND };
  }

  #call(): Call {
    const name = this.#next.text;
    this.#at += 2;
    return this.#nested(() => {
      const args = [this.#operand()];
      while (this.takes(",")) args.push(this.#operand());
      this.#expect(")");
      return { kind: "call", name, args };
    });
  }

  path(): Path {
    const parts: Part[] = [this.#name()];
    for (;;) {
      if (this.takes(".")) parts.push(this.#name());
      else if (this.takes("[")) {
        if (this.#next.kind !== "number") throw this.#unexpected();
        parts.push(this.#index());
        this.#at++;
        this.#expect("]");
      } else {
        if (parts.length > DEEPEST_PATH)
          throw errors.validation(
            `Invalid ${this.#label}: The document path has too many nesting elements; nesting levels: ${parts.length}`,
          );
        return { kind: "path", parts };
      }
    }
  }

  #index(): number {
    const { text } = this.#next;
    if (Number(text) > LARGEST_INDEX)
      throw errors.validation(`Invalid ${this.#label}: List index is not within the allowable range; index: [${text}]`);
    return Number(text);
  }

  #name(): string {
    const { kind, text } = this.#next;
    if (kind !== "alias" && (kind !== "name" || KEYWORDS.has(text.toLowerCase()))) throw this.#unexpected();
    this.#at++;
    return text;
  }

  section(): Section {
    const word = this.#next.text.toLowerCase();
    if (this.#next.kind !== "name" || !SECTIONS.has(word)) throw this.#unexpected();
    this.#at++;
    return word as Section;
  }

  /** What follows a path in SET: `= operand [+ or - operand]`, in parentheses or not. */
  assigned(): Operand {
    this.#expect("=");
    return this.#sum();
  }

  #sum(): Operand {
    const left = this.#next.text === "(" ? this.#inParentheses(() => this.#sum()) : this.#bareOperand();
    const operator = left.kind === "arithmetic" ? undefined : this.takes("+") ? "+" : this.takes("-") ? "-" : undefined;
    if (!operator) return left;
    this.#operators++;
    return { kind: "arithmetic", operator, left, right: this.#operand() };
  }

  #isWord(word: string): boolean {
    return this.#next.kind === "name" && this.#next.text.toLowerCase() === word;
  }

  #takesWord(word: string): boolean {
    if (!this.#isWord(word)) return false;
    this.#at++;
    return true;
  }

  #expect(symbol: string): void {
    if (!this.takes(symbol)) throw this.#unexpected();
  }

  #nested<T>(read: () => T): T {
    if (++this.#depth > DEEPEST_PARENTHESES)
      throw errors.validation(
        `Invalid ${this.#label}: The expression contains too many operators; operator count: ${this.#depth}`,
      );
    const node = read();
    this.#depth--;
    return node;
  }

  #unexpected() {
    return syntaxError(this.#label, this.#text, this.#tokens[this.#at - 1], this.#next, this.#tokens[this.#at + 1]);
  }
}

// Of the reserved words these belong to the grammar; the others are refused by name when they are bound.
const KEYWORDS: ReadonlySet<string> = new Set(["and", "or", "not", "between", "in", "set", "remove", "add", "delete"]);
const UNBOUND = {} as Value["value"];
