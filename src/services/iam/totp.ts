// Time-based one-time passwords (RFC 6238): six digits of HMAC-SHA1 over the 30-second step. Steps are of real time, as the device counts them.
import { createHmac } from "node:crypto";

export const STEP_MS = 30_000;

/** `seed` in Base32 (RFC 4648), without padding. */
export function codeAt(seed: string, step: number): string {
  const counter = Buffer.alloc(8);
  counter.writeBigUInt64BE(BigInt(step));
  const mac = createHmac("sha1", fromBase32(seed)).update(counter).digest();
  const offset = mac.at(-1)! & 0xf;
  return String((mac.readUInt32BE(offset) & 0x7fffffff) % 1_000_000).padStart(6, "0");
}

/** The step in [from, to] that shows `codes`, one after the other; the last one's number. */
export function stepOf(
  seed: string,
  codes: readonly string[],
  { from, to }: { from: number; to: number },
): number | undefined {
  for (let last = from; last <= to; last++)
    if (codes.every((code, at) => codeAt(seed, last - (codes.length - 1 - at)) === code)) return last;
  return undefined;
}

function fromBase32(text: string): Buffer {
  const bytes: number[] = [];
  let [bits, held] = [0, 0];
  for (const digit of text) {
    bits = ((bits << 5) | DIGITS.indexOf(digit)) & 0xfff;
    held += 5;
    if (held < 8) continue;
    held -= 8;
    bytes.push((bits >> held) & 0xff);
  }
  return Buffer.from(bytes);
}

const DIGITS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
