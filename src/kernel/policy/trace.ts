// What a decision was made of: every statement that names the action, and what kept it from applying.
import { applies, type Miss, missOf } from "./applies.ts";
import type { Policy, Selected, Statement } from "./document.ts";
import { type Decided, type Question, setsOf } from "./evaluate.ts";
import { child, each, lineAt, scan } from "./json.ts";
import { type PolicyKind, type PolicySet, selection } from "./policy-set.ts";

export interface TraceLine {
  readonly kind: PolicyKind;
  readonly policy: string;
  /** Whose it is, where its name is no ARN: `group:readers`. */
  readonly owner?: string | undefined;
  /** Its Sid, or its place from 1 on. */
  readonly statement: string;
  readonly effect: "Allow" | "Deny";
  readonly applies: boolean;
  /** What kept it from it: see Miss. */
  readonly missed?: string | undefined;
  readonly wanted?: readonly string[] | undefined;
  readonly actual?: readonly string[] | undefined;
  /** The line on which the statement begins in the policy's text, from 1 on. Worked out when it is looked at; undefined in what is no JSON. */
  readonly at: number | undefined;
  /** The policy's text, for whoever shows it. */
  readonly document: string;
}

/** The lines of one decision: each is made when it is asked for, and once. */
export class Trace {
  readonly #question: Question;
  readonly #lines = new Map<Held, TraceLine[]>();

  constructor(question: Question) {
    this.#question = question;
  }

  decided({ set, selected }: Decided): TraceLine {
    return this.#line(set, selected);
  }

  /** An Allow that names the caller's account only does apply: it lets the account decide. */
  applying(): TraceLine[] {
    return this.#select((statement) => applies(statement, this.#question) !== undefined);
  }

  all(): TraceLine[] {
    return this.#select(() => true);
  }

  #select(is: (statement: Statement) => boolean): TraceLine[] {
    const found: TraceLine[] = [];
    for (const set of setsOf(this.#question))
      for (const selected of selection(set, this.#question.action).all)
        if (is(selected.statement)) found.push(this.#line(set, selected));
    return found;
  }

  #line({ kind, policies }: PolicySet, { statement, of }: Selected): TraceLine {
    const held = policies[of]!;
    const lines = this.#lines.get(held) ?? [];
    this.#lines.set(held, lines);
    lines[statement.place] ??= new Line({ kind, held, statement, miss: missOf(statement, this.#question) });
    return lines[statement.place]!;
  }
}

type Held = PolicySet["policies"][number];

interface Parts {
  readonly kind: PolicyKind;
  readonly held: Held;
  readonly statement: Statement;
  readonly miss: Miss | undefined;
}

class Line implements TraceLine {
  readonly kind: PolicyKind;
  readonly policy: string;
  readonly owner: string | undefined;
  readonly statement: string;
  readonly effect: "Allow" | "Deny";
  readonly applies: boolean;
  readonly missed: string | undefined;
  readonly wanted: readonly string[] | undefined;
  readonly actual: readonly string[] | undefined;
  readonly document: string;
  readonly #read: Policy;
  readonly #place: number;

  constructor({ kind, held, statement, miss }: Parts) {
    this.kind = kind;
    this.policy = held.name;
    this.owner = held.owner;
    this.statement = statement.name;
    this.effect = statement.effect;
    this.applies = miss === undefined;
    this.missed = miss?.missed;
    this.wanted = miss?.wanted;
    this.actual = miss?.actual;
    this.document = held.document;
    this.#read = held.policy;
    this.#place = statement.place;
  }

  get at(): number | undefined {
    return linesOf(this.#read, this.document)[this.#place];
  }
}

const lines = new WeakMap<Policy, readonly number[]>();

function linesOf(policy: Policy, document: string): readonly number[] {
  const known = lines.get(policy);
  if (known) return known;
  const found = each(child(scan(document), "Statement")).map(({ start }) => lineAt(document, start));
  lines.set(policy, found);
  return found;
}
