// Who one is, whose a key is, and temporary credentials of one's own.
import {
  type Access,
  accountOfAccessKey,
  type Context,
  defineOperations,
  type Input,
  type Principal,
  requestTags,
} from "../../kernel/mod.ts";
import { errors } from "./errors.ts";
import { sessionLimits, sessionTags } from "./limits.ts";
import { verifiedMfa } from "./mfa.ts";
import { openSession } from "./sessions.ts";

const HALF_A_DAY_S = 43_200;
const ROOT_LONGEST_S = 3600;

export const callers = defineOperations("sts", {
  GetCallerIdentity: {
    // No permission is needed, and none can deny it.
    access: () => [],
    async handle({ principal }) {
      if (principal.kind === "anonymous" || principal.kind === "service") throw new Error("no such caller comes here");
      return { UserId: principal.id, Account: principal.account, Arn: principal.arn };
    },
  },

  GetSessionToken: {
    access: () => [],
    async handle(ctx, input) {
      const principal = longTerm(ctx, "GetSessionToken");
      const mfa = await verifiedMfa(ctx, input);
      return openSession(ctx, {
        principal: { ...principal, session: { issuedAt: ctx.now, ...(mfa && { mfaAt: ctx.now }) } },
        seconds: secondsOf(principal, input.DurationSeconds),
        tokenSize: input.MinimumSessionTokenSize,
      });
    },
  },

  GetFederationToken: {
    access: (ctx, input) => federationDemands(ctx, input),
    async handle(ctx, input) {
      const user = longTerm(ctx, "GetFederationToken");
      const { account } = user;
      const tags = sessionTags(input);
      const limits = await sessionLimits(ctx, { account, asked: input, tags });
      const federated: Principal = {
        kind: "federated",
        account,
        arn: federatedArn(account, input.Name!),
        id: `${account}:${input.Name}`,
        user: { arn: user.arn, id: user.id },
        policies: limits.policies,
        ...(Object.keys(tags).length > 0 && { tags }),
        session: { issuedAt: ctx.now },
      };
      return {
        ...openSession(ctx, {
          principal: federated,
          policyArns: limits.policyArns,
          seconds: secondsOf(user, input.DurationSeconds),
          tokenSize: input.MinimumSessionTokenSize,
        }),
        FederatedUser: { FederatedUserId: federated.id, Arn: federated.arn },
        PackedPolicySize: limits.packed,
      };
    },
  },

  GetAccessKeyInfo: {
    access: () => ({ action: "sts:GetAccessKeyInfo", resource: "*" }),
    async handle({ principal }, { AccessKeyId }) {
      if (isOfSessionToken(principal)) throw errors.sessionMayNot("GetAccessKeyInfo");
      const Account = accountOfAccessKey(AccessKeyId!);
      if (Account === undefined) throw errors.noSuchKey();
      return { Account };
    },
  },
});

const federatedArn = (account: string, name: string): string => `arn:aws:sts::${account}:federated-user/${name}`;

/** Credentials of GetSessionToken and GetFederationToken are good for AssumeRole (the former only) and GetCallerIdentity, of all that is here. */
const isOfSessionToken = (principal: Principal): boolean =>
  principal.kind === "federated" ||
  ((principal.kind === "user" || principal.kind === "root") && principal.session !== undefined);

/** Credentials that end give none of one's own. */
function longTerm({ principal }: Context, operation: string): Principal & { kind: "user" | "root" } {
  if (principal.kind === "session" || isOfSessionToken(principal)) throw errors.sessionMayNot(operation);
  if (principal.kind !== "user" && principal.kind !== "root") throw new Error("no such caller comes here");
  return principal;
}

/** A root user's are over in an hour, whatever it asks for. */
const secondsOf = ({ kind }: Principal, asked = HALF_A_DAY_S): number =>
  kind === "root" ? Math.min(asked, ROOT_LONGEST_S) : asked;

function federationDemands(ctx: Context, input: Input<"sts", "GetFederationToken">): Access[] {
  if (ctx.principal.kind === "anonymous") return [];
  const { account } = longTerm(ctx, "GetFederationToken");
  const { Name, Tags = [] } = input;
  const conditions = requestTags(Tags);
  const actions = ["sts:GetFederationToken", ...(Tags.length > 0 ? ["sts:TagSession"] : [])];
  return actions.map((action) => ({ action, resource: federatedArn(account, Name!), conditions }));
}
