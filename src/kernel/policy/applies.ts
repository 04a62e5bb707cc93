// Whether one statement applies to a request whose action it names, and if not, what keeps it from it.
import { holds } from "./condition.ts";
import type { Element, Statement } from "./document.ts";
import type { Question } from "./evaluate.ts";
import { matches, type Pattern } from "./pattern.ts";
import { type Grant, grantOf } from "./principal.ts";

/** How it names the caller; undefined where it does not apply. */
export function applies(statement: Statement, question: Question): Grant | undefined {
  const grant = granted(statement, question);
  if (!grant || (statement.resource && !covers(statement.resource, question))) return undefined;
  for (const condition of statement.conditions) if (!holds(condition, question)) return undefined;
  return grant;
}

export interface Miss {
  /** `resource`, `principal`, or the condition as `StringEquals aws:SourceArn`. */
  readonly missed: string;
  /** What the statement has there. */
  readonly wanted: readonly string[];
  /** What the request has; empty: no such key. */
  readonly actual: readonly string[];
}

export function missOf(statement: Statement, question: Question): Miss | undefined {
  const { principal, resource, conditions } = statement;
  const { caller } = question;
  if (principal && !granted(statement, question)) {
    const wanted = principal.any.map(({ type, value }) => `${type}: ${value}`);
    const actual = [caller.arn ?? caller.service ?? caller.federated ?? "anonymous"];
    return { missed: principal.not ? "not principal" : "principal", wanted, actual };
  }
  if (resource && !covers(resource, question)) {
    const wanted = resource.any.map(({ text }) => text);
    return { missed: resource.not ? "not resource" : "resource", wanted, actual: [question.resource] };
  }
  const failed = conditions.find((condition) => !holds(condition, question));
  if (!failed) return undefined;
  const { operator, key, name, values } = failed;
  return { missed: `${operator.text} ${key}`, wanted: values, actual: question.keys.get(name) ?? [] };
}

const granted = (statement: Statement, { caller, boundary }: Question): Grant | undefined =>
  grantOf(statement, { caller, bounded: boundary !== undefined });

/** A variable without a value matches nothing; in a NotResource it makes the statement one that does not apply. */
function covers({ any, not }: Element<Pattern>, question: Question): boolean {
  let unknown = false;
  for (const pattern of any) {
    const found = matches(pattern, question.resource, question);
    if (found) return !not;
    if (found === undefined) unknown = true;
  }
  return not && !unknown;
}
