// IP addresses and blocks of them. What AWS does, as its open-source Event Ruler says: a block begins at the address that is written, not at its
// first (10.0.0.5/24 is .5 to .255), and a mask of a whole address is refused.
import { isIPv4, isIPv6 } from "node:net";
import { PatternFault } from "./fault.ts";

/** Whether an address lies in the block `text`. Throws a PatternFault in AWS's words, which name no place here. */
export function parseCidr(text: string): (address: string) => boolean {
  const [address, mask, ...more] = text.split("/");
  if (mask === undefined || mask === "" || more.length > 0) throw new PatternFault("Malformed CIDR, one '/' required");
  if (!/^[+-]?\d+$/.test(mask)) throw new PatternFault("Malformed CIDR, mask bits must be an integer");
  const bits = Number(mask);
  if (bits < 0) throw new PatternFault("Malformed CIDR, mask bits must not be negative");
  const first = parseAddress(address!);
  if (!first) throw new PatternFault(`Nonstandard IP address: ${address}`);
  if (bits >= first.bits) throw new PatternFault(`IPv${first.bits === 32 ? 4 : 6} mask bits must be < ${first.bits}`);
  const last = first.value | ((1n << BigInt(first.bits - bits)) - 1n);
  return (candidate) => {
    const found = parseAddress(candidate);
    return found?.bits === first.bits && found.value >= first.value && found.value <= last;
  };
}

interface Address {
  readonly bits: 32 | 128;
  readonly value: bigint;
}

function parseAddress(text: string): Address | undefined {
  if (isIPv4(text)) return { bits: 32, value: joined(text.split(".").map(Number), 8n) };
  // No zone, and no IPv4 in its end: AWS takes hexadecimal digits and colons alone.
  if (!isIPv6(text) || !/^[0-9a-fA-F:]+$/.test(text)) return undefined;
  const [head, tail] = text.split("::").map((half) => (half === "" ? [] : half.split(":")));
  const groups = tail ? [...head!, ...Array<string>(8 - head!.length - tail.length).fill("0"), ...tail] : head!;
  return {
    bits: 128,
    value: joined(
      groups.map((group) => Number.parseInt(group, 16)),
      16n,
    ),
  };
}

const joined = (parts: readonly number[], bits: bigint): bigint =>
  parts.reduce((all, part) => (all << bits) | BigInt(part), 0n);
