// What a decision was made of: every statement that names the action, and what kept it from applying.
import { applies, type Miss, missOf } from "./applies.ts";
import type { Policy, Statement } from "./document.ts";
import { type Decided, type Question, setsOf } from "./evaluate.ts";
import { child, each, lineAt, scan } from "./json.ts";
import { type PolicyKind, type PolicyText, selection } from "./policy-set.ts";

export interface TraceLine extends Partial<Miss> {
  readonly kind: PolicyKind;
  readonly policy: string;
  /** Whose it is, where its name is no ARN: `group:readers`. */
  readonly owner?: string | undefined;
  /** Its Sid, or its place from 1 on. */
  readonly statement: string;
  readonly effect: "Allow" | "Deny";
  readonly applies: boolean;
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

  decided({ set, statement }: Decided): TraceLine {
    const held = set.policies.find(({ policy }) => policy.statements.includes(statement))!;
    return this.#line(set.kind, { held, statement });
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
    for (const set of setsOf(this.#question)) {
      const { allows, denies } = selection(set, this.#question.action);
      const chosen = new Set([...denies, ...allows].filter(is));
      if (chosen.size === 0) continue;
      for (const held of set.policies)
        for (const statement of held.policy.statements)
          if (chosen.has(statement)) found.push(this.#line(set.kind, { held, statement }));
    }
    return found;
  }

  #line(kind: PolicyKind, { held, statement }: { held: Held; statement: Statement }): TraceLine {
    const lines = this.#lines.get(held) ?? [];
    this.#lines.set(held, lines);
    lines[statement.place] ??= line({ kind, held, statement, miss: missOf(statement, this.#question) });
    return lines[statement.place]!;
  }
}

type Held = PolicyText & { readonly policy: Policy };

interface Parts {
  readonly kind: PolicyKind;
  readonly held: Held;
  readonly statement: Statement;
  readonly miss: Miss | undefined;
}

function line({ kind, held, statement, miss }: Parts): TraceLine {
  const { name, owner, document, policy } = held;
  return {
    kind,
    policy: name,
    owner,
    statement: statement.name,
    effect: statement.effect,
    applies: miss === undefined,
    ...miss,
    get at() {
      return linesOf(policy, document)[statement.place];
    },
    document,
  };
}

const lines = new WeakMap<Policy, readonly number[]>();

function linesOf(policy: Policy, document: string): readonly number[] {
  const known = lines.get(policy);
  if (known) return known;
  const found = each(child(scan(document), "Statement")).map(({ start }) => lineAt(document, start));
  lines.set(policy, found);
  return found;
}
