// The rows of topics, subscriptions and what SNS keeps besides.

/**
 * A topic's and a subscription's key is its ARN. `state` of a subscription: "pending" until it is confirmed, "confirmed", "deleted" while the
 * link in the farewell still brings it back. `sns_waiting` holds what a FIFO topic owes a subscription, in order.
 */
export const tables = `
CREATE TABLE sns_topic (
  arn TEXT NOT NULL PRIMARY KEY,
  account TEXT NOT NULL,
  region TEXT NOT NULL,
  attributes TEXT NOT NULL,
  tags TEXT NOT NULL,
  last_sequence BIGINT NOT NULL
);
CREATE INDEX sns_topic_by_account ON sns_topic (account, region, arn);
CREATE TABLE sns_subscription (
  arn TEXT NOT NULL PRIMARY KEY,
  topic TEXT NOT NULL,
  region TEXT NOT NULL,
  owner TEXT NOT NULL,
  principal TEXT NOT NULL,
  protocol TEXT NOT NULL,
  endpoint TEXT NOT NULL,
  state TEXT NOT NULL,
  token TEXT NOT NULL,
  token_until_ms BIGINT NOT NULL,
  was_authenticated BIGINT NOT NULL,
  needs_signature BIGINT NOT NULL,
  attributes TEXT NOT NULL,
  next_slot_ms BIGINT NOT NULL
);
CREATE UNIQUE INDEX sns_subscription_by_endpoint ON sns_subscription (topic, protocol, endpoint);
CREATE INDEX sns_subscription_by_owner ON sns_subscription (owner, region, arn);
CREATE TABLE sns_deduplication (
  topic TEXT NOT NULL,
  scope TEXT NOT NULL,
  deduplication_id TEXT NOT NULL,
  message_id TEXT NOT NULL,
  sequence BIGINT NOT NULL,
  until_ms BIGINT NOT NULL,
  PRIMARY KEY (topic, deduplication_id, scope)
);
CREATE INDEX sns_deduplication_by_time ON sns_deduplication (topic, until_ms);
CREATE TABLE sns_waiting (
  subscription TEXT NOT NULL,
  message_group TEXT NOT NULL,
  sequence BIGINT NOT NULL,
  message TEXT NOT NULL,
  PRIMARY KEY (subscription, message_group, sequence)
);
CREATE TABLE sns_signing_key (
  name TEXT NOT NULL PRIMARY KEY,
  private_key TEXT NOT NULL,
  certificate TEXT NOT NULL,
  number BIGINT NOT NULL UNIQUE
);
CREATE TABLE sns_outbox (
  id TEXT NOT NULL PRIMARY KEY,
  sequence BIGINT NOT NULL UNIQUE,
  account TEXT NOT NULL,
  region TEXT NOT NULL,
  protocol TEXT NOT NULL,
  recipient TEXT NOT NULL,
  sender TEXT NOT NULL,
  subject TEXT,
  body TEXT NOT NULL,
  sent_ms BIGINT NOT NULL
);
CREATE TABLE sns_sms_settings (
  account TEXT NOT NULL,
  region TEXT NOT NULL,
  attributes TEXT NOT NULL,
  PRIMARY KEY (account, region)
);
CREATE TABLE sns_opted_out (
  account TEXT NOT NULL,
  region TEXT NOT NULL,
  number TEXT NOT NULL,
  opted_out_ms BIGINT NOT NULL,
  PRIMARY KEY (account, region, number)
)`;
