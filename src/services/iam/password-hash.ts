// Passwords as they lie in the store: scrypt (RFC 7914) with a salt of their own. Nobody reads one back.
import { randomBytes, scrypt, timingSafeEqual } from "node:crypto";
import { promisify } from "node:util";

const derive = promisify(scrypt) as (password: string, salt: Buffer, length: number) => Promise<Buffer>;
const LENGTH = 32;

export async function hashOf(password: string): Promise<string> {
  const salt = randomBytes(16);
  return `${salt.toString("base64url")}.${(await derive(password, salt, LENGTH)).toString("base64url")}`;
}

export async function matches(password: string, hash: string): Promise<boolean> {
  const [salt, derived] = hash.split(".").map((part) => Buffer.from(part, "base64url"));
  return timingSafeEqual(await derive(password, salt!, LENGTH), derived!);
}
