// What an authenticator app shows, from a device's seed: RFC 6238 in the test's own words.
import { createHmac } from "node:crypto";

/** Two codes that enable a device, and leave those of now and later unused. */
export const enablingCodes = (seed: Uint8Array): { AuthenticationCode1: string; AuthenticationCode2: string } => ({
  AuthenticationCode1: codeOf(seed, -2),
  AuthenticationCode2: codeOf(seed, -1),
});

/** The code `steps` of 30 s from now. */
export function codeOf(seed: Uint8Array, steps = 0): string {
  const bits = [...Buffer.from(seed).toString()]
    .map((digit) => BASE32.indexOf(digit).toString(2).padStart(5, "0"))
    .join("");
  const key = Buffer.from(bits.match(/.{8}/g)!.map((byte) => Number.parseInt(byte, 2)));
  const counter = Math.floor(Date.now() / 30_000) + steps;
  const mac = createHmac("sha1", key).update(counter.toString(16).padStart(16, "0"), "hex").digest("hex");
  const at = Number.parseInt(mac.at(-1)!, 16) * 2;
  const number = Number.parseInt(mac.slice(at, at + 8), 16) % 2 ** 31;
  return String(number % 10 ** 6).padStart(6, "0");
}

const BASE32 = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
