// AWS's own managed policies, as AWS publishes them: aws-managed.json, written by tools/managed-policies.ts, in the version that was the default then.
// A policy that is not in it is not there: NoSuchEntity. It is read at first use; a document is parsed by whoever asks for it.
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import type { Arn } from "../../kernel/mod.ts";

export interface AwsManaged {
  readonly arn: Arn;
  readonly name: string;
  readonly path: string;
  readonly id: string;
  readonly version: string;
  readonly created_ms: number;
  /** When AWS made this version. */
  readonly updated_ms: number;
  /** JSON. */
  readonly document: string;
}

let read: ReadonlyMap<Arn, AwsManaged> | undefined;

/** All of them, in the order of their ARNs. */
export function awsManaged(): ReadonlyMap<Arn, AwsManaged> {
  read ??= new Map(lines().map((line) => [line.arn, line]));
  return read;
}

export const awsDocument = (arn: Arn): string | undefined =>
  arn.startsWith("arn:aws:iam::aws:") ? awsManaged().get(arn)?.document : undefined;

// 3 MB, of which a workspace needs a handful: a line is taken apart, not parsed.
const LINE = /^"(arn:aws:iam::aws:policy(\/(?:.*\/)?)([^"/]+))":\["(v\d+)","([^"]+)","([^"]+)",(\{.*\})\],?$/;

function lines(): AwsManaged[] {
  const text = readFileSync(new URL("aws-managed.json", import.meta.url), "utf8");
  return text.split("\n").flatMap((line) => {
    const found = LINE.exec(line);
    if (!found) return [];
    const [, arn, path, name, version, created, updated, document] = found as unknown as string[];
    return {
      arn: arn!,
      name: name!,
      path: path!,
      id: idOf(arn!),
      version: version!,
      created_ms: Date.parse(created!),
      updated_ms: Date.parse(updated!),
      document: document!,
    };
  });
}

const DIGITS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";

/** AWS's own ids are not gathered; these are stable, and tell apart. */
function idOf(arn: Arn): string {
  const bytes = createHash("sha256").update(arn).digest().subarray(0, 17);
  return `ANPA${[...bytes].map((byte) => DIGITS[byte % DIGITS.length]).join("")}`;
}
