// The condition keys of a simulation: what the caller gave, and what is known without.
import { type Context, contextKeysOf, type Input, type Question, type TraceLine } from "../../kernel/mod.ts";
import { errors } from "./errors.ts";
import { textOf } from "./positions.ts";
import type { Entity } from "./sources.ts";
import { tagRecord } from "./tags.ts";

type Entries = NonNullable<Input<"iam", "SimulateCustomPolicy">["ContextEntries"]>;

/** https://docs.aws.amazon.com/IAM/latest/APIReference/API_ContextEntry.html */
const VALUES: Readonly<Record<string, RegExp>> = {
  string: /^/,
  numeric: /^-?\d+(\.\d+)?$/,
  boolean: /^(true|false)$/i,
  ip: /^[0-9a-fA-F.:]+(\/\d+)?$/,
  binary: /^[A-Za-z0-9+/=]*$/,
  date: /^(\d{4}-\d\d-\d\d(T[\d:.]+(Z|[+-]\d\d:?\d\d)?)?|\d+)$/,
};

/** Throws InvalidInput of an entry whose values are not of its type. */
export function contextOf(
  ctx: Context,
  { caller, account, entries }: { caller: Entity | undefined; account: string; entries: Entries },
): Question["keys"] {
  const keys = new Map<string, readonly string[]>();
  for (const [name, value] of known(ctx, { caller, account })) keys.set(name.toLowerCase(), [value]);
  for (const { ContextKeyName, ContextKeyValues = [], ContextKeyType = "string" } of entries) {
    const name = ContextKeyName ?? "";
    const list = ContextKeyType.endsWith("List");
    const form = VALUES[list ? ContextKeyType.slice(0, -4) : ContextKeyType]!;
    const bad = ContextKeyValues.find((value) => !form.test(value));
    if (bad !== undefined)
      throw errors.invalid(`Invalid Context Entry ${name}: ${bad} is not of type ${ContextKeyType}`);
    if (!list && ContextKeyValues.length > 1)
      throw errors.invalid(`Invalid Context Entry ${name}: type ${ContextKeyType} has one value`);
    keys.set(name.toLowerCase(), ContextKeyValues);
  }
  return keys;
}

function known(
  { now }: Context,
  { caller, account }: { caller: Entity | undefined; account: string },
): (readonly [string, string])[] {
  const clock = [
    ["aws:CurrentTime", new Date(now).toISOString()],
    ["aws:EpochTime", String(Math.floor(now / 1000))],
  ] as const;
  if (!caller) return [...clock];
  const { kind, arn, id, name, tags } = caller;
  return [
    ...clock,
    ["aws:PrincipalArn", arn],
    ["aws:PrincipalAccount", account],
    ["aws:PrincipalType", kind === "role" ? "AssumedRole" : "User"],
    ["aws:userid", id],
    ...(kind === "user" ? ([["aws:username", name]] as const) : []),
    ...Object.entries(tagRecord(tags ?? "[]")).map(([key, value]) => [`aws:PrincipalTag/${key}`, value] as const),
  ];
}

/** Keys that the statements which name the action ask for, and nobody gave. */
export function missingOf(
  lines: readonly TraceLine[],
  { texts, keys }: { texts: ReadonlyMap<string, string>; keys: Question["keys"] },
): string[] {
  const statements = lines
    .filter(({ missed }) => missed !== "resource" && missed !== "principal")
    .map(({ policy, statement }) => policyOf(texts.get(policy) ?? "{}", statement));
  return contextKeysOf(statements).filter((key) => !keys.has(key.toLowerCase()));
}

/** The statement as a policy of its own. */
const policyOf = (document: string, statement: string): string => {
  const version = (JSON.parse(document) as { Version?: string }).Version ?? "2008-10-17";
  return `{"Version":${JSON.stringify(version)},"Statement":[${textOf(document, statement)}]}`;
};
