// The grammar: PartiQL's own, of which DynamoDB takes a part. What is wrong here is said before anything is looked up.
import type {
  BinaryOperator,
  Change,
  Expr,
  OrderTerm,
  Parsed,
  PathExpr,
  Returning,
  SelectTree,
  Source,
  Tree,
} from "./ast.ts";
import { isKeyword } from "./keywords.ts";
import { lex, malformed, type Place, type Token } from "./lex.ts";

/** Deeper than any value or condition that DynamoDB takes, and no danger to the stack. */
const DEEPEST = 300;

export function parseStatement(text: string): Parsed {
  const words = new Words(lex(text));
  const tree = words.statement();
  words.finish();
  return { tree, parameters: words.parameters };
}

const COMPARATORS: Readonly<Record<string, BinaryOperator>> = {
  "=": "=",
  "<>": "<>",
  "!=": "<>",
  "<": "<",
  "<=": "<=",
  ">": ">",
  ">=": ">=",
};
/** Words that stand between operands: none of them begins one. */
const OPERATOR_WORDS: ReadonlySet<string> = new Set(["is", "like", "in", "between", "and", "or", "intersect", "union"]);
/** Keywords that may be functions all the same. */
const FUNCTION_WORDS: ReadonlySet<string> = new Set([
  "size",
  "exists",
  "count",
  "sum",
  "min",
  "max",
  "avg",
  "upper",
  "lower",
]);
const TYPE_WORDS: ReadonlySet<string> = new Set(
  `missing null bool boolean smallint integer2 int2 integer4 int4 integer8 int8 bigint int integer float real double_precision decimal
  numeric timestamp date time character char character_varying varchar string symbol clob blob struct tuple list sexp bag any`.split(
    /\s+/,
  ),
);

/** A cursor over the words. Methods are named for what they read. */
class Words {
  readonly #tokens: readonly Token[];
  #at = 0;
  #depth = 0;
  parameters = 0;

  constructor(tokens: readonly Token[]) {
    this.#tokens = tokens;
  }

  statement(): Tree {
    if (this.#isWord("select")) return this.#select();
    if (this.#isWord("insert") && this.#isWord("into", 1)) return this.#insert();
    if (this.#isWord("update")) return this.#update();
    if (this.#isWord("delete")) return this.#delete();
    if (this.#isWord("from")) return this.#fromFirst();
    if (this.#isWord("exists") && this.#isSymbol("(", 1) && this.#isWord("select", 2)) return this.#exists();
    return { kind: "expression", expr: this.#expression() };
  }

  /** One semicolon may end it. */
  finish(): void {
    this.#takes(";");
    if (this.#next.kind !== "end") throw malformed("Unexpected token after expression");
  }

  get #next(): Token {
    return this.#tokens[this.#at]!;
  }

  #select(): SelectTree {
    this.#at++;
    const projection = [this.#column()];
    while (this.#takes(",")) projection.push(this.#column());
    if (!this.#takesWord("from")) throw malformed("Expected FROM after SELECT list");
    const path = this.#expression();
    if (path.kind !== "path") throw malformed("Unexpected term");
    const source = this.#aliased(namesOf(path));
    const where = this.#where();
    return { kind: "select", projection, source, where, orderBy: this.#orderBy() };
  }

  #column(): SelectTree["projection"][number] {
    if (this.#takes("*")) return { expr: "*", aliased: false };
    const expr = this.#expression();
    const aliased = this.#takesWord("as") || this.#isName();
    if (aliased) this.#at++;
    return { expr, aliased };
  }

  #orderBy(): readonly OrderTerm[] {
    if (!this.#isWord("order") || !this.#isWord("by", 1)) return [];
    this.#at += 2;
    const terms: OrderTerm[] = [];
    do {
      const expr = this.#expression();
      const descending = this.#takesWord("desc");
      if (!descending) this.#takesWord("asc");
      terms.push({ expr, descending });
    } while (this.#takes(","));
    return terms;
  }

  #exists(): Tree {
    this.#at += 2;
    const select = this.#select();
    this.#expect(")");
    return { kind: "exists", select };
  }

  #insert(): Tree {
    this.#at += 2;
    const source = { names: this.#simplePath(), aliased: false };
    if (!this.#takesWord("value")) {
      this.#expression();
      this.finish();
      throw malformed("Expected data manipulation");
    }
    const value = this.#expression();
    return { kind: "insert", source, value, returning: this.#returning() };
  }

  #update(): Tree {
    this.#at++;
    const source = this.#aliased(this.#simplePath());
    const changes = this.#changes();
    return { kind: "update", source, changes, where: this.#where(), returning: this.#returning() };
  }

  /** The condition before the changes: PartiQL's older form of an UPDATE. */
  #fromFirst(): Tree {
    this.#at++;
    const source = this.#aliased(this.#simplePath());
    const where = this.#where();
    return { kind: "update", source, changes: this.#changes(), where, returning: this.#returning() };
  }

  #delete(): Tree {
    this.#at++;
    if (!this.#takesWord("from")) throw malformed("Unexpected keyword");
    const source = this.#aliased(this.#simplePath());
    return { kind: "delete", source, where: this.#where(), returning: this.#returning() };
  }

  #changes(): readonly Change[] {
    const changes: Change[] = [];
    for (;;) {
      if (this.#takesWord("set"))
        do {
          const path = this.#path();
          if (!this.#takes("=")) throw malformed("Expected '=' for assignment");
          changes.push({ kind: "set", path, value: this.#expression() });
        } while (this.#takes(","));
      else if (this.#takesWord("remove")) changes.push({ kind: "remove", path: this.#path() });
      else if (changes.length > 0) return changes;
      else throw malformed("Expected data manipulation");
    }
  }

  #where(): Expr | undefined {
    return this.#takesWord("where") ? this.#expression() : undefined;
  }

  #returning(): Returning | undefined {
    if (!this.#takesWord("returning")) return undefined;
    const [what, when] = [this.#next.text.toUpperCase(), this.#tokens[this.#at + 1]?.text.toUpperCase()];
    const returning = RETURNING.find((one) => one === `${what} ${when}`);
    if (!returning) throw malformed("Expected returning mapping");
    this.#at += 2;
    if (!this.#takes("*")) throw malformed("Expected returning column");
    return returning;
  }

  #simplePath(): readonly string[] {
    if (!this.#isName()) throw malformed("Expected identifier for simple path");
    return namesOf(this.#path());
  }

  #aliased(names: readonly string[]): Source {
    const aliased = this.#takesWord("as") || this.#isName();
    if (aliased) this.#at++;
    return { names, aliased };
  }

  // Expressions, the loosest binding first.

  #expression(): Expr {
    return this.#nested(() => this.#infix("or", () => this.#infix("and", () => this.#not())));
  }

  #infix(operator: "or" | "and", operand: () => Expr): Expr {
    let left = operand();
    for (let { at } = this.#next; this.#takesWord(operator); at = this.#next.at)
      left = { kind: "binary", operator, left, right: this.#right(operand), at };
    return left;
  }

  /** What follows an operator. */
  #right<T>(read: () => T): T {
    if (this.#next.kind === "end") throw malformed("Missing right-hand side expression of infix operator");
    return read();
  }

  #not(): Expr {
    const { at } = this.#next;
    if (!this.#takesWord("not")) return this.#predicate();
    return this.#nested(() => ({ kind: "not", operand: this.#not(), at }));
  }

  #predicate(): Expr {
    let left = this.#sum();
    for (;;) {
      const { at, kind, text } = this.#next;
      const comparator = kind === "symbol" ? COMPARATORS[text] : undefined;
      const negated = this.#isWord("not") && ["in", "between", "like"].some((word) => this.#isWord(word, 1));
      if (negated) this.#at++;
      const plain = left;
      if (comparator) {
        this.#at++;
        left = { kind: "binary", operator: comparator, left: plain, right: this.#right(() => this.#sum()), at };
      } else if (this.#takesWord("between")) {
        const low = this.#right(() => this.#sum());
        if (!this.#takesWord("and")) throw malformed("Expected AND after BETWEEN");
        left = { kind: "between", operand: plain, low, high: this.#right(() => this.#sum()), at };
      } else if (this.#takesWord("in")) {
        left = { kind: "in", operand: plain, list: this.#right(() => this.#list()), at };
      } else if (this.#takesWord("like")) {
        this.#right(() => this.#sum());
        left = { kind: "unsupported", what: "Like", at };
      } else if (this.#takesWord("is")) {
        const not = this.#takesWord("not");
        const is: Expr = { kind: "is", operand: plain, type: this.#type(), at };
        left = not ? { kind: "not", operand: is, at } : is;
      } else return left;
      if (negated) left = { kind: "not", operand: left, at };
    }
  }

  #type(): string {
    const one = this.#next.text.toLowerCase();
    const two = `${one}_${this.#tokens[this.#at + 1]?.text.toLowerCase()}`;
    const type = [two, one].find((name) => TYPE_WORDS.has(name));
    if (this.#next.kind !== "name" || type === undefined) throw malformed("Expected type name");
    this.#at += type === two ? 2 : 1;
    return type.replace("_", " ").toUpperCase();
  }

  /** `[a, b]`, `(a, b)` or `<<a, b>>`. */
  #list(): readonly Expr[] {
    if (this.#isSymbol("(")) {
      this.#at++;
      return this.#until(")", () => this.#expression());
    }
    const list = this.#sum();
    if (list.kind === "list" || list.kind === "bag") return list.items;
    throw malformed("Unexpected term");
  }

  #sum(): Expr {
    let left = this.#term();
    for (;;) {
      const { at, kind, text } = this.#next;
      const unknown = kind === "symbol" ? ARITHMETIC[text] : undefined;
      if (this.#takes("+") || this.#takes("-"))
        left = { kind: "binary", operator: text as "+" | "-", left, right: this.#right(() => this.#term()), at };
      else if (unknown !== undefined) {
        this.#at++;
        this.#right(() => this.#term());
        left = { kind: "unsupported", what: unknown, at };
      } else return left;
    }
  }

  #term(): Expr {
    const { kind, text, at } = this.#next;
    switch (kind) {
      case "string":
      case "number":
        this.#at++;
        return { kind, text, at };
      case "quoted":
        return this.#path();
      case "name":
        return this.#word(text.toLowerCase(), at);
      case "symbol":
        return this.#nested(() => this.#symbol(text, at));
      case "end":
        throw malformed("Unexpected term");
    }
  }

  #word(word: string, at: Place): Expr {
    if (this.#isSymbol("(", 1) && (FUNCTION_WORDS.has(word) || !isKeyword(word))) return this.#call(word, at);
    if (word === "from") {
      this.#fromFirst();
      return { kind: "unsupported", what: "Dml", at };
    }
    if (word === "select") {
      this.#select();
      return { kind: "unsupported", what: "Select", at };
    }
    if (word === "true" || word === "false") {
      this.#at++;
      return { kind: "boolean", value: word === "true", at };
    }
    if (word === "null" || word === "missing") {
      this.#at++;
      return { kind: word, at };
    }
    if (OPERATOR_WORDS.has(word)) throw malformed("Unexpected operator");
    if (isKeyword(word)) throw malformed("Unexpected keyword");
    return this.#path();
  }

  #call(name: string, at: Place): Expr {
    this.#at += 2;
    if (this.#takes("*")) {
      this.#expect(")");
      return { kind: "unsupported", what: "CallAgg", at };
    }
    return { kind: "call", name, args: this.#until(")", () => this.#nested(() => this.#expression())), at };
  }

  #symbol(symbol: string, at: Place): Expr {
    switch (symbol) {
      case "(": {
        this.#at++;
        const inner = this.#expression();
        this.#expect(")");
        return inner;
      }
      case "[":
        this.#at++;
        return { kind: "list", items: this.#until("]", () => this.#expression()), at };
      case "<<":
        this.#at++;
        return { kind: "bag", items: this.#until(">>", () => this.#expression()), at };
      case "{":
        this.#at++;
        return { kind: "tuple", members: this.#until("}", () => this.#member()), at };
      case "?":
        this.#at++;
        return { kind: "parameter", index: this.parameters++, at };
      case "+":
      case "-":
        this.#at++;
        return signed(symbol, this.#term(), at);
      default:
        throw malformed(symbol in COMPARATORS || symbol in ARITHMETIC ? "Unexpected operator" : "Unexpected term");
    }
  }

  #member(): readonly [Expr, Expr] {
    const name = this.#expression();
    this.#expect(":");
    return [name, this.#expression()];
  }

  #until<T>(end: string, read: () => T): readonly T[] {
    const list: T[] = [];
    if (this.#takes(end)) return list;
    do list.push(read());
    while (this.#takes(","));
    this.#expect(end);
    return list;
  }

  #path(): PathExpr {
    const { at } = this.#next;
    if (!this.#isName()) throw malformed("Expected identifier for simple path");
    const parts: PathExpr["parts"][number][] = [{ name: this.#next.text }];
    this.#at++;
    for (;;) {
      if (this.#takes(".")) {
        if (!this.#isName()) throw malformed("Invalid path dot component");
        parts.push({ name: this.#next.text });
        this.#at++;
      } else if (this.#takes("[")) {
        const sign = this.#takes("-") ? "-" : "";
        const { kind, text, at: where } = this.#next;
        if (kind === "string" && !sign) parts.push({ name: text });
        else if (kind === "number") parts.push({ index: sign + text, at: where });
        else throw malformed("Unexpected term");
        this.#at++;
        this.#expect("]");
      } else return { kind: "path", parts, at };
    }
  }

  #isName(): boolean {
    const { kind, text } = this.#next;
    return kind === "quoted" || (kind === "name" && !isKeyword(text.toLowerCase()));
  }

  #isWord(word: string, ahead = 0): boolean {
    const token = this.#tokens[this.#at + ahead];
    return token?.kind === "name" && token.text.toLowerCase() === word;
  }

  #isSymbol(symbol: string, ahead = 0): boolean {
    const token = this.#tokens[this.#at + ahead];
    return token?.kind === "symbol" && token.text === symbol;
  }

  #takesWord(word: string): boolean {
    if (!this.#isWord(word)) return false;
    this.#at++;
    return true;
  }

  #takes(symbol: string): boolean {
    if (!this.#isSymbol(symbol)) return false;
    this.#at++;
    return true;
  }

  #expect(symbol: string): void {
    if (this.#takes(symbol)) return;
    throw malformed(EXPECTED[symbol] ?? "Unexpected term");
  }

  #nested<T>(read: () => T): T {
    if (++this.#depth > DEEPEST) throw malformed();
    const node = read();
    this.#depth--;
    return node;
  }
}

const RETURNING: readonly Returning[] = ["ALL OLD", "MODIFIED OLD", "ALL NEW", "MODIFIED NEW"];

/** Operators that PartiQL has and DynamoDB has not, by the names that AWS's sentences give such things. */
const ARITHMETIC: Readonly<Record<string, string>> = { "*": "Times", "/": "Divide", "%": "Modulo", "||": "Concat" };

const EXPECTED: Readonly<Record<string, string>> = {
  ")": "Expected closing parenthesis",
  "]": "Expected closing bracket",
  ">>": "Expected closing bag",
  "}": "Expected closing brace",
  ":": "Expected ':' in tuple",
};

/** A name of the FROM clause may hold dots within quotes; an index in brackets names no table. */
const namesOf = (path: PathExpr): readonly string[] =>
  path.parts.map((part) => {
    if ("name" in part) return part.name;
    throw malformed("Unexpected term");
  });

/** Only numbers have signs, as many as you like. */
function signed(sign: string, operand: Expr, at: Place): Expr {
  if (operand.kind !== "number") return { kind: "unsupported", what: sign === "-" ? "Neg" : "Pos", at };
  if (sign === "+") return operand;
  return { ...operand, text: operand.text.startsWith("-") ? operand.text.slice(1) : `-${operand.text}`, at };
}
