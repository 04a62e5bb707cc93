// Which services a policy grants anything of: whatever its resources and conditions say, and without regard to Deny, as AWS's reports have it.
import { readFileSync } from "node:fs";

let read: ReadonlyMap<string, string> | undefined;

/** Namespaces of AWS's services, and their names: `s3` is `Amazon S3`. */
export function awsServices(): ReadonlyMap<string, string> {
  const text = () => readFileSync(new URL("aws-services.json", import.meta.url), "utf8");
  read ??= new Map(Object.entries(JSON.parse(text()) as Record<string, string>));
  return read;
}

export function grants(document: string, namespace: string): boolean {
  const { Statement } = JSON.parse(document) as { Statement: Allowing | readonly Allowing[] };
  return list(Statement).some(({ Effect, Action, NotAction }) => {
    if (Effect !== "Allow") return false;
    return Action === undefined
      ? !list(NotAction).some((pattern) => isAllOf(pattern, namespace))
      : list(Action).some((pattern) => names(pattern, namespace));
  });
}

interface Allowing {
  readonly Effect: string;
  readonly Action?: string | readonly string[];
  readonly NotAction?: string | readonly string[];
}

const list = <T>(value: T | readonly T[] | undefined): readonly T[] =>
  value === undefined ? [] : Array.isArray(value) ? (value as readonly T[]) : [value as T];

/** The pattern reaches into the namespace: only `*` reaches over the colon. */
function names(pattern: string, namespace: string): boolean {
  const [vendor = "", ...rest] = pattern.toLowerCase().split(":");
  if (rest.length === 0) return vendor === "*";
  if (!/[*?]/.test(vendor)) return vendor === namespace;
  const escaped = vendor
    .replace(/[.+^${}()|[\]\\]/g, "\\$&")
    .replaceAll("*", ".*")
    .replaceAll("?", ".");
  return new RegExp(`^${escaped}$`).test(namespace);
}

const isAllOf = (pattern: string, namespace: string): boolean =>
  pattern === "*" || (pattern.endsWith(":*") && names(pattern, namespace));
