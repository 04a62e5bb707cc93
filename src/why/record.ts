// The lines of the journal that decisions leave (door/tell.ts, door/door.ts), read back.
import type { Entry } from "../kernel/journal.ts";
import type { SmallStatement } from "../kernel/policy/missing.ts";
import type { PolicyKind } from "../kernel/policy/policy-set.ts";

/** One demand: who asked for what, and the statements that decided. */
export interface Asked {
  readonly at: number;
  readonly id: string;
  readonly action: string;
  readonly resource: string;
  readonly allowed: boolean;
  /** The kind of policy that decided; `root`. */
  readonly by: string;
  /** A statement said Deny. */
  readonly explicit: boolean;
  /** An ARN, the name of a service or of an identity provider, or `anonymous`. */
  readonly principal: string;
  /** Whose policies they are, where that is not the principal: its role, its user. */
  readonly holder?: string;
  readonly statements: readonly Looked[];
  /** All policies that were asked, of a denial: also those that do not name the action. */
  readonly policies: readonly { readonly kind: PolicyKind; readonly policies: readonly string[] }[];
  /** What would have to change: all of it. */
  readonly missing: readonly Missing[];
}

/** Of the policy engine's Remedy. */
export type Missing =
  | {
      readonly change: "add";
      readonly where: PolicyKind;
      /** Of service control policies, from the organization's root (0) on. */
      readonly level?: number;
      /** The policies of a limit, none of which allows it. */
      readonly among?: readonly string[];
      readonly statement: SmallStatement;
    }
  | { readonly change: "except"; readonly where: PolicyKind; readonly policy: string; readonly statement: string };

/** A statement that names the action. */
export interface Looked {
  readonly kind: string;
  readonly policy: string;
  /** Its Sid, or its place from 1 on. */
  readonly statement: string;
  readonly effect: "Allow" | "Deny";
  readonly applies: boolean;
  readonly missed?: string;
  /** What the statement has there, and what the request has. */
  readonly wanted?: readonly string[];
  readonly actual?: readonly string[];
  readonly decides?: boolean;
  /** Name of the policy's text in logs/policies. */
  readonly text: string;
}

/** undefined: the line is about something else. */
export function askedOf({ at, id, fields }: Entry): Asked | undefined {
  if (typeof fields?.action !== "string" || typeof fields.allowed !== "boolean") return undefined;
  const { action, subject, allowed, by, explicit, principal, holder, statements, asked, missing } = fields;
  return {
    at,
    id,
    action,
    resource: String(subject),
    allowed,
    by: String(by),
    explicit: explicit === true,
    principal: String(principal),
    ...(typeof holder === "string" && { holder }),
    statements: (statements as Looked[] | undefined) ?? [],
    policies: (asked as Asked["policies"] | undefined) ?? [],
    missing: (missing as Missing[] | undefined) ?? [],
  };
}

/** The end of a request: what was asked and how it was answered. */
export interface Answered {
  readonly at: number;
  readonly id: string;
  readonly service: string;
  readonly operation: string;
  readonly status?: number;
  readonly code?: string;
  readonly message?: string;
  /** Absent where nobody was authenticated. */
  readonly principal?: string;
  readonly key?: string;
  /** yyyymmdd/region/service, of a request that was not authenticated. */
  readonly scope?: string;
  /** When it says it was signed. */
  readonly dated?: string;
  /** It came with a session token. */
  readonly token?: boolean;
}

export function answeredOf({ at, id, from, text, fields }: Entry): Answered | undefined {
  if (typeof fields?.tookMs !== "number" || (fields.status === undefined && fields.internal !== true)) return undefined;
  return { ...(fields as Partial<Answered>), at, id, service: from, operation: text.split(" ")[0]! };
}

/** The door refused to know who asks. */
export const wasRefused = ({ principal, code }: Answered): boolean => principal === undefined && code !== undefined;
