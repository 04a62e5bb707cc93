// Whether a policy is public, as AWS defines it: it gives something to everyone, and no condition holds that to fixed values.
// https://docs.aws.amazon.com/AmazonS3/latest/userguide/access-control-block-public-access.html#access-control-block-public-access-policy-status
import { defineOperations } from "../../kernel/mod.ts";
import { onBucket } from "./access.ts";
import { type grantsIn, isPublicGrant } from "./acl-grammar.ts";
import { bucketOf } from "./buckets.ts";
import { errors } from "./errors.ts";
import { usesAcls } from "./ownership.ts";
import type { BucketRow } from "./tables.ts";

export const policyStatus = defineOperations("s3", {
  GetBucketPolicyStatus: {
    access: (_, input) => onBucket("GetBucketPolicyStatus", input),
    async handle(ctx, input) {
      const bucket = await bucketOf(ctx, input);
      const byAcl = usesAcls(bucket) && hasPublicAcl(bucket);
      if (bucket.policy === null && !byAcl) throw errors.noSuchBucketPolicy(bucket.name);
      return { PolicyStatus: { IsPublic: byAcl || isPublicPolicy(bucket.policy!) } };
    },
  },
});

const hasPublicAcl = ({ acl }: BucketRow): boolean =>
  acl !== null && (JSON.parse(acl) as ReturnType<typeof grantsIn>).some(isPublicGrant);

// Each request to a restricted bucket asks.
const known = new Map<string, boolean>();
const MAX_KNOWN = 1000;

export function isPublicPolicy(text: string): boolean {
  const found = known.get(text);
  if (found !== undefined) return found;
  const { Statement } = JSON.parse(text) as { Statement: Statement | Statement[] };
  const is = [Statement].flat().some(isPublicStatement);
  if (known.size >= MAX_KNOWN) known.clear();
  known.set(text, is);
  return is;
}

interface Statement {
  readonly Effect: string;
  readonly Principal?: "*" | Readonly<Record<string, string | readonly string[]>>;
  readonly Condition?: Readonly<Record<string, Readonly<Record<string, unknown>>>>;
}

function isPublicStatement({ Effect, Principal, Condition = {} }: Statement): boolean {
  if (Effect !== "Allow" || !isEveryone(Principal)) return false;
  return !Object.entries(Condition).some(([operator, keys]) =>
    Object.entries(keys).some(([key, values]) => isFixed(operator, key, [values].flat().map(String))),
  );
}

const isEveryone = (principal: Statement["Principal"]): boolean =>
  principal === "*" || Object.values(principal ?? {}).some((value) => [value].flat().some((one) => one === "*"));

/** Keys that say who or from where; their values must have neither wildcards nor variables. */
const FIXING = new Set(
  "aws:PrincipalArn aws:PrincipalAccount aws:PrincipalOrgID aws:PrincipalOrgPaths aws:SourceArn aws:SourceVpc aws:SourceVpce aws:SourceOwner aws:SourceAccount aws:SourceOrgID aws:userid s3:DataAccessPointArn s3:DataAccessPointAccount s3:x-amz-server-side-encryption-aws-kms-key-id"
    .toLowerCase()
    .split(" "),
);
const OPERATORS = /^(ForAnyValue:)?(String(Equals|EqualsIgnoreCase|Like)|Arn(Equals|Like))$/i;

function isFixed(operator: string, name: string, values: readonly string[]): boolean {
  const key = name.toLowerCase();
  if (key === "aws:sourceip") return /^IpAddress$/i.test(operator) && values.every(isNarrow);
  if (!OPERATORS.test(operator) || !FIXING.has(key)) return false;
  return values.every((value) => !/[*?]|\$\{/.test(value) || isRolesSession(key, value) || isAccessPoint(key, value));
}

/** Broader than a /8 of IPv4, or a /32 of IPv6, is everyone (AWS: "a very broad IP range"). */
function isNarrow(range: string): boolean {
  const [address = "", bits] = range.split("/");
  return bits === undefined || Number(bits) >= (address.includes(":") ? 32 : 8);
}

/** `AROAEXAMPLEID:*` is one role. */
const isRolesSession = (key: string, value: string): boolean => key === "aws:userid" && /^[^*?$]+:\*$/.test(value);

/** Any access point of a fixed account. */
const isAccessPoint = (key: string, value: string): boolean =>
  key === "s3:dataaccesspointarn" && /^arn:aws[\w-]*:s3:[^:]*:\d{12}:accesspoint\/.*$/.test(value);
