// What a user has: it must be gone before the user goes, and follows the user's new name.
import type { Tx } from "../../kernel/mod.ts";
import { errors } from "./errors.ts";
import { ownerOf } from "./tables.ts";

/** Throws DeleteConflict where something is left. What nobody can see or delete goes with the user. */
export async function refuseBelongings(tx: Tx, key: { account: string; user_key: string }): Promise<void> {
  for (const { sql, error } of KEPT) if (await tx.one(sql, key)) throw error();
  const held = { account: key.account, owner: ownerOf("user", key.user_key) };
  for (const { sql, error } of HELD) if (await tx.one(sql, held)) throw error();
  await tx.run("DELETE FROM iam_old_password WHERE account = :account AND user_key = :user_key", key);
}

/** `from` and `to` are user keys. */
export async function renameBelongings(
  tx: Tx,
  { account, from, to }: { account: string; from: string; to: string },
): Promise<void> {
  for (const sql of RENAMED) await tx.run(sql, { account, from, to });
  const owners = { account, from: ownerOf("user", from), to: ownerOf("user", to) };
  for (const sql of OWNER_RENAMED) await tx.run(sql, owners);
}

/** What must be gone before its user goes, in AWS's order as far as we know it. */
const KEPT = [
  {
    sql: "SELECT 1 AS one FROM iam_group_member WHERE account = :account AND user_key = :user_key",
    error: errors.removeUsersFirst,
  },
  {
    sql: "SELECT 1 AS one FROM iam_login_profile WHERE account = :account AND user_key = :user_key",
    error: errors.deleteLoginProfileFirst,
  },
  {
    sql: "SELECT 1 AS one FROM iam_access_key WHERE account = :account AND user_key = :user_key",
    error: errors.deleteKeysFirst,
  },
  {
    sql: "SELECT 1 AS one FROM iam_signing_certificate WHERE account = :account AND user_key = :user_key",
    error: errors.deleteSigningCertificatesFirst,
  },
  {
    sql: "SELECT 1 AS one FROM iam_ssh_public_key WHERE account = :account AND user_key = :user_key",
    error: errors.removeReferencedFirst,
  },
  {
    sql: "SELECT 1 AS one FROM iam_service_specific_credential WHERE account = :account AND user_key = :user_key",
    error: errors.removeReferencedFirst,
  },
];
const HELD = [
  {
    sql: "SELECT 1 AS one FROM iam_mfa_device WHERE account = :account AND owner = :owner",
    error: errors.deleteMfaDeviceFirst,
  },
  {
    sql: "SELECT 1 AS one FROM iam_attached_policy WHERE account = :account AND owner = :owner",
    error: errors.detachFirst,
  },
  {
    sql: "SELECT 1 AS one FROM iam_inline_policy WHERE account = :account AND owner = :owner",
    error: errors.deletePoliciesFirst,
  },
];

/** What follows a user's new name. */
const RENAMED = [
  "UPDATE iam_access_key SET user_key = :to WHERE account = :account AND user_key = :from",
  "UPDATE iam_group_member SET user_key = :to WHERE account = :account AND user_key = :from",
  "UPDATE iam_login_profile SET user_key = :to WHERE account = :account AND user_key = :from",
  "UPDATE iam_old_password SET user_key = :to WHERE account = :account AND user_key = :from",
  "UPDATE iam_ssh_public_key SET user_key = :to WHERE account = :account AND user_key = :from",
  "UPDATE iam_signing_certificate SET user_key = :to WHERE account = :account AND user_key = :from",
  "UPDATE iam_service_specific_credential SET user_key = :to WHERE account = :account AND user_key = :from",
];
const OWNER_RENAMED = [
  "UPDATE iam_inline_policy SET owner = :to WHERE account = :account AND owner = :from",
  "UPDATE iam_attached_policy SET owner = :to WHERE account = :account AND owner = :from",
  "UPDATE iam_mfa_device SET owner = :to WHERE account = :account AND owner = :from",
];
