// IAM's errors, in IAM's words.
import { AwsError } from "../../kernel/mod.ts";
import type { OwnerKind } from "./tables.ts";

const noSuch = (message: string) => new AwsError("NoSuchEntity", 404, message);
const conflict = (message: string) => new AwsError("DeleteConflict", 409, message);
const limit = (message: string) => new AwsError("LimitExceeded", 409, message);
const validation = (message: string) => new AwsError("ValidationError", 400, message);

export const errors = {
  noSuchRole: (name: string) => noSuch(`The role with name ${name} cannot be found.`),
  noSuchUser: (name: string) => noSuch(`The user with name ${name} cannot be found.`),
  noSuchInlinePolicy: (kind: OwnerKind, name: string) =>
    noSuch(`The ${kind} policy with name ${name} cannot be found.`),
  noSuchPolicy: (arn: string) => noSuch(`Policy ${arn} was not found.`),
  noSuchVersion: (arn: string, version: string) =>
    noSuch(`Policy ${arn} version ${version} does not exist or is not attachable.`),
  notAttachable: (arn: string) => noSuch(`Policy ${arn} does not exist or is not attachable.`),
  noSuchAccessKey: (id: string) => noSuch(`The Access Key with id ${id} cannot be found.`),

  exists: (kind: "Role" | "User", name: string) =>
    new AwsError("EntityAlreadyExists", 409, `${kind} with name ${name} already exists.`),
  policyExists: (name: string) =>
    new AwsError(
      "EntityAlreadyExists",
      409,
      `A policy called ${name} already exists. Duplicate names are not allowed.`,
    ),

  detachFirst: () => conflict("Cannot delete entity, must detach all policies first."),
  deletePoliciesFirst: () => conflict("Cannot delete entity, must delete policies first."),
  deleteKeysFirst: () => conflict("Cannot delete entity, must delete access keys first."),
  attached: () => conflict("Cannot delete a policy attached to entities."),
  versionsLeft: () =>
    conflict(
      "This policy has more than one version. Before you delete a policy, you must delete the policy's versions. The default version is deleted with the policy.",
    ),
  defaultVersion: () => conflict("Cannot delete the default version of a policy."),

  quota: (name: string, most: number) => limit(`Cannot exceed quota for ${name}: ${most}`),
  versionQuota: () =>
    limit(
      "A managed policy can have up to 5 versions. Before you create a new version, you must delete an existing version.",
    ),
  inlineSize: (most: number, kind: OwnerKind, name: string) =>
    limit(`Maximum policy size of ${most} bytes exceeded for ${kind} ${name}`),

  malformed: (fault: string) => new AwsError("MalformedPolicyDocument", 400, fault),
  badArn: (arn: string) => validation(`ARN ${arn} is not valid.`),
  unparsableArn: () => validation("Invalid ARN:  Could not be parsed!"),
  badMarker: () => validation("Invalid Marker."),
  userNameNeeded: () => validation("Must specify userName when calling with non-User credentials"),
  repeatedTags: () =>
    new AwsError("InvalidInput", 400, "Duplicate tag keys found. Please note that Tag keys are case insensitive."),
  unmodifiable: () => new AwsError("AccessDenied", 403, "Cannot modify a policy of AWS."),
  /** Ours: a parameter without effect is refused by name. */
  notImplemented: (what: string) => new AwsError("NotImplemented", 501, `aws-like does not implement ${what} yet.`),
};
