// What `aws-like why` knows of one call: who asked, what each policy said, what decided, and what would have allowed it.
import type { Entry } from "../kernel/journal.ts";
import type { KeptTexts } from "../kernel/kept-texts.ts";
import { unknownCaller } from "./authentication.ts";
import { lineOf } from "./lines.ts";
import { inWords } from "./names.ts";
import { type Answered, type Asked, answeredOf, askedOf, type Looked, wasRefused } from "./record.ts";
import { type Remedy, remediesOf } from "./remedy.ts";

export interface Explanation {
  readonly id: string;
  /** ms since the epoch, on the clock. */
  readonly at: number;
  /** `s3 GetObject` */
  readonly call: string;
  /** `ok`, `AccessDenied 403` */
  readonly outcome: string;
  /** In words; with the ARN and the access key where there are. */
  readonly who: string;
  readonly principal?: string;
  readonly key?: string;
  readonly decisions: readonly Explained[];
  /** What else there is to say: why the caller is unknown, why nothing was decided. */
  readonly notes: readonly string[];
  /** As we made it of a request whose signature does not match. */
  readonly canonicalRequest?: string;
}

export interface Explained extends Pick<Asked, "action" | "resource" | "allowed" | "policies"> {
  /** One sentence. */
  readonly because: string;
  readonly statements: readonly Seen[];
  /** All of them are needed. */
  readonly remedies: readonly Remedy[];
}

export interface Seen extends Omit<Looked, "text"> {
  /** logs/policies/NAME.json:LINE, in the workspace: the policy as it was when it was asked. */
  readonly where?: string;
}

/** undefined: nothing was asked under this id. `entries` are those of the chain. */
export function explain(id: string, entries: readonly Entry[], texts: KeptTexts): Explanation | undefined {
  const own = entries.filter((entry) => entry.id === id);
  const asked = own.map(askedOf).filter((one) => one !== undefined);
  const answered = own.map(answeredOf).find((one) => one !== undefined);
  const at = (answered ?? asked[0])?.at;
  if (at === undefined) return undefined;
  const principal = answered?.principal ?? asked[0]?.principal;
  const canonicalRequest = own.find(({ fields }) => fields?.canonicalRequest !== undefined)?.fields?.canonicalRequest;
  return {
    id,
    at,
    call: answered ? `${answered.service} ${answered.operation}` : own[0]!.from,
    outcome: answered ? outcomeOf(answered) : "not answered yet",
    who: principal === undefined ? "unknown" : inWords(principal),
    ...(principal !== undefined && { principal }),
    ...(answered?.key !== undefined && { key: answered.key }),
    decisions: asked.map((one) => explained(one, texts)),
    notes: [...notesOf(answered, { asked, own }), ...chaosOf(own)],
    ...(typeof canonicalRequest === "string" && { canonicalRequest }),
  };
}

/** Ids of `entries` that were denied, or whose caller was not known, in order. */
export const deniedIds = (entries: readonly Entry[]): string[] => [
  ...new Set(entries.filter(wasDenied).map(({ id }) => id)),
];

export function wasDenied(entry: Entry): boolean {
  const answered = answeredOf(entry);
  return (
    askedOf(entry)?.allowed === false || (answered !== undefined && wasRefused(answered) && isAuthentication(answered))
  );
}

/** What nobody signed in time has these statuses; an operation that does not exist has others. */
const isAuthentication = ({ status, key, message }: Answered): boolean =>
  status === 403 ||
  status === 401 ||
  (status === 400 && (key !== undefined || /Authentication Token/.test(message ?? "")));

const outcomeOf = ({ code, status }: Answered): string =>
  code === undefined ? "ok" : [code, status].filter((part) => part !== undefined).join(" ");

function explained(asked: Asked, texts: KeptTexts): Explained {
  const { action, resource, allowed, statements, policies } = asked;
  return {
    action,
    resource,
    allowed,
    because: becauseOf(asked),
    policies,
    statements: statements.map((one) => seen(one, texts)),
    remedies: remediesOf(asked),
  };
}

function seen({ text: name, ...looked }: Looked, texts: KeptTexts): Seen {
  const text = texts.read(name);
  const line = text === undefined ? undefined : lineOf(text, looked.statement);
  return { ...looked, ...(line !== undefined && { where: `logs/policies/${name}.json:${line}` }) };
}

function becauseOf({ allowed, by, explicit, statements }: Asked): string {
  if (allowed && by === "root")
    return "root of the account needs no policy; only a service control policy of its organization could bind it";
  const decisive = statements.find(({ decides }) => decides);
  if (decisive)
    return `${decisive.kind} ${decisive.policy}, statement ${decisive.statement}, ${allowed ? "allows" : "denies"} it`;
  return explicit ? `a ${by} denies it` : `no ${by} allows it`;
}

/** What a user turned on to go wrong did go wrong. */
const chaosOf = (own: readonly Entry[]): string[] =>
  own.map(({ text }) => text).filter((text) => text.startsWith("chaos: "));

function notesOf(answered: Answered | undefined, { asked, own }: { asked: readonly Asked[]; own: readonly Entry[] }) {
  if (!answered) return [];
  const unknown = unknownCaller(answered, own);
  if (unknown.length > 0 || asked.length > 0) return unknown;
  if (answered.code === undefined) return ["it needs no permission: whoever is authenticated may"];
  return [`it was refused before any permission was asked for: ${answered.message}`];
}
