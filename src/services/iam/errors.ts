// IAM's errors, in IAM's words.
import { AwsError } from "../../kernel/mod.ts";
import type { OwnerKind } from "./tables.ts";

const noSuch = (message: string) => new AwsError("NoSuchEntity", 404, message);
const conflict = (message: string) => new AwsError("DeleteConflict", 409, message);
const taken = (message: string) => new AwsError("EntityAlreadyExists", 409, message);
const malformedCertificate = (message: string) => new AwsError("MalformedCertificate", 400, message);
const limit = (message: string) => new AwsError("LimitExceeded", 409, message);
const validation = (message: string) => new AwsError("ValidationError", 400, message);

export const errors = {
  noSuchRole: (name: string) => noSuch(`The role with name ${name} cannot be found.`),
  noSuchUser: (name: string) => noSuch(`The user with name ${name} cannot be found.`),
  noSuchBoundary: (arn: string) => noSuch(`Scope ARN: ${arn} does not exist or is not attachable.`),
  noSuchInstanceProfile: (name: string) => noSuch(`Instance Profile ${name} cannot be found.`),
  noSuchOidcProvider: (arn: string) => noSuch(`OpenIDConnect Provider not found for arn ${arn}`),
  noSuchSamlProvider: (arn: string) => noSuch(`Manifest not found for arn ${arn}`),
  noSuchTemplate: (service: string) => noSuch(`Cannot find Service Linked Role template for ${service}`),
  noSuchTask: (id: string) => noSuch(`The deletion task with id ${id} cannot be found.`),
  noSuchJob: (id: string) => noSuch(`The job with id ${id} cannot be found.`),
  noSuchArn: (arn: string) => noSuch(`ARN ${arn} was not found.`),
  noSuchGroup: (name: string) => noSuch(`The group with name ${name} cannot be found.`),
  notInGroup: (user: string, group: string) => noSuch(`User ${user} not in group ${group}`),
  noSuchLoginProfile: (user: string) => noSuch(`Login Profile for User ${user} cannot be found.`),
  noSuchPasswordPolicy: (account: string) => noSuch(`The Password Policy with domain name ${account} cannot be found.`),
  noSuchMfaDevice: (serial: string) => noSuch(`VirtualMFADevice with serial number ${serial} doesn't exist.`),
  noMfaDeviceOfUser: (serial: string, user: string) =>
    noSuch(`MFA device with serial number ${serial} doesn't exist for user ${user}.`),
  noSuchSshKey: (id: string) => noSuch(`The SSH Public Key with id ${id} cannot be found.`),
  noSuchCertificate: (id: string) => noSuch(`The Certificate with id ${id} cannot be found.`),
  noSuchServerCertificate: (name: string) => noSuch(`The Server Certificate with name ${name} cannot be found.`),
  noSuchCredentialService: (name: string) =>
    noSuch(`No such service ${name} is supported for Service Specific Credentials`),
  noSuchServiceCredential: (id: string) => noSuch(`No such credential ${id} exists`),
  noSuchAlias: (alias: string) => noSuch(`The account alias ${alias} cannot be found.`),
  noSuchInlinePolicy: (kind: OwnerKind, name: string) =>
    noSuch(`The ${kind} policy with name ${name} cannot be found.`),
  noSuchPolicy: (arn: string) => noSuch(`Policy ${arn} was not found.`),
  noSuchVersion: (arn: string, version: string) =>
    noSuch(`Policy ${arn} version ${version} does not exist or is not attachable.`),
  notAttachable: (arn: string) => noSuch(`Policy ${arn} does not exist or is not attachable.`),
  noSuchAccessKey: (id: string) => noSuch(`The Access Key with id ${id} cannot be found.`),

  exists: (kind: "Role" | "User" | "Group", name: string) =>
    new AwsError("EntityAlreadyExists", 409, `${kind} with name ${name} already exists.`),
  instanceProfileExists: (name: string) =>
    new AwsError("EntityAlreadyExists", 409, `Instance Profile ${name} already exists.`),
  oidcProviderExists: (url: string) =>
    new AwsError("EntityAlreadyExists", 409, `Provider with url ${url} already exists.`),
  samlProviderExists: (name: string) =>
    new AwsError("EntityAlreadyExists", 409, `SAMLProvider with name ${name} already exists.`),
  policyExists: (name: string) =>
    new AwsError(
      "EntityAlreadyExists",
      409,
      `A policy called ${name} already exists. Duplicate names are not allowed.`,
    ),

  loginProfileExists: (user: string) => taken(`Login Profile for user ${user} already exists.`),
  mfaDeviceExists: () => taken("MFADevice entity at the same path and name already exists."),
  mfaDeviceTaken: () => taken("MFA Device is already in use."),
  serverCertificateExists: (name: string) => taken(`The Server Certificate with name ${name} already exists.`),
  aliasTaken: (alias: string) => taken(`The account alias ${alias} already exists.`),

  detachFirst: () => conflict("Cannot delete entity, must detach all policies first."),
  deletePoliciesFirst: () => conflict("Cannot delete entity, must delete policies first."),
  deleteKeysFirst: () => conflict("Cannot delete entity, must delete access keys first."),
  removeRolesFirst: () => conflict("Cannot delete entity, must remove roles from instance profile first."),
  removeUsersFirst: () => conflict("Cannot delete entity, must remove users from group first."),
  deleteLoginProfileFirst: () => conflict("Cannot delete entity, must delete login profile first."),
  deleteMfaDeviceFirst: () => conflict("Cannot delete entity, must delete MFA device first."),
  deleteSigningCertificatesFirst: () => conflict("Cannot delete entity, must delete signing certificates first."),
  removeReferencedFirst: () => conflict("Cannot delete entity, must remove referenced objects first."),
  mfaDeviceInUse: () => conflict("MFA VirtualDevice in use. Must deactivate first."),
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

  passwordViolation: (fault: string) => new AwsError("PasswordPolicyViolation", 400, fault),
  passwordReused: () =>
    new AwsError("PasswordPolicyViolation", 400, "Password does not conform to the account password policy."),
  wrongPassword: () => new AwsError("AccessDenied", 403, "The old password was incorrect."),
  onlyUsersChangePassword: () => new AwsError("InvalidUserType", 400, "Only IAM Users can change their own password"),
  wrongMfaCode: () => new AwsError("InvalidAuthenticationCode", 403, "Authentication code for device is not valid."),

  duplicateSshKey: () =>
    new AwsError("DuplicateSSHPublicKey", 400, "The SSH public key is already associated with the specified IAM user."),
  unknownKeyEncoding: () => new AwsError("UnrecognizedPublicKeyEncoding", 400, "Invalid public key uploaded."),
  badPublicKey: () => new AwsError("InvalidPublicKey", 400, "The specified public key is not valid."),
  malformedCertificate: () =>
    malformedCertificate("Unable to parse certificate. Please ensure the certificate is in PEM format."),
  malformedPrivateKey: () =>
    malformedCertificate("Unable to parse key. Please ensure the private key is in PEM format."),
  malformedChain: () =>
    malformedCertificate(
      "Unable to validate certificate chain. The certificate chain must start with the immediate signing certificate, followed by any intermediaries in order.",
    ),
  keyPairMismatch: () => new AwsError("KeyPairMismatch", 400, "Private key does not match certificate."),
  expiredCertificate: () => new AwsError("InvalidCertificate", 400, "Certificate is not valid at this time."),
  duplicateCertificate: () =>
    new AwsError("DuplicateCertificate", 409, "The certificate is already associated with the user."),

  reportNotPresent: () => new AwsError("ReportNotPresent", 410, "Unknown"),
  reportInProgress: () => new AwsError("ReportInProgress", 404, "Unknown"),
  reportExpired: () => new AwsError("ReportExpired", 410, "Unknown"),

  malformed: (fault: string) => new AwsError("MalformedPolicyDocument", 400, fault),
  badArn: (arn: string) => validation(`ARN ${arn} is not valid.`),
  unparsableArn: () => validation("Invalid ARN:  Could not be parsed!"),
  badStatus: () =>
    validation(
      "1 validation error detected: Value at 'status' failed to satisfy constraint: Member must satisfy enum value set",
    ),
  tooLong: (member: string, most: number) =>
    validation(
      `1 validation error detected: Value at '${member}' failed to satisfy constraint: Member must have length less than or equal to ${most}`,
    ),
  missing: (member: string) =>
    validation(
      `1 validation error detected: Value null at '${member}' failed to satisfy constraint: Member must not be null`,
    ),
  badMarker: () => validation("Invalid Marker."),
  userNameNeeded: () => validation("Must specify userName when calling with non-User credentials"),
  systemTag: () => new AwsError("InvalidInput", 400, "aws: prefixed tag key names are not allowed for external use."),
  repeatedTags: () =>
    new AwsError("InvalidInput", 400, "Duplicate tag keys found. Please note that Tag keys are case insensitive."),
  /** A service-linked role is its service's. */
  protectedRole: (name: string) =>
    new AwsError(
      "UnmodifiableEntity",
      400,
      `Cannot perform the operation on the protected role '${name}' - this role is only modifiable by AWS`,
    ),
  serviceRolePolicy: () =>
    new AwsError("PolicyNotAttachable", 400, "Cannot attach a Service Role Policy to a Customer Role."),
  invalid: (message: string) => new AwsError("InvalidInput", 400, message),
  validation,
  unmodifiable: () => new AwsError("AccessDenied", 403, "Cannot modify a policy of AWS."),
  /** Ours: a parameter without effect is refused by name. */
  notImplemented: (what: string) => new AwsError("NotImplemented", 501, `aws-like does not implement ${what} yet.`),
};
