// AssumeRole. The role's trust policy, which the door asks, says who may; here is what a session is made of.
import {
  type Access,
  type Arn,
  type Context,
  defineOperations,
  type Input,
  identityPolicyFault,
  type Principal,
  parseArn,
} from "../../kernel/mod.ts";
import { errors } from "./errors.ts";
import { openSession } from "./sessions.ts";

type Asked = Input<"sts", "AssumeRole">;

const HOUR_S = 3600;
/** Characters of the session policy, the managed policies' ARNs and the tags together: AWS packs them, and says how full it is. */
const PACKED_LIMIT = 2048;
const ARNS_LIMIT = 10;
const REFUSED = ["SerialNumber", "TokenCode", "SourceIdentity", "ProvidedContexts"] as const;

export const assumeRole = defineOperations("sts", {
  AssumeRole: {
    access(ctx, input) {
      const arn = parseArn(input.RoleArn!);
      if (!arn?.service || arn.resource === "" || !/^\d{12}$/.test(arn.account)) throw errors.badArn(input.RoleArn!);
      if (ctx.principal.kind === "root") throw errors.rootMayNot();
      return accesses(input);
    },

    async handle(ctx, input) {
      for (const name of REFUSED) if (input[name] !== undefined) throw errors.notImplemented(`AssumeRole's ${name}`);
      const { RoleArn, RoleSessionName, DurationSeconds = HOUR_S } = input;
      const tags = checkedTags(input);
      const arn = parseArn(RoleArn!)!;
      const { policies, packed } = await sessionPolicies(ctx, arn.account, input);
      const role = await roleOf(ctx, arn.account, RoleArn!);
      if (ctx.principal.kind === "session" && DurationSeconds > HOUR_S) throw errors.chainedTooLong();
      if (DurationSeconds > role.longestS) throw errors.tooLong();
      const session: Principal = {
        kind: "session",
        account: arn.account,
        arn: `arn:aws:sts::${arn.account}:assumed-role/${role.name}/${RoleSessionName}`,
        id: `${role.id}:${RoleSessionName}`,
        roleArn: RoleArn!,
        ...(policies.length > 0 && { policies }),
        tags: { ...role.tags, ...tags },
      };
      const Credentials = await openSession(ctx, session, DurationSeconds);
      return {
        Credentials,
        AssumedRoleUser: { AssumedRoleId: session.id, Arn: session.arn },
        ...(packed > 0 && { PackedPolicySize: packed }),
      };
    },
  },
});

/** Tags must be allowed on their own: sts:TagSession. */
function accesses(input: Asked): Access[] {
  const { RoleArn, RoleSessionName, ExternalId, Tags = [] } = input;
  const tags = Tags.map(({ Key, Value }): [string, string] => [`aws:RequestTag/${Key}`, Value ?? ""]);
  const conditions = {
    "sts:RoleSessionName": RoleSessionName!,
    ...(ExternalId !== undefined && { "sts:ExternalId": ExternalId }),
    ...(Tags.length > 0 && { ...Object.fromEntries(tags), "aws:TagKeys": Tags.map(({ Key }) => Key!) }),
  };
  const assume = { action: "sts:AssumeRole", resource: RoleArn!, conditions };
  return Tags.length > 0 ? [assume, { ...assume, action: "sts:TagSession" }] : [assume];
}

function checkedTags({ Tags = [], TransitiveTagKeys = [] }: Asked): Record<string, string> {
  const keys = Tags.map(({ Key }) => Key!.toLowerCase());
  if (new Set(keys).size < keys.length) throw errors.repeatedTags();
  if (TransitiveTagKeys.some((key) => !keys.includes(key.toLowerCase()))) throw errors.transitiveUnknown();
  if (TransitiveTagKeys.length > 0) throw errors.notImplemented("AssumeRole's TransitiveTagKeys");
  return Object.fromEntries(Tags.map(({ Key, Value }) => [Key!, Value ?? ""]));
}

/** What the session may do at most: `Policy`, and the documents of `PolicyArns`, of the role's account, as they are now. */
async function sessionPolicies(ctx: Context, account: string, { Policy, PolicyArns = [], Tags = [] }: Asked) {
  if (PolicyArns.length > ARNS_LIMIT) throw errors.tooManyArns();
  const fault = Policy === undefined ? undefined : identityPolicyFault(Policy);
  if (fault) throw errors.malformed(fault);
  const texts = [
    Policy ?? "",
    ...PolicyArns.map(({ arn }) => arn ?? ""),
    ...Tags.map((tag) => `${tag.Key}${tag.Value}`),
  ];
  const packed = Math.ceil((texts.join("").length / PACKED_LIMIT) * 100);
  if (packed > 100) throw errors.packedTooLarge(packed);
  const policies = Policy === undefined ? [] : [Policy];
  for (const { arn } of PolicyArns) policies.push(await managedPolicy(ctx, account, arn!));
  return { policies, packed };
}

const asSts = (account: string): Principal => ({ kind: "service", name: "sts.amazonaws.com", account });

async function managedPolicy(ctx: Context, account: string, PolicyArn: Arn): Promise<string> {
  const as = asSts(account);
  const { Policy } = await ctx.call("iam", "GetPolicy", { PolicyArn }, as);
  const VersionId = Policy!.DefaultVersionId!;
  const { PolicyVersion } = await ctx.call("iam", "GetPolicyVersion", { PolicyArn, VersionId }, as);
  return decodeURIComponent(PolicyVersion!.Document!);
}

/** The door has found the role's trust policy: that there is a role is known. */
async function roleOf(ctx: Context, account: string, arn: Arn) {
  const RoleName = arn.slice(arn.lastIndexOf("/") + 1);
  const { Role } = await ctx.call("iam", "GetRole", { RoleName }, asSts(account));
  const { RoleId, MaxSessionDuration, Tags = [] } = Role!;
  return {
    name: Role!.RoleName!,
    id: RoleId!,
    longestS: MaxSessionDuration ?? HOUR_S,
    tags: Object.fromEntries(Tags.map(({ Key, Value }) => [Key!, Value ?? ""])),
  };
}
