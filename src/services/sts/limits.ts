// What a new session is limited by and marked with: session policies and session tags, and how much room AWS gives them.
import { deflateRawSync } from "node:zlib";
import { type Arn, type Context, identityPolicyFault } from "../../kernel/mod.ts";
import { errors } from "./errors.ts";
import { managedPolicy } from "./sessions.ts";

export type Tags = Readonly<Record<string, string>>;

const ARNS_LIMIT = 10;
/** Characters of a session policy, as written. */
const POLICY_LIMIT = 2048;
/**
 * AWS packs session policies, the ARNs of managed ones and tags, and says how full that is. How it packs is not told: with DEFLATE and so many bytes
 * the example of its documents comes out (8 %).
 */
const PACKED_LIMIT = 2048;

interface Asked {
  readonly Policy?: string | undefined;
  readonly PolicyArns?: readonly { readonly arn?: string | undefined }[] | undefined;
}

/** `packed` in percent: 0 where nothing was asked for. */
export async function sessionLimits(
  ctx: Context,
  { account, asked, tags }: { account: string; asked: Asked; tags: Tags },
): Promise<{ policies: string[]; policyArns: Arn[]; packed: number }> {
  const { Policy, PolicyArns = [] } = asked;
  if (PolicyArns.length > ARNS_LIMIT) throw errors.tooManyArns();
  const policyArns = PolicyArns.map(({ arn }) => arn ?? "");
  if (`${Policy ?? ""}${policyArns.join("")}`.length > POLICY_LIMIT) throw errors.policyTooLong();
  const fault = Policy === undefined ? undefined : identityPolicyFault(Policy);
  if (fault) throw errors.malformed(fault);
  const marks = Object.entries(tags).map(([key, value]) => `${key}${value}`);
  const text = [Policy ?? "", ...policyArns, ...marks].join("");
  const packed = text === "" ? 0 : Math.ceil((deflateRawSync(text).length / PACKED_LIMIT) * 100);
  if (packed > 100) throw errors.packedTooLarge(packed);
  for (const arn of policyArns) if ((await managedPolicy(ctx, account, arn)) === undefined) throw errors.badArn(arn);
  return { policies: Policy === undefined ? [] : [Policy], policyArns, packed };
}

interface Tagged {
  readonly Tags?: readonly { readonly Key?: string | undefined; readonly Value?: string | undefined }[] | undefined;
  readonly TransitiveTagKeys?: readonly string[] | undefined;
}

/** Keys differ by more than their case; those that a role assumed from the session keeps are among them. */
export function sessionTags({ Tags = [], TransitiveTagKeys = [] }: Tagged): Tags {
  const keys = Tags.map(({ Key }) => Key!.toLowerCase());
  if (new Set(keys).size < keys.length) throw errors.repeatedTags();
  const reserved = keys.find((key) => key.startsWith("aws:"));
  if (reserved !== undefined) throw errors.tagReserved(reserved);
  if (TransitiveTagKeys.some((key) => !keys.includes(key.toLowerCase()))) throw errors.transitiveUnknown();
  return Object.fromEntries(Tags.map(({ Key, Value }) => [Key!, Value ?? ""]));
}
