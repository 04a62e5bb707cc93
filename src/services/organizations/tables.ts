// An organization is a tree: its root and organizational units are `organizations_unit` (the root has no parent), accounts hang below.
// https://docs.aws.amazon.com/organizations/latest/userguide/orgs_getting-started_concepts.html

export const migrations = [
  `
  CREATE TABLE organizations_organization (
    id TEXT NOT NULL PRIMARY KEY, management TEXT NOT NULL, feature_set TEXT NOT NULL, root_id TEXT NOT NULL,
    scps_enabled BIGINT NOT NULL);
  CREATE UNIQUE INDEX organizations_organization_management ON organizations_organization (management);
  CREATE TABLE organizations_unit (
    id TEXT NOT NULL PRIMARY KEY, organization_id TEXT NOT NULL, parent_id TEXT, name TEXT NOT NULL);
  CREATE INDEX organizations_unit_parent ON organizations_unit (parent_id, id);
  CREATE TABLE organizations_account (
    account TEXT NOT NULL PRIMARY KEY, organization_id TEXT, parent_id TEXT, name TEXT NOT NULL, email TEXT NOT NULL,
    state TEXT NOT NULL, joined_method TEXT, joined_ms BIGINT);
  CREATE INDEX organizations_account_organization ON organizations_account (organization_id, account);
  CREATE INDEX organizations_account_parent ON organizations_account (parent_id, account);
  CREATE INDEX organizations_account_email ON organizations_account (email);
  CREATE TABLE organizations_account_request (
    id TEXT NOT NULL PRIMARY KEY, organization_id TEXT NOT NULL, account TEXT NOT NULL, name TEXT NOT NULL, email TEXT NOT NULL,
    role TEXT NOT NULL, tags TEXT NOT NULL, state TEXT NOT NULL, failure TEXT, requested_ms BIGINT NOT NULL, completed_ms BIGINT);
  CREATE INDEX organizations_account_request_organization ON organizations_account_request (organization_id, id);
  CREATE TABLE organizations_policy (
    id TEXT NOT NULL PRIMARY KEY, organization_id TEXT NOT NULL, name TEXT NOT NULL, description TEXT NOT NULL, content TEXT NOT NULL);
  CREATE UNIQUE INDEX organizations_policy_name ON organizations_policy (organization_id, name);
  CREATE TABLE organizations_attachment (
    organization_id TEXT NOT NULL, target_id TEXT NOT NULL, policy_id TEXT NOT NULL,
    PRIMARY KEY (organization_id, target_id, policy_id));
  CREATE INDEX organizations_attachment_policy ON organizations_attachment (organization_id, policy_id, target_id);
  CREATE TABLE organizations_tag (
    organization_id TEXT NOT NULL, resource_id TEXT NOT NULL, tags TEXT NOT NULL,
    PRIMARY KEY (organization_id, resource_id));
  CREATE TABLE organizations_handshake (
    id TEXT NOT NULL PRIMARY KEY, organization_id TEXT NOT NULL, account TEXT NOT NULL, state TEXT NOT NULL, notes TEXT, tags TEXT NOT NULL,
    email TEXT, requested_ms BIGINT NOT NULL, expires_ms BIGINT NOT NULL);
  CREATE INDEX organizations_handshake_organization ON organizations_handshake (organization_id, id);
  CREATE INDEX organizations_handshake_account ON organizations_handshake (account, id)
  `,
  "ALTER TABLE organizations_handshake ADD COLUMN changed_ms BIGINT NOT NULL DEFAULT 0",
];

export interface OrganizationRow {
  readonly id: string;
  readonly management: string;
  readonly feature_set: "ALL" | "CONSOLIDATED_BILLING";
  readonly root_id: string;
  readonly scps_enabled: number;
}

export interface UnitRow {
  readonly id: string;
  readonly organization_id: string;
  /** null: the root. */
  readonly parent_id: string | null;
  readonly name: string;
}

/** An account that has left keeps its name and address. */
export interface AccountRow {
  readonly account: string;
  readonly organization_id: string | null;
  readonly parent_id: string | null;
  readonly name: string;
  readonly email: string;
  readonly state: "ACTIVE" | "CLOSED";
  readonly joined_method: "CREATED" | "INVITED" | null;
  readonly joined_ms: number | null;
}

export interface PolicyRow {
  readonly id: string;
  readonly organization_id: string;
  readonly name: string;
  readonly description: string;
  readonly content: string;
}

/**
 * AWS's defaults, and its maximum for accounts. Policies of 10,240 characters and ten a target since May 2026.
 * https://docs.aws.amazon.com/organizations/latest/userguide/orgs_reference_limits.html
 */
export const LIMITS = {
  accounts: 50_000,
  units: 2_000,
  depth: 5,
  policies: 10_000,
  policySize: 10_240,
  policiesPerTarget: 10,
  tags: 50,
} as const;
