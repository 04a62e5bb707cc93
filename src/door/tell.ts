// What the journal keeps of a decision, for `aws-like why` and `aws-like policy suggest`: who asked for what, and the statements that
// decided. Every request pays for it: an allowed one has the statements that applied, a denied one all that name the action.
import type { Context, Principal, Provider } from "../kernel/context.ts";
import type { Decision, TraceLine } from "../kernel/policy/evaluate.ts";
import type { Access } from "../kernel/service.ts";

/** A principal with hundreds of policies does not fill the journal with one denial. */
const MAX_STATEMENTS = 100;

export interface Told {
  readonly access: Access;
  readonly principal: Principal | Provider;
  readonly decision: Decision;
}

export function tell(ctx: Context, { access, principal, decision }: Told): void {
  const { action, resource } = access;
  const { allowed, by, explicit } = decision;
  const asked = { subject: resource, action, allowed, by, principal: nameOf(principal), ...facts(principal) };
  if (allowed && by === "root") {
    ctx.log.debug(`${action} allowed`, asked); // what root did can be turned into a policy, too
    return;
  }
  const { line } = decision;
  const shown = (allowed ? decision.applying : decision.trace).slice(0, MAX_STATEMENTS);
  ctx.log.debug(`${action} ${allowed ? "allowed" : "denied"}`, {
    ...asked,
    decision: line ? `${line.kind} ${line.policy}, statement ${line.statement}` : `no ${by} allows it`,
    explicit: explicit || undefined,
    statements: shown.map((one) => statement(ctx, one, one === line)),
  });
}

const nameOf = (principal: Principal | Provider): string =>
  "arn" in principal ? principal.arn : principal.kind === "anonymous" ? "anonymous" : principal.name;

/** Whose policies they are, where not the principal's own; and for whom a service acts. */
function facts(principal: Principal | Provider): { holder?: string; source?: string } {
  if (principal.kind === "session") return { holder: principal.roleArn };
  if (principal.kind === "federated") return { holder: principal.user.arn };
  return principal.kind === "service" && principal.sourceArn !== undefined ? { source: principal.sourceArn } : {};
}

function statement(ctx: Context, line: TraceLine, decides: boolean) {
  const { kind, policy, statement, effect, applies, missed, document } = line;
  return {
    kind,
    policy,
    statement,
    effect,
    applies,
    missed,
    decides: decides || undefined,
    text: ctx.log.keep(document),
  };
}
