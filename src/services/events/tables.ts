// What EventBridge keeps. A list of migrations: never edited, only added to.

export const migrations: readonly string[] = [
  `CREATE TABLE events_rule (
  account TEXT NOT NULL,
  region TEXT NOT NULL,
  name TEXT NOT NULL,
  schedule TEXT NOT NULL,
  state TEXT NOT NULL,
  description TEXT,
  tags TEXT NOT NULL,
  next_ms BIGINT,
  PRIMARY KEY (account, region, name)
);
CREATE TABLE events_target (
  account TEXT NOT NULL,
  region TEXT NOT NULL,
  rule_name TEXT NOT NULL,
  target_id TEXT NOT NULL,
  arn TEXT NOT NULL,
  definition TEXT NOT NULL,
  PRIMARY KEY (account, region, rule_name, target_id)
)`,

  // Rules belong to a bus, and may have a pattern instead of a schedule.
  `CREATE TABLE events_bus (
  account TEXT NOT NULL,
  region TEXT NOT NULL,
  name TEXT NOT NULL,
  description TEXT,
  policy TEXT,
  kms_key TEXT,
  dead_letter TEXT,
  tags TEXT NOT NULL,
  rules_version TEXT NOT NULL,
  created_ms BIGINT NOT NULL,
  modified_ms BIGINT NOT NULL,
  PRIMARY KEY (account, region, name)
);
CREATE TABLE events_rule_of_bus (
  account TEXT NOT NULL,
  region TEXT NOT NULL,
  bus TEXT NOT NULL,
  name TEXT NOT NULL,
  schedule TEXT,
  pattern TEXT,
  state TEXT NOT NULL,
  description TEXT,
  role_arn TEXT,
  managed_by TEXT,
  created_by TEXT NOT NULL,
  tags TEXT NOT NULL,
  next_ms BIGINT,
  PRIMARY KEY (account, region, bus, name)
);
INSERT INTO events_rule_of_bus (account, region, bus, name, schedule, state, description, created_by, tags, next_ms)
  SELECT account, region, 'default', name, schedule, state, description, account, tags, next_ms FROM events_rule;
DROP TABLE events_rule;
ALTER TABLE events_rule_of_bus RENAME TO events_rule;
CREATE TABLE events_target_of_bus (
  account TEXT NOT NULL,
  region TEXT NOT NULL,
  bus TEXT NOT NULL,
  rule_name TEXT NOT NULL,
  target_id TEXT NOT NULL,
  arn TEXT NOT NULL,
  definition TEXT NOT NULL,
  PRIMARY KEY (account, region, bus, rule_name, target_id)
);
INSERT INTO events_target_of_bus (account, region, bus, rule_name, target_id, arn, definition)
  SELECT account, region, 'default', rule_name, target_id, arn, definition FROM events_target;
DROP TABLE events_target;
ALTER TABLE events_target_of_bus RENAME TO events_target;
CREATE TABLE events_archive (
  account TEXT NOT NULL,
  region TEXT NOT NULL,
  name TEXT NOT NULL,
  bus TEXT NOT NULL,
  description TEXT,
  pattern TEXT,
  retention_days BIGINT NOT NULL,
  kms_key TEXT,
  event_count BIGINT NOT NULL,
  size_bytes BIGINT NOT NULL,
  sweep_ms BIGINT,
  created_ms BIGINT NOT NULL,
  PRIMARY KEY (account, region, name)
);
CREATE TABLE events_archived (
  account TEXT NOT NULL,
  region TEXT NOT NULL,
  archive TEXT NOT NULL,
  time_ms BIGINT NOT NULL,
  event_id TEXT NOT NULL,
  received_ms BIGINT NOT NULL,
  event TEXT NOT NULL,
  size_bytes BIGINT NOT NULL,
  PRIMARY KEY (account, region, archive, time_ms, event_id)
);
CREATE INDEX events_archived_by_age ON events_archived (account, region, archive, received_ms);
CREATE TABLE events_replay (
  account TEXT NOT NULL,
  region TEXT NOT NULL,
  name TEXT NOT NULL,
  archive TEXT NOT NULL,
  bus TEXT NOT NULL,
  filter_arns TEXT NOT NULL,
  description TEXT,
  from_ms BIGINT NOT NULL,
  to_ms BIGINT NOT NULL,
  state TEXT NOT NULL,
  state_reason TEXT,
  last_time_ms BIGINT,
  last_event_id TEXT,
  started_ms BIGINT NOT NULL,
  ended_ms BIGINT,
  PRIMARY KEY (account, region, name)
);
CREATE TABLE events_connection (
  account TEXT NOT NULL,
  region TEXT NOT NULL,
  name TEXT NOT NULL,
  id TEXT NOT NULL,
  secret_id TEXT NOT NULL,
  description TEXT,
  auth_type TEXT NOT NULL,
  parameters TEXT NOT NULL,
  secret TEXT,
  kms_key TEXT,
  token TEXT,
  state TEXT NOT NULL,
  state_reason TEXT,
  created_ms BIGINT NOT NULL,
  modified_ms BIGINT NOT NULL,
  authorized_ms BIGINT,
  PRIMARY KEY (account, region, name)
);
CREATE TABLE events_api_destination (
  account TEXT NOT NULL,
  region TEXT NOT NULL,
  name TEXT NOT NULL,
  id TEXT NOT NULL,
  description TEXT,
  connection TEXT NOT NULL,
  endpoint TEXT NOT NULL,
  method TEXT NOT NULL,
  rate_per_s BIGINT NOT NULL,
  created_ms BIGINT NOT NULL,
  modified_ms BIGINT NOT NULL,
  PRIMARY KEY (account, region, name)
)`,
];
