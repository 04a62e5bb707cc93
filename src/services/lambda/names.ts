// The forms that a FunctionName takes, and the ARNs made of it.
import type { Arn, Context } from "../../kernel/mod.ts";
import { errors } from "./errors.ts";

/** `qualifier`: a version, an alias or `$LATEST`, where the caller said one. */
export interface FunctionRef {
  readonly account: string;
  readonly region: string;
  readonly name: string;
  readonly qualifier?: string;
}

/** Where a row lives: every table's key starts so. */
export type Place = Pick<FunctionRef, "account" | "region">;

// name | name:qualifier | account:function:name | function:name | region:account:function:name | the whole ARN. As the model's pattern has it.
const FORM =
  /^(?:arn:aws[a-zA-Z-]*:lambda:)?(?:([a-z]{2}(?:-gov|-iso[a-z]?)?-[a-z]+-\d):)?(?:(\d{12}):)?(?:function:)?([a-zA-Z0-9-_.]+)(?::(\$LATEST(?:\.PUBLISHED)?|[a-zA-Z0-9-_]+))?$/;

/** Reads a FunctionName without judging whether it is reachable: for access rules and for ARNs of work. undefined where it has no form. */
export function parseFunctionName(text: string, place: Place): FunctionRef | undefined {
  const match = FORM.exec(text);
  if (!match) return undefined;
  const [, region = place.region, account = place.account, name, qualifier] = match;
  return { account, region, name: name!, ...(qualifier !== undefined && { qualifier }) };
}

/**
 * The function that a request names. AWS's order: form, qualifier against qualifier, region. Which account may is the door's to decide.
 * The answer's `qualifier` is the one of the name or of the parameter.
 */
export function resolveName(ctx: Context, functionName: string, qualifier?: string): FunctionRef {
  const ref = parseFunctionName(functionName, ctx);
  if (!ref)
    throw errors.validation(
      functionName,
      "functionName",
      `Member must satisfy regular expression pattern: ${FORM.source}`,
    );
  if (ref.qualifier !== undefined && qualifier !== undefined && ref.qualifier !== qualifier)
    throw errors.qualifierMismatch();
  if (ref.region !== ctx.region) throw errors.otherRegion(ref.region, ctx.region);
  return qualifier === undefined ? ref : { ...ref, qualifier };
}

/** `arn:aws:lambda:us-east-1:000000000000:function:name`, with `:qualifier` where the ref has one. */
export const functionArn = (ref: FunctionRef): Arn =>
  `arn:aws:lambda:${ref.region}:${ref.account}:function:${ref.name}${ref.qualifier === undefined ? "" : `:${ref.qualifier}`}`;

/** The resource of an access rule: what cannot be parsed is named as it stands, and fails later with its own words. */
export const resourceOf = (ctx: Context, functionName: string | undefined, qualifier?: string): Arn => {
  const ref = parseFunctionName(functionName ?? "", ctx);
  if (!ref) return `arn:aws:lambda:${ctx.region}:${ctx.account}:function:${functionName}`;
  return functionArn(qualifier === undefined ? ref : { ...ref, qualifier });
};
