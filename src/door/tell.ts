// What the journal keeps of a decision, for `aws-like why` and `aws-like policy suggest`: who asked for what, and the statements that
// decided. Every request pays for it: an allowed one has the statements that applied, a denied one all that name the action. What is said of an
// allowed one is made once for as long as it is decided in the same way.
import type { Context, Principal, Provider } from "../kernel/context.ts";
import { parseArn } from "../kernel/names.ts";
import { type Decision, type Question, setsOf, type TraceLine } from "../kernel/policy/evaluate.ts";
import { type Remedy, smallestPolicy } from "../kernel/policy/missing.ts";
import type { Access } from "../kernel/service.ts";
import type { Ruling, Said } from "./rulings.ts";

/** A principal with hundreds of policies does not fill the journal with one denial. */
const MAX_STATEMENTS = 100;
/** Of what a statement wants and a request has: a list of a thousand ARNs says no more. */
const MAX_VALUES = 10;

export interface Told {
  readonly access: Access;
  readonly principal: Principal | Provider;
  readonly ruling: Ruling;
}

export function tell(ctx: Context, { access: { action }, principal, ruling }: Told): void {
  const { decision } = ruling;
  if (decision.allowed) {
    if (ruling.said) for (const document of ruling.said.documents) ctx.log.keep(document);
    else ruling.said = saidOf(ctx, { principal, decision });
    ctx.log.record(`${action} allowed`, ruling.said.json);
    return;
  }
  ctx.log.debug(`${action} denied`, {
    ...asked(principal, decision),
    ...deciding(ctx, decision, decision.trace),
    asked: askedOf(decision),
    missing: missing(principal, decision),
  });
}

/** What root did can be turned into a policy, too. */
function saidOf(ctx: Context, { principal, decision }: { principal: Principal | Provider; decision: Decision }): Said {
  const lines = decision.by === "root" ? [] : decision.applying;
  const fields = { ...asked(principal, decision), ...(decision.by !== "root" && deciding(ctx, decision, lines)) };
  return { json: JSON.stringify(fields), documents: new Set(lines.map(({ document }) => document)) };
}

const asked = (principal: Principal | Provider, { question: { action, resource }, allowed, by }: Decision) => ({
  subject: resource,
  action,
  allowed,
  by,
  principal: nameOf(principal),
  ...facts(principal),
});

const deciding = (ctx: Context, { line, by, explicit }: Decision, lines: readonly TraceLine[]) => ({
  decision: line ? `${line.kind} ${nameIn(line)}, statement ${line.statement}` : `no ${by} allows it`,
  explicit: explicit || undefined,
  statements: lines.slice(0, MAX_STATEMENTS).map((one) => statement(ctx, one, one === line)),
});

const nameOf = (principal: Principal | Provider): string =>
  "arn" in principal ? principal.arn : principal.kind === "anonymous" ? "anonymous" : principal.name;

/** Whose policies they are, where not the principal's own. */
function facts(principal: Principal | Provider): { holder?: string } {
  if (principal.kind === "session") return { holder: principal.roleArn };
  return principal.kind === "federated" ? { holder: principal.user.arn } : {};
}

function statement(ctx: Context, line: TraceLine, decides: boolean) {
  const { kind, statement, effect, applies, missed, wanted, actual, document } = line;
  const miss = applies ? {} : { missed, wanted: wanted?.slice(0, MAX_VALUES), actual: actual?.slice(0, MAX_VALUES) };
  return {
    kind,
    policy: nameIn(line),
    statement,
    effect,
    applies,
    ...miss,
    decides: decides || undefined,
    text: ctx.log.keep(document),
  };
}

/** The policies that were asked, also those that do not name the action at all. */
const askedOf = ({ question }: Decision) =>
  setsOf(question).map(({ kind, policies }) => ({
    kind,
    policies: policies.slice(0, MAX_STATEMENTS).map(({ name, owner }) => nameIn({ policy: name, owner })),
  }));

/** For which resource a service asks is said also where no policy wants to know: the permission it lacks should be for that one only. */
function missing(principal: Principal | Provider, decision: Decision) {
  const { question } = decision;
  const keys = new Map(question.keys);
  if (principal.kind === "service" && principal.sourceArn !== undefined) {
    keys.set("aws:sourcearn", [principal.sourceArn]);
    keys.set("aws:sourceaccount", [parseArn(principal.sourceArn)?.account || principal.account]);
  }
  return smallestPolicy({ ...question, keys }, decision).map((remedy) => brief(remedy, question));
}

/** The statement that denies is among those shown: its text is not told twice. Of a limit, the policies that should have allowed are named. */
function brief(remedy: Remedy, { boundary, controls }: Question) {
  if (remedy.change === "except") {
    const { change, where, line } = remedy;
    return { change, where, policy: nameIn(line), statement: line.statement };
  }
  const limit = remedy.where === "permissions boundary" ? boundary : controls?.[remedy.level ?? -1];
  return { ...remedy, among: limit?.policies.map(({ name }) => name) };
}

/** What is not the principal's own: it and its groups may each have a policy `read`. */
const nameIn = ({ policy, owner }: Pick<TraceLine, "policy" | "owner">): string =>
  owner?.startsWith("group:") ? `${policy} of ${owner.replace(":", " ")}` : policy;
