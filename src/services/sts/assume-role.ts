// AssumeRole. The role's trust policy, which the door asks, says who may; here is what is asked of it.
// https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRole.html
import {
  type Access,
  defineOperations,
  type Input,
  type Principal,
  parseArn,
  requestTags,
  type SessionFacts,
} from "../../kernel/mod.ts";
import { errors } from "./errors.ts";
import { sessionLimits, sessionTags, type Tags } from "./limits.ts";
import { verifiedMfa } from "./mfa.ts";
import { openRoleSession } from "./role-session.ts";

type Asked = Input<"sts", "AssumeRole">;

export const assumeRole = defineOperations("sts", {
  AssumeRole: {
    async access(ctx, input) {
      checkRoleArn(input.RoleArn!);
      if (ctx.principal.kind === "root") throw errors.rootMayNot();
      if (ctx.principal.kind === "federated") throw errors.sessionMayNot("AssumeRole");
      // A code is good once: whoever is allowed by it has shown it.
      const mfa = await verifiedMfa(ctx, input);
      return demands(input, { inherited: inheritedFrom(ctx.principal), mfa });
    },

    async handle(ctx, input) {
      if (input.ProvidedContexts !== undefined) throw errors.notImplemented("AssumeRole's ProvidedContexts");
      const inherited = inheritedFrom(ctx.principal);
      const own = sessionTags(input);
      const kept = new Set(Object.keys(inherited.tags).map((key) => key.toLowerCase()));
      if (Object.keys(own).some((key) => kept.has(key.toLowerCase()))) throw errors.transitiveConflict();
      const limits = await sessionLimits(ctx, { account: parseArn(input.RoleArn!)!.account, asked: input, tags: own });
      const sourceIdentity = sourceIdentityOf(input, inherited);
      const transitiveTags = [...Object.keys(inherited.tags), ...(input.TransitiveTagKeys ?? [])];
      const session = await openRoleSession(ctx, {
        roleArn: input.RoleArn!,
        name: input.RoleSessionName!,
        seconds: input.DurationSeconds,
        tokenSize: input.MinimumSessionTokenSize,
        chained: ctx.principal.kind === "session",
        limits,
        tags: { ...own, ...inherited.tags },
        facts: {
          ...(input.TokenCode !== undefined && { mfaAt: ctx.now }),
          ...(sourceIdentity !== undefined && { sourceIdentity }),
          ...(transitiveTags.length > 0 && { transitiveTags }),
          ...functionOf(ctx.principal),
        },
      });
      return { ...session, ...(sourceIdentity !== undefined && { SourceIdentity: sourceIdentity }) };
    },
  },
});

export function checkRoleArn(text: string): void {
  const arn = parseArn(text);
  if (!arn?.service || arn.resource === "" || !/^\d{12}$/.test(arn.account)) throw errors.badArn(text);
}

/** What a session hands on to the roles that are assumed with it. */
interface Inherited {
  readonly tags: Tags;
  readonly sourceIdentity?: string | undefined;
}

function inheritedFrom(principal: Principal): Inherited {
  if (principal.kind !== "session") return { tags: {} };
  const transitive = new Set(principal.session?.transitiveTags?.map((key) => key.toLowerCase()));
  const tags = Object.entries(principal.tags ?? {}).filter(([key]) => transitive.has(key.toLowerCase()));
  return { tags: Object.fromEntries(tags), sourceIdentity: principal.session?.sourceIdentity };
}

/** A function's credentials say whose they are, in each request that is made with them. */
const functionOf = (principal: Principal): Pick<SessionFacts, "claims"> =>
  principal.kind === "service" && principal.name === "lambda.amazonaws.com" && principal.sourceArn !== undefined
    ? { claims: { "lambda:SourceFunctionArn": [principal.sourceArn] } }
    : {};

/** Once set it stays, through all that is assumed from there. */
function sourceIdentityOf({ SourceIdentity: asked }: Asked, { sourceIdentity: kept }: Inherited): string | undefined {
  if (asked !== undefined && kept !== undefined && asked !== kept) throw errors.sourceIdentityFixed(kept);
  return kept ?? asked;
}

/** Tags and a source identity must be allowed on their own, also those that the calling session hands on. */
function demands(input: Asked, { inherited, mfa }: { inherited: Inherited; mfa: boolean }): Access[] {
  const { RoleArn, RoleSessionName, ExternalId, Tags = [], TransitiveTagKeys = [] } = input;
  const sourceIdentity = input.SourceIdentity ?? inherited.sourceIdentity;
  const conditions = {
    "sts:RoleSessionName": RoleSessionName!,
    ...(ExternalId !== undefined && { "sts:ExternalId": ExternalId }),
    ...(sourceIdentity !== undefined && { "sts:SourceIdentity": sourceIdentity }),
    ...(TransitiveTagKeys.length > 0 && { "sts:TransitiveTagKeys": TransitiveTagKeys }),
    ...requestTags(Tags),
    ...(mfa && { "aws:MultiFactorAuthPresent": "true", "aws:MultiFactorAuthAge": "0" }),
  };
  const tagged = Tags.length > 0 || Object.keys(inherited.tags).length > 0;
  return [
    "sts:AssumeRole",
    ...(tagged ? ["sts:TagSession"] : []),
    ...(sourceIdentity !== undefined ? ["sts:SetSourceIdentity"] : []),
  ].map((action) => ({ action, resource: RoleArn!, conditions }));
}
