import { errors } from "./errors.ts";

// IAM is global: its keys begin with the account and know no region. Names are kept as written and compared without case (`*_key`).
export const migrations = [
  `
  CREATE TABLE iam_role (
    account TEXT NOT NULL, role_key TEXT NOT NULL, name TEXT NOT NULL, path TEXT NOT NULL, id TEXT NOT NULL,
    trust TEXT NOT NULL, description TEXT, max_session_s BIGINT NOT NULL, created_ms BIGINT NOT NULL, tags TEXT NOT NULL,
    PRIMARY KEY (account, role_key));
  CREATE TABLE iam_user (
    account TEXT NOT NULL, user_key TEXT NOT NULL, name TEXT NOT NULL, path TEXT NOT NULL, id TEXT NOT NULL,
    created_ms BIGINT NOT NULL, tags TEXT NOT NULL,
    PRIMARY KEY (account, user_key));
  CREATE TABLE iam_access_key (
    id TEXT NOT NULL PRIMARY KEY, account TEXT NOT NULL, user_key TEXT NOT NULL, secret TEXT NOT NULL, status TEXT NOT NULL,
    created_ms BIGINT NOT NULL);
  CREATE INDEX iam_access_key_user ON iam_access_key (account, user_key);
  CREATE TABLE iam_inline_policy (
    account TEXT NOT NULL, owner TEXT NOT NULL, name TEXT NOT NULL, document TEXT NOT NULL,
    PRIMARY KEY (account, owner, name));
  CREATE TABLE iam_policy (
    account TEXT NOT NULL, policy_key TEXT NOT NULL, name TEXT NOT NULL, path TEXT NOT NULL, id TEXT NOT NULL, arn TEXT NOT NULL,
    description TEXT, default_version TEXT NOT NULL, next_version BIGINT NOT NULL, created_ms BIGINT NOT NULL,
    updated_ms BIGINT NOT NULL, tags TEXT NOT NULL,
    PRIMARY KEY (account, policy_key));
  CREATE UNIQUE INDEX iam_policy_arn ON iam_policy (arn);
  CREATE TABLE iam_policy_version (
    arn TEXT NOT NULL, version TEXT NOT NULL, document TEXT NOT NULL, created_ms BIGINT NOT NULL,
    PRIMARY KEY (arn, version));
  CREATE TABLE iam_attached_policy (
    account TEXT NOT NULL, owner TEXT NOT NULL, arn TEXT NOT NULL,
    PRIMARY KEY (account, owner, arn));
  CREATE INDEX iam_attached_policy_arn ON iam_attached_policy (arn)
  `,
  // Groups, and everything that a person signs in with. A user's and a key's rows carry the user's key: a new name is told to all of them.
  `
  CREATE TABLE iam_group (
    account TEXT NOT NULL, group_key TEXT NOT NULL, name TEXT NOT NULL, path TEXT NOT NULL, id TEXT NOT NULL, created_ms BIGINT NOT NULL,
    PRIMARY KEY (account, group_key));
  CREATE TABLE iam_group_member (
    account TEXT NOT NULL, group_key TEXT NOT NULL, user_key TEXT NOT NULL,
    PRIMARY KEY (account, group_key, user_key));
  CREATE INDEX iam_group_member_user ON iam_group_member (account, user_key);
  ALTER TABLE iam_user ADD COLUMN boundary TEXT;
  CREATE TABLE iam_last_used (
    owner TEXT NOT NULL PRIMARY KEY, used_ms BIGINT NOT NULL, service TEXT NOT NULL, region TEXT NOT NULL);
  CREATE TABLE iam_login_profile (
    account TEXT NOT NULL, user_key TEXT NOT NULL, hash TEXT NOT NULL, reset_required BIGINT NOT NULL, created_ms BIGINT NOT NULL,
    changed_ms BIGINT NOT NULL,
    PRIMARY KEY (account, user_key));
  CREATE TABLE iam_old_password (
    account TEXT NOT NULL, user_key TEXT NOT NULL, number BIGINT NOT NULL, hash TEXT NOT NULL,
    PRIMARY KEY (account, user_key, number));
  CREATE TABLE iam_password_policy (account TEXT NOT NULL PRIMARY KEY, policy TEXT NOT NULL);
  CREATE TABLE iam_mfa_device (
    serial TEXT NOT NULL PRIMARY KEY, account TEXT NOT NULL, seed TEXT NOT NULL, owner TEXT, enabled_ms BIGINT, last_step BIGINT NOT NULL,
    tags TEXT NOT NULL);
  CREATE INDEX iam_mfa_device_owner ON iam_mfa_device (account, owner);
  CREATE TABLE iam_ssh_public_key (
    id TEXT NOT NULL PRIMARY KEY, account TEXT NOT NULL, user_key TEXT NOT NULL, body TEXT NOT NULL, fingerprint TEXT NOT NULL,
    status TEXT NOT NULL, created_ms BIGINT NOT NULL);
  CREATE INDEX iam_ssh_public_key_user ON iam_ssh_public_key (account, user_key);
  CREATE TABLE iam_signing_certificate (
    id TEXT NOT NULL PRIMARY KEY, account TEXT NOT NULL, user_key TEXT NOT NULL, body TEXT NOT NULL, status TEXT NOT NULL,
    created_ms BIGINT NOT NULL);
  CREATE INDEX iam_signing_certificate_user ON iam_signing_certificate (account, user_key);
  CREATE TABLE iam_server_certificate (
    account TEXT NOT NULL, certificate_key TEXT NOT NULL, name TEXT NOT NULL, path TEXT NOT NULL, id TEXT NOT NULL, body TEXT NOT NULL,
    chain TEXT, private_key TEXT NOT NULL, created_ms BIGINT NOT NULL, expires_ms BIGINT NOT NULL, tags TEXT NOT NULL,
    PRIMARY KEY (account, certificate_key));
  CREATE TABLE iam_service_specific_credential (
    id TEXT NOT NULL PRIMARY KEY, account TEXT NOT NULL, user_key TEXT NOT NULL, service TEXT NOT NULL, service_user_name TEXT NOT NULL,
    secret TEXT NOT NULL, status TEXT NOT NULL, created_ms BIGINT NOT NULL);
  CREATE INDEX iam_service_specific_credential_user ON iam_service_specific_credential (account, user_key);
  CREATE TABLE iam_account_alias (alias TEXT NOT NULL PRIMARY KEY, account TEXT NOT NULL);
  CREATE UNIQUE INDEX iam_account_alias_account ON iam_account_alias (account);
  CREATE TABLE iam_credential_report (account TEXT NOT NULL PRIMARY KEY, ready_ms BIGINT NOT NULL, content TEXT NOT NULL)
  `,
  // `trust_bound` is the trust policy with users and roles by their unique ids; absent where it names none.
  `
  ALTER TABLE iam_role ADD COLUMN boundary TEXT;
  ALTER TABLE iam_role ADD COLUMN trust_bound TEXT;
  CREATE TABLE iam_instance_profile (
    account TEXT NOT NULL, profile_key TEXT NOT NULL, name TEXT NOT NULL, path TEXT NOT NULL, id TEXT NOT NULL, role_key TEXT,
    created_ms BIGINT NOT NULL, tags TEXT NOT NULL,
    PRIMARY KEY (account, profile_key));
  CREATE INDEX iam_instance_profile_role ON iam_instance_profile (account, role_key);
  CREATE TABLE iam_oidc_provider (
    arn TEXT NOT NULL PRIMARY KEY, account TEXT NOT NULL, url TEXT NOT NULL, client_ids TEXT NOT NULL, thumbprints TEXT NOT NULL,
    created_ms BIGINT NOT NULL, tags TEXT NOT NULL);
  CREATE TABLE iam_saml_provider (
    arn TEXT NOT NULL PRIMARY KEY, account TEXT NOT NULL, id TEXT NOT NULL, metadata TEXT NOT NULL, created_ms BIGINT NOT NULL,
    valid_until_ms BIGINT NOT NULL, tags TEXT NOT NULL);
  CREATE TABLE iam_deletion_task (id TEXT NOT NULL PRIMARY KEY, account TEXT NOT NULL, ended_ms BIGINT NOT NULL);
  CREATE TABLE iam_service_use (
    account TEXT NOT NULL, owner TEXT NOT NULL, namespace TEXT NOT NULL, used_ms BIGINT NOT NULL, region TEXT NOT NULL, arn TEXT NOT NULL,
    PRIMARY KEY (account, owner, namespace));
  CREATE TABLE iam_access_report (
    id TEXT NOT NULL PRIMARY KEY, account TEXT NOT NULL, arn TEXT NOT NULL, created_ms BIGINT NOT NULL, services TEXT NOT NULL)
  `,
  // Who acts is known by unique id.
  `
  CREATE INDEX iam_user_id ON iam_user (id);
  CREATE INDEX iam_role_id ON iam_role (id)
  `,
];

export const keyOf = (name: string): string => name.toLowerCase();

/** Who has inline and attached policies: `role:name`, `user:name`, `group:name`. */
export type OwnerKind = "role" | "user" | "group";
export const ownerOf = (kind: OwnerKind, name: string): string => `${kind}:${keyOf(name)}`;

/** AWS tells IAM's times in whole seconds. */
export const secondOf = (ms: number): number => Math.floor(ms / 1000) * 1000;

/** A status as it may be set: what is Expired becomes so by itself. Throws ValidationError, in the words of the model. */
export function settable(status: string): string {
  if (status !== "Active" && status !== "Inactive") throw errors.badStatus();
  return status;
}
