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
];

export const keyOf = (name: string): string => name.toLowerCase();

/** Who has inline and attached policies: `role:name`, `user:name`. */
export type OwnerKind = "role" | "user";
export const ownerOf = (kind: OwnerKind, name: string): string => `${kind}:${keyOf(name)}`;

/** AWS tells IAM's times in whole seconds. */
export const secondOf = (ms: number): number => Math.floor(ms / 1000) * 1000;
