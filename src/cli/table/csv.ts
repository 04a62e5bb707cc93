// CSV as spreadsheets and databases write it (RFC 4180): quotes, doubled quotes, line ends within quotes, CRLF or LF, a byte order mark.
import { createReadStream } from "node:fs";
import { UserError } from "../command.ts";

export interface Line {
  readonly fields: readonly string[];
  /** Where it begins in the file, from 1. */
  readonly number: number;
}

/** `read` is told of the bytes that were read. Empty lines are left out. Throws UserError where a quote is never closed. */
export async function* linesOf(file: string, read: (bytes: number) => void): AsyncGenerator<Line> {
  const parser = new Parser();
  const decoder = new TextDecoder("utf-8", { fatal: true });
  for await (const chunk of createReadStream(file, { highWaterMark: 256 * 1024 })) {
    read((chunk as Buffer).length);
    yield* parser.take(decoded(decoder, file, chunk as Buffer));
  }
  yield* parser.take(decoded(decoder, file));
  yield* parser.end();
}

function decoded(decoder: TextDecoder, file: string, chunk?: Buffer): string {
  try {
    return decoder.decode(chunk, { stream: chunk !== undefined });
  } catch (error) {
    if (error instanceof TypeError) throw new UserError(`${file} is not UTF-8`);
    throw error;
  }
}

class Parser {
  #fields: string[] = [];
  /** What is read of the field so far. */
  #text = "";
  /** Within quotes; or a quote was the last character, and may be doubled. */
  #state: "plain" | "quoted" | "quote" = "plain";
  #line = 1;
  #began = 1;

  *take(text: string): Generator<Line> {
    for (let at = 0; at < text.length; ) {
      const stop = this.#state === "quoted" ? /"/g : /[",\n]/g;
      stop.lastIndex = at;
      const found = stop.exec(text)?.index ?? text.length;
      if (found > at) {
        this.#append(text.slice(at, found));
        at = found;
        continue;
      }
      const line = this.#mark(text[at++]!);
      if (line) yield line;
    }
  }

  *end(): Generator<Line> {
    if (this.#state === "quoted") throw new UserError(`line ${this.#began}: a quote is never closed`);
    if (this.#text !== "" || this.#fields.length > 0) yield* this.#endLine();
  }

  #append(text: string): void {
    if (this.#state === "quote") this.#state = "plain";
    if (this.#state === "quoted") this.#line += text.split("\n").length - 1;
    this.#text += text;
  }

  /** A quote, a comma or the end of a line. */
  #mark(mark: string): Line | undefined {
    if (mark === '"') {
      if (this.#state === "quoted") this.#state = "quote";
      else {
        // A doubled quote is one; a quote begins only a field.
        if (this.#state === "quote" || this.#text !== "") this.#text += '"';
        if (this.#state === "quote" || this.#text === "") this.#state = "quoted";
      }
      return undefined;
    }
    if (mark === ",") {
      this.#endField();
      return undefined;
    }
    return [...this.#endLine()][0];
  }

  #endField(): void {
    this.#fields.push(this.#text);
    this.#text = "";
    this.#state = "plain";
  }

  *#endLine(): Generator<Line> {
    if (this.#state === "plain" && this.#text.endsWith("\r")) this.#text = this.#text.slice(0, -1);
    this.#endField();
    const line = { fields: this.#fields, number: this.#began };
    this.#fields = [];
    this.#began = ++this.#line;
    if (line.fields.length > 1 || line.fields[0] !== "") yield line;
  }
}
