// Secrets at rest: AES-256-GCM with the workspace's key, `.aws-like/store.key`. Whoever has the database but not that file has no secrets.
// Several nodes of one database share the file, or are given the same key (AWS_LIKE_STORE_KEY, 64 hexadecimal digits).
import { createCipheriv, createDecipheriv, randomBytes } from "node:crypto";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";

const PREFIX = "sealed1:";
const NONCE = 12;
const TAG = 16;

export class Seal {
  readonly #file: string;
  #key: Buffer | undefined;

  /** `key` is 64 hexadecimal digits; without it the file is read, or made, when it is first needed. */
  constructor(dir: string, key?: string) {
    this.#file = join(dir, ".aws-like", "store.key");
    this.#key = key === undefined ? undefined : Buffer.from(key, "hex");
  }

  seal(text: string, about: string): string {
    const nonce = randomBytes(NONCE);
    const cipher = createCipheriv("aes-256-gcm", this.#whole(), nonce).setAAD(Buffer.from(about));
    const sealed = Buffer.concat([cipher.update(text, "utf8"), cipher.final()]);
    return PREFIX + Buffer.concat([nonce, cipher.getAuthTag(), sealed]).toString("base64url");
  }

  unseal(sealed: string, about: string): string | undefined {
    const text = sealed.slice(PREFIX.length);
    const bytes = Buffer.from(text, "base64url");
    // One form only: the decoder passes over what is no digit, and over the last one's spare bits.
    if (!sealed.startsWith(PREFIX) || bytes.length < NONCE + TAG || bytes.toString("base64url") !== text)
      return undefined;
    const decipher = createDecipheriv("aes-256-gcm", this.#whole(), bytes.subarray(0, NONCE)).setAAD(
      Buffer.from(about),
    );
    decipher.setAuthTag(bytes.subarray(NONCE, NONCE + TAG));
    try {
      return decipher.update(bytes.subarray(NONCE + TAG), undefined, "utf8") + decipher.final("utf8");
    } catch {
      // Of another key, about something else, or changed: it says nothing.
      return undefined;
    }
  }

  #whole(): Buffer {
    this.#key ??= readOrMake(this.#file);
    return this.#key;
  }
}

/** Whoever makes it first has made it: other processes read that one. */
function readOrMake(file: string): Buffer {
  mkdirSync(dirname(file), { recursive: true });
  try {
    writeFileSync(file, `${randomBytes(32).toString("hex")}\n`, { flag: "wx", mode: 0o600 });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error;
  }
  const key = Buffer.from(readFileSync(file, "utf8").trim(), "hex");
  if (key.length !== 32) throw new Error(`${file} is no key of 64 hexadecimal digits`);
  return key;
}
