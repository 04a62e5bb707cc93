// Organizations' errors, in its words.
import { AwsError } from "../../kernel/mod.ts";

const error = (code: string, message: string, reason?: string) =>
  new AwsError(`${code}Exception`, 400, message, reason === undefined ? {} : { Reason: reason });
const constraint = (reason: string, message: string) => error("ConstraintViolation", message, reason);
const notFound = (what: string, message: string) =>
  error(`${what}NotFound`, `You specified ${message} that doesn't exist.`);

export const errors = {
  notInUse: () => error("AWSOrganizationsNotInUse", "Your account is not a member of an organization."),
  alreadyIn: () => error("AlreadyInOrganization", "The AWS account is already a member of an organization."),
  notManagement: () => error("AccessDenied", "You don't have permissions to access this resource."),
  notEmpty: () =>
    error(
      "OrganizationNotEmpty",
      "To delete an organization you must first remove all member accounts (except the master).",
    ),
  managementStays: () =>
    error(
      "MasterCannotLeaveOrganization",
      "You can't remove the management account from an organization. If you want the management account to become a member account in another organization, you must first delete the current organization of the management account.",
    ),

  concurrent: () =>
    error(
      "ConcurrentModification",
      "AWS Organizations can't complete your request because it conflicts with another attempt to modify the same entity. Try again later.",
    ),

  noAccount: () => notFound("Account", "an account"),
  noRequest: () => notFound("CreateAccountStatus", "a create account request"),
  noUnit: () => notFound("OrganizationalUnit", "an organizational unit"),
  noParent: () => notFound("Parent", "a parent"),
  noChild: () => notFound("Child", "a child"),
  noSourceParent: () => notFound("SourceParent", "a source parent"),
  noDestination: () => notFound("DestinationParent", "a destination"),
  noRoot: () => notFound("Root", "a root"),
  noPolicy: () => notFound("Policy", "a policy"),
  noTarget: () => notFound("Target", "a target"),
  noHandshake: () => notFound("Handshake", "a handshake"),

  unitExists: () => error("DuplicateOrganizationalUnit", "An OU with the same name already exists."),
  unitNotEmpty: () => error("OrganizationalUnitNotEmpty", "You can't delete an organizational unit that isn't empty."),
  accountThere: () => error("DuplicateAccount", "The specified account is already in the specified destination."),
  alreadyClosed: () => error("AccountAlreadyClosed", "You attempted to close an account that is already closed."),
  policyExists: () => error("DuplicatePolicy", "A policy with the same name already exists."),
  attached: () =>
    error("DuplicatePolicyAttachment", "The selected policy is already attached to the specified target."),
  notAttached: () => error("PolicyNotAttached", "The policy isn't attached to the specified target."),
  inUse: () => error("PolicyInUse", "You can't delete a policy that is attached to an entity."),
  malformed: () =>
    error(
      "MalformedPolicyDocument",
      "The provided policy document does not meet the requirements of the specified policy type.",
    ),
  typeEnabled: () => error("PolicyTypeAlreadyEnabled", "The specified policy type is already enabled."),
  typeNotEnabled: () => error("PolicyTypeNotEnabled", "This operation can be performed only for enabled policy types."),
  typeNotAvailable: () =>
    error(
      "PolicyTypeNotAvailableForOrganization",
      "This operation can be performed only for policy types that are available for the organization.",
    ),
  handshakeExists: () => error("DuplicateHandshake", "A handshake with the same action and target already exists."),
  handshakeState: () => error("HandshakeAlreadyInState", "The specified handshake is already in the requested state."),
  handshakeOver: () =>
    error("InvalidHandshakeTransition", "You can't perform the operation on the handshake in its current state."),
  handshakeMember: () =>
    error(
      "HandshakeConstraintViolation",
      "The handshake request is invalid because the invited account is already a member of an organization.",
      "ALREADY_IN_AN_ORGANIZATION",
    ),

  invalid: (reason: string, message: string) => error("InvalidInput", message, reason),
  badToken: () => error("InvalidInput", "You specified an invalid next token.", "INVALID_NEXT_TOKEN"),
  awsPolicy: () =>
    error("InvalidInput", "You specified a policy that is managed by AWS and can't be modified.", "IMMUTABLE_POLICY"),
  repeatedTags: () =>
    error("InvalidInput", "Tag keys must be unique among the tags attached to the same entity.", "DUPLICATE_TAG_KEY"),
  systemTags: () =>
    error(
      "InvalidInput",
      "You specified a tag key that is a system tag. System tags are reserved for AWS use.",
      "INVALID_SYSTEM_TAGS_PARAMETER",
    ),
  roleName: () =>
    error("InvalidInput", "A role name can't begin with the reserved prefix AWSServiceRoleFor.", "INVALID_ROLE_NAME"),

  accountLimit: () =>
    constraint("ACCOUNT_NUMBER_LIMIT_EXCEEDED", "You have exceeded the allowed number of AWS accounts."),
  unitLimit: () =>
    constraint("OU_NUMBER_LIMIT_EXCEEDED", "You have exceeded the allowed number of organizational units."),
  depthLimit: () =>
    constraint("OU_DEPTH_LIMIT_EXCEEDED", "You have exceeded the maximum depth of the organizational unit tree."),
  policyLimit: () => constraint("POLICY_NUMBER_LIMIT_EXCEEDED", "You have exceeded the allowed number of policies."),
  policySize: () => constraint("POLICY_CONTENT_LIMIT_EXCEEDED", "You have exceeded the maximum policy size."),
  attachmentLimit: () =>
    constraint(
      "MAX_POLICY_TYPE_ATTACHMENT_LIMIT_EXCEEDED",
      "You have attached the maximum number of policies to the specified target.",
    ),
  lastAttachment: () =>
    constraint(
      "MIN_POLICY_TYPE_ATTACHMENT_LIMIT_EXCEEDED",
      "You cannot remove the last policy attached to the specified target.",
    ),
  tagLimit: () =>
    constraint("MAX_TAG_LIMIT_EXCEEDED", "You have exceeded the number of tags allowed on this resource."),
  waitPeriod: () =>
    constraint(
      "WAIT_PERIOD_ACTIVE",
      "After you create an AWS account, you must wait until at least four days after the account was created.",
    ),
  closesManagement: () =>
    constraint("CANNOT_CLOSE_MANAGEMENT_ACCOUNT", "You attempted to close the management account."),
  notAllFeatures: () =>
    constraint(
      "ORGANIZATION_NOT_IN_ALL_FEATURES_MODE",
      "This operation requires all features to be enabled in the organization.",
    ),

  /** Ours: what we do not do is refused by name. */
  notImplemented: (what: string) => new AwsError("NotImplemented", 501, `aws-like does not implement ${what} yet.`),
} as const;
