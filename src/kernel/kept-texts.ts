// Texts that lines of the journal speak of, each written once: a policy as it was when it was asked, whatever becomes of it later.
import { hash } from "node:crypto";
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, utimesSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { realNow } from "./clock.ts";

/** Twelve hexadecimal digits tell apart what one workspace will ever hold. */
const NAME_DIGITS = 12;
/** Texts whose names are remembered: no decision hashes a policy twice. */
const REMEMBERED_LIMIT = 2_000;

export class KeptTexts {
  readonly #dir: string;
  readonly #names = new Map<string, string>();
  readonly #known = new Set<string>();

  constructor(dir: string) {
    this.#dir = dir;
  }

  /** The name under which `text` is kept: the first digits of its SHA-256. The file is `<name>.json`. */
  keep(text: string): string {
    const remembered = this.#names.get(text);
    if (remembered !== undefined) return remembered;
    const name = hash("sha256", text).slice(0, NAME_DIGITS);
    if (this.#names.size >= REMEMBERED_LIMIT) this.#names.delete(this.#names.keys().next().value!);
    this.#names.set(text, name);
    if (!this.#known.has(name)) this.#write(name, text);
    return name;
  }

  /** As it lies in the file; undefined where it is gone. */
  read(name: string): string | undefined {
    if (!/^[0-9a-f]+$/.test(name)) return undefined;
    try {
      return readFileSync(this.#path(name), "utf8");
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "ENOENT") throw error;
      return undefined; // someone tidied up
    }
  }

  /** Forgets what no line since `ms` (real time) speaks of; what is spoken of again is written, or touched, again. */
  forgetBefore(ms: number): void {
    this.#names.clear();
    this.#known.clear();
    for (const file of existsSync(this.#dir) ? readdirSync(this.#dir) : []) {
      const path = join(this.#dir, file);
      if (statSync(path).mtimeMs < ms) rmSync(path);
    }
  }

  /** A workspace that cannot be written (a full disk) loses the text, not the request. */
  #write(name: string, text: string): void {
    try {
      mkdirSync(this.#dir, { recursive: true });
      writeFileSync(this.#path(name), readable(text), { flag: "wx" });
      this.#known.add(name);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === "EEXIST") this.#touch(name);
      else process.stderr.write(`journal: ${(error as Error).message}\n`);
    }
  }

  #touch(name: string): void {
    const now = new Date(realNow());
    utimesSync(this.#path(name), now, now);
    this.#known.add(name);
  }

  #path(name: string): string {
    return join(this.#dir, `${name}.json`);
  }
}

/** What was put in one line is laid out, so that a line number says something; all else stays as it was put. */
function readable(text: string): string {
  if (text.trim().includes("\n")) return text;
  try {
    return `${JSON.stringify(JSON.parse(text), null, 2)}\n`;
  } catch {
    return text; // no JSON: the decision says so
  }
}
