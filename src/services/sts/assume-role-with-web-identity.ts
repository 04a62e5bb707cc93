// AssumeRoleWithWebIdentity: unsigned; who asks is whom a token of an identity provider names, and the role's trust policy decides about him.
// https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRoleWithWebIdentity.html
import {
  type Access,
  AwsError,
  type Clock,
  type Conditions,
  type Context,
  defineOperations,
  type Input,
  parseArn,
  requestTags,
} from "../../kernel/mod.ts";
import { checkRoleArn } from "./assume-role.ts";
import { errors } from "./errors.ts";
import { sessionLimits, sessionTags } from "./limits.ts";
import { openRoleSession } from "./role-session.ts";
import { asSts } from "./sessions.ts";
import { Issuers, type Provider, verifyWebIdentity, type WebIdentity } from "./web-identity.ts";

type Asked = Input<"sts", "AssumeRoleWithWebIdentity">;

// What the demand was made of is what the session is made of: a token is verified once.
const verified = new WeakMap<Asked, WebIdentity>();

export const assumeRoleWithWebIdentity = defineOperations("sts", {
  AssumeRoleWithWebIdentity: {
    async access(ctx, input) {
      checkRoleArn(input.RoleArn!);
      if (input.ProviderId !== undefined) throw errors.notImplemented("AssumeRoleWithWebIdentity's ProviderId");
      const { account } = parseArn(input.RoleArn!)!;
      const identity = await verifyWebIdentity(input.WebIdentityToken!, {
        issuers: issuersOf(ctx),
        providerOf: (host) => readProvider(ctx, account, host),
      });
      verified.set(input, identity);
      return demands(input, identity);
    },

    async handle(ctx, input) {
      const { provider, subject, audience, claims, sourceIdentity, ...identity } = verified.get(input)!;
      const Tags = Object.entries(identity.tags).map(([Key, Value]) => ({ Key, Value }));
      const tags = sessionTags({ Tags, TransitiveTagKeys: identity.transitiveTags });
      const limits = await sessionLimits(ctx, { account: parseArn(input.RoleArn!)!.account, asked: input, tags });
      const session = await openRoleSession(ctx, {
        roleArn: input.RoleArn!,
        name: input.RoleSessionName!,
        seconds: input.DurationSeconds,
        tokenSize: input.MinimumSessionTokenSize,
        chained: false,
        limits,
        tags,
        facts: {
          provider,
          claims,
          ...(sourceIdentity !== undefined && { sourceIdentity }),
          ...(identity.transitiveTags.length > 0 && { transitiveTags: identity.transitiveTags }),
        },
      });
      return {
        ...session,
        Provider: provider,
        Audience: audience,
        SubjectFromWebIdentityToken: subject,
        ...(sourceIdentity !== undefined && { SourceIdentity: sourceIdentity }),
      };
    },
  },
});

function demands(input: Asked, { provider, claims, tags, transitiveTags, sourceIdentity }: WebIdentity): Access[] {
  const conditions: Conditions = {
    ...claims,
    "aws:FederatedProvider": provider,
    "sts:RoleSessionName": input.RoleSessionName!,
    ...(sourceIdentity !== undefined && { "sts:SourceIdentity": sourceIdentity }),
    ...(transitiveTags.length > 0 && { "sts:TransitiveTagKeys": transitiveTags }),
    ...requestTags(tags),
  };
  return [
    "sts:AssumeRoleWithWebIdentity",
    ...(Object.keys(tags).length > 0 ? ["sts:TagSession"] : []),
    ...(sourceIdentity !== undefined ? ["sts:SetSourceIdentity"] : []),
  ].map((action) => ({ action, resource: input.RoleArn!, conditions, of: { kind: "provider", name: provider } }));
}

const known = new WeakMap<Clock, Issuers>();

/** Keys are remembered for one cloud: another may have other issuers at the same address. */
function issuersOf({ clock }: Context): Issuers {
  const issuers = known.get(clock) ?? new Issuers();
  known.set(clock, issuers);
  return issuers;
}

async function readProvider(ctx: Context, account: string, host: string): Promise<Provider | undefined> {
  const arn = `arn:aws:iam::${account}:oidc-provider/${host}`;
  const input = { OpenIDConnectProviderArn: arn };
  try {
    const { ClientIDList } = await ctx.call("iam", "GetOpenIDConnectProvider", input, asSts(account));
    return { arn, clientIds: ClientIDList ?? [] };
  } catch (error) {
    // Not there, or nothing that could be the ARN of one.
    if (error instanceof AwsError && error.status < 500) return undefined;
    throw error;
  }
}
