// JSON as a row of tokens, each with the place where AWS would say that it is: its services read patterns with Jackson, and their error messages end
// with `at [Source: (String)"..."; line: 1, column: 10]`. The column is the one after what was read so far, and that differs by token: a string
// counts only its opening quote until somebody asks for its text, and after a name the beginning of its value is read too. As recorded on AWS.
import { PatternFault } from "./fault.ts";

export type Token = "{" | "}" | "[" | "]" | "name" | "string" | "number" | "true" | "false" | "null" | "end";

/** What the messages say of the text: itself, as EventBridge does, or not, as SNS does since 2026. */
export type Shown = "text" | "redacted";

// Jackson shows so much of the text.
const MOST_SHOWN = 500;
const REDACTED = "REDACTED (`StreamReadFeature.INCLUDE_SOURCE_IN_LOCATION` disabled)";
const VALUES = "JSON String, Number, Array, Object or token 'null', 'true' or 'false'";
const LITERALS = ["true", "false", "null"] as const;
const ESCAPES: Readonly<Record<string, string>> = { b: "\b", f: "\f", n: "\n", r: "\r", t: "\t" };

interface Open {
  readonly close: "}" | "]";
  readonly at: number;
  /** Whether something stands in it already: then a comma comes first. */
  any: boolean;
}

export class Tokens {
  readonly #json: string;
  readonly #shown: Shown;
  readonly #open: Open[] = [];
  #at = 0;
  #text = "";
  /** A string whose opening quote alone was read. */
  #unread = false;
  /** The name of the value that is #next, which was read with it. */
  #next: { readonly kind: Token; readonly text: string; readonly unread: boolean } | undefined;

  constructor(json: string, shown: Shown) {
    this.#json = json;
    this.#shown = shown;
  }

  /** Of the name, string or number that `next` gave; of anything else as it is written. */
  get text(): string {
    if (this.#unread) this.#text = this.#finishString();
    return this.#text;
  }

  /** Throws a PatternFault where the text is no JSON. */
  next(): Token {
    if (this.#next) {
      const { kind, text, unread } = this.#next;
      this.#next = undefined;
      this.#unread = unread;
      return this.#give(kind, text);
    }
    if (this.#unread) this.#finishString();
    const char = this.#skip();
    if (char === undefined) return this.#atEnd();
    const open = this.#open.at(-1);
    if (char === "}" || char === "]") return this.#close(char, open);
    if (open?.any) this.#comma(char, open);
    if (open) open.any = true;
    if (open?.close !== "}") return this.#value();
    return this.#name();
  }

  /** A fault at the present place. */
  fault(message: string): PatternFault {
    return new PatternFault(`${message}\n at ${this.place()}`);
  }

  /** `[Source: ...; line: 1, column: 10]`; `at` is an index into the text. */
  place(at = this.#at): string {
    const before = this.#json.slice(0, at);
    const line = before.split("\n").length;
    const column = at - before.lastIndexOf("\n");
    return `[Source: ${this.#source()}; line: ${line}, column: ${column}]`;
  }

  #source(): string {
    if (this.#shown === "redacted") return REDACTED;
    const more = this.#json.length - MOST_SHOWN;
    return `(String)"${this.#json.slice(0, MOST_SHOWN)}"${more > 0 ? `[truncated ${more} chars]` : ""}`;
  }

  #give(kind: Token, text: string): Token {
    this.#text = text;
    return kind;
  }

  #skip(): string | undefined {
    while (this.#at < this.#json.length && " \t\r\n".includes(this.#json[this.#at]!)) this.#at++;
    return this.#json[this.#at];
  }

  #atEnd(): Token {
    const open = this.#open.at(-1);
    if (!open) return this.#give("end", "");
    const what = open.close === "}" ? "Object" : "Array";
    throw this.fault(
      `Unexpected end-of-input: expected close marker for ${what} (start marker at ${this.place(open.at)})`,
    );
  }

  #close(char: "}" | "]", open: Open | undefined): Token {
    if (!open) throw this.#unexpected(char, `expected a valid value (${VALUES})`);
    if (open.close !== char) {
      const what = open.close === "}" ? "Object" : "Array";
      throw this.fault(
        `Unexpected close marker '${char}': expected '${open.close}' (for ${what} starting at ${this.place(open.at)})`,
      );
    }
    this.#open.pop();
    this.#at++;
    return this.#give(char, char);
  }

  #comma(char: string, open: Open): void {
    if (char !== ",") {
      const what = open.close === "}" ? "Object" : "Array";
      throw this.#unexpected(char, `was expecting comma to separate ${what} entries`);
    }
    this.#at++;
    if (this.#skip() === undefined) this.#atEnd();
  }

  #name(): Token {
    const char = this.#json[this.#at]!;
    if (char !== '"') throw this.#unexpected(char, "was expecting double-quote to start field name");
    this.#at++;
    const name = this.#finishString("field name");
    const colon = this.#skip();
    if (colon === undefined) this.#atEnd();
    if (colon !== ":") throw this.#unexpected(colon!, "was expecting a colon to separate field name and value");
    this.#at++;
    if (this.#skip() === undefined) this.#atEnd();
    const kind = this.#value();
    this.#next = { kind, text: this.#text, unread: this.#unread };
    this.#unread = false;
    return this.#give("name", name);
  }

  #value(): Token {
    const char = this.#json[this.#at]!;
    if (char === "{" || char === "[") {
      this.#open.push({ close: char === "{" ? "}" : "]", at: this.#at, any: false });
      this.#at++;
      return this.#give(char, char);
    }
    if (char === '"') {
      this.#at++;
      this.#unread = true;
      return this.#give("string", "");
    }
    const number = /^-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?(?![\w.])/.exec(
      this.#json.slice(this.#at, this.#at + 400),
    );
    if (number) {
      this.#at += number[0].length;
      return this.#give("number", number[0]);
    }
    const word = /^[\p{L}_$][\w$]*/u.exec(this.#json.slice(this.#at, this.#at + 256))?.[0];
    if (word === undefined) throw this.#unexpected(char, `expected a valid value (${VALUES})`);
    this.#at += word.length;
    const literal = LITERALS.find((each) => each === word);
    if (!literal) throw this.fault(`Unrecognized token '${word}': was expecting (${VALUES})`);
    return this.#give(literal, literal);
  }

  /** From behind its opening quote to behind its closing one. */
  #finishString(what = "VALUE_STRING"): string {
    this.#unread = false;
    let text = "";
    for (;;) {
      const char = this.#json[this.#at];
      if (char === undefined)
        throw this.fault(
          what === "VALUE_STRING"
            ? "Unexpected end-of-input: was expecting closing quote for a string value"
            : `Unexpected end-of-input in ${what}`,
        );
      this.#at++;
      if (char === '"') return text;
      if (char < " ")
        throw this.fault(
          `Illegal unquoted character ((CTRL-CHAR, code ${char.charCodeAt(0)})): has to be escaped using backslash to be included in string value`,
        );
      text += char === "\\" ? this.#escaped() : char;
    }
  }

  #escaped(): string {
    const char = this.#json[this.#at++];
    if (char === '"' || char === "\\" || char === "/") return char;
    if (char === "u") {
      const digits = /^[0-9a-fA-F]{4}/.exec(this.#json.slice(this.#at))?.[0];
      if (digits === undefined)
        throw this.fault("Unexpected character: expected a hex-digit for character escape sequence");
      this.#at += 4;
      return String.fromCharCode(Number.parseInt(digits, 16));
    }
    const plain = char === undefined ? undefined : ESCAPES[char];
    if (plain === undefined)
      throw this.fault(`Unrecognized character escape '${char ?? ""}' (code ${char?.charCodeAt(0) ?? 0})`);
    return plain;
  }

  /** The place is the character's own. */
  #unexpected(char: string, wanted: string): PatternFault {
    const code = char.codePointAt(0)!;
    return this.fault(`Unexpected character ('${char}' (code ${code})): ${wanted}`);
  }
}
