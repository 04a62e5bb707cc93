// A managed policy that limits what an identity may do, whatever its other policies say.
import type { Access, Arn, Tx } from "../../kernel/mod.ts";
import { errors } from "./errors.ts";
import { policyRow } from "./policies.ts";
import { tagRecord } from "./tags.ts";

/** `PermissionsBoundary` of an answer. AWS says `Policy` here, where its own models have `PermissionsBoundaryPolicy`. */
export const boundaryOf = (arn: Arn | null) =>
  arn === null
    ? {}
    : { PermissionsBoundary: { PermissionsBoundaryType: "Policy" as never, PermissionsBoundaryArn: arn } };

/** Throws ValidationError or NoSuchEntity, unless it is a policy that can be one. */
export async function checkBoundary(tx: Tx, account: string, arn: Arn | undefined): Promise<void> {
  if (arn === undefined) return;
  try {
    await policyRow(tx, account, arn);
  } catch (error) {
    throw (error as { code?: string }).code === "NoSuchEntity" ? errors.noSuchBoundary(arn) : error;
  }
}

/**
 * What is known of a user or role that an operation is about.
 * https://docs.aws.amazon.com/service-authorization/latest/reference/list_awsidentityandaccessmanagementiam.html
 */
export const identityConditions = ({ boundary, tags }: { boundary: Arn | null; tags: string }) => ({
  ...(boundary !== null && { "iam:PermissionsBoundary": boundary }),
  ...Object.fromEntries(Object.entries(tagRecord(tags)).map(([key, value]) => [`iam:ResourceTag/${key}`, value])),
});

/** Whoever may make users and roles may be held to make them with a boundary: iam:PermissionsBoundary. */
export const bounded = (access: Access, arn: Arn | undefined): Access =>
  arn === undefined ? access : { ...access, conditions: { ...access.conditions, "iam:PermissionsBoundary": arn } };
