// All users of an account and the state of what they sign in with, as CSV.
// https://docs.aws.amazon.com/IAM/latest/UserGuide/id_credentials_getting-report.html
import { defineOperations, type Tx } from "../../kernel/mod.ts";
import { onAccount } from "./account.ts";
import { errors } from "./errors.ts";
import { passwordPolicy } from "./password-policy.ts";
import { secondOf } from "./tables.ts";
import { userArn } from "./users.ts";

/** How long it takes to make one, here. */
const MAKING_MS = 2_000;
/** Within four hours there is no new one. */
const KEPT_MS = 4 * 3600_000;
const DAY_MS = 24 * 3600_000;

export const credentialReport = defineOperations("iam", {
  GenerateCredentialReport: {
    access: onAccount("GenerateCredentialReport"),
    async handle(ctx) {
      const { account, now } = ctx;
      return await ctx.write(async (tx) => {
        const last = await reportRow(tx, account);
        if (last && now < last.ready_ms) return { State: "INPROGRESS" as const };
        if (last && now < last.ready_ms + KEPT_MS) return { State: "COMPLETE" as const };
        const content = await report(tx, account);
        await tx.run(
          `INSERT INTO iam_credential_report (account, ready_ms, content) VALUES (:account, :ready_ms, :content)
           ON CONFLICT (account) DO UPDATE SET ready_ms = excluded.ready_ms, content = excluded.content`,
          { account, ready_ms: secondOf(now) + MAKING_MS, content },
        );
        const Description = `${last ? "Report expired" : "No report exists"}. Starting a new report generation task`;
        return { State: "STARTED" as const, Description };
      });
    },
  },

  GetCredentialReport: {
    access: onAccount("GetCredentialReport"),
    async handle(ctx) {
      const last = await ctx.read((tx) => reportRow(tx, ctx.account));
      if (!last) throw errors.reportNotPresent();
      if (ctx.now < last.ready_ms) throw errors.reportInProgress();
      if (ctx.now >= last.ready_ms + KEPT_MS) throw errors.reportExpired();
      return {
        Content: Buffer.from(last.content),
        ReportFormat: "text/csv" as const,
        GeneratedTime: new Date(last.ready_ms),
      };
    },
  },
});

const reportRow = (tx: Tx, account: string) =>
  tx.one<{ ready_ms: number; content: string }>("SELECT * FROM iam_credential_report WHERE account = :account", {
    account,
  });

const COLUMNS = [
  "user",
  "arn",
  "user_creation_time",
  "password_enabled",
  "password_last_used",
  "password_last_changed",
  "password_next_rotation",
  "mfa_active",
  ...["access_key_1", "access_key_2"].flatMap((key) => [
    `${key}_active`,
    `${key}_last_rotated`,
    `${key}_last_used_date`,
    `${key}_last_used_region`,
    `${key}_last_used_service`,
  ]),
  "cert_1_active",
  "cert_1_last_rotated",
  "cert_2_active",
  "cert_2_last_rotated",
];

interface UserRow {
  readonly user_key: string;
  readonly name: string;
  readonly path: string;
  readonly created_ms: number;
  readonly changed_ms: number | null;
  readonly devices: number;
}

interface KeyRow {
  readonly user_key: string;
  readonly status: string;
  readonly created_ms: number;
  readonly used_ms: number | null;
  readonly region: string | null;
  readonly service: string | null;
}

interface CertificateRow {
  readonly user_key: string;
  readonly status: string;
  readonly created_ms: number;
}

async function report(tx: Tx, account: string): Promise<string> {
  const users = await tx.all<UserRow>(USERS, { account });
  const keys = Map.groupBy(await tx.all<KeyRow>(KEYS, { account }), ({ user_key }) => user_key);
  const certificates = Map.groupBy(await tx.all<CertificateRow>(CERTIFICATES, { account }), ({ user_key }) => user_key);
  const maxAge = (await passwordPolicy(tx, account))?.MaxPasswordAge;
  const lines = users.map((user) => [
    user.name,
    userArn(account, user.path, user.name),
    time(user.created_ms),
    ...password(user, maxAge),
    String(Number(user.devices) > 0),
    ...[0, 1].flatMap((at) => accessKey(keys.get(user.user_key)?.[at])),
    ...[0, 1].flatMap((at) => certificate(certificates.get(user.user_key)?.[at])),
  ]);
  return [COLUMNS, root(account), ...lines].map((line) => line.map(quoted).join(",")).join("\n");
}

const USERS = `SELECT u.user_key, u.name, u.path, u.created_ms, l.changed_ms,
    (SELECT COUNT(*) FROM iam_mfa_device d WHERE d.account = u.account AND d.owner = 'user:' || u.user_key) AS devices
  FROM iam_user u LEFT JOIN iam_login_profile l ON l.account = u.account AND l.user_key = u.user_key
  WHERE u.account = :account ORDER BY u.user_key`;

const KEYS = `SELECT k.user_key, k.status, k.created_ms, l.used_ms, l.region, l.service
  FROM iam_access_key k LEFT JOIN iam_last_used l ON l.owner = k.id
  WHERE k.account = :account ORDER BY k.created_ms, k.id`;

const CERTIFICATES = `SELECT user_key, status, created_ms FROM iam_signing_certificate
  WHERE account = :account ORDER BY created_ms, id`;

const NONE = "N/A";

/** Root signs with the key of the configuration; when the account was made, nobody knows. */
const root = (account: string): string[] => [
  "<root_account>",
  `arn:aws:iam::${account}:root`,
  "no_information",
  "not_supported",
  "no_information",
  "not_supported",
  "not_supported",
  "false",
  ...["true", NONE, NONE, NONE, NONE],
  ...accessKey(undefined),
  ...certificate(undefined),
  ...certificate(undefined),
];

/** Nobody signs in with a password here, so none was ever used. */
function password({ changed_ms }: UserRow, maxAge: number | undefined): string[] {
  if (changed_ms === null) return ["false", NONE, NONE, NONE];
  const next = maxAge === undefined ? NONE : time(changed_ms + maxAge * DAY_MS);
  return ["true", "no_information", time(changed_ms), next];
}

function accessKey(key: KeyRow | undefined): string[] {
  if (!key) return ["false", NONE, NONE, NONE, NONE];
  const used = key.used_ms === null ? [NONE, NONE, NONE] : [time(key.used_ms), key.region!, key.service!];
  return [String(key.status === "Active"), time(key.created_ms), ...used];
}

const certificate = (of: CertificateRow | undefined): string[] =>
  of ? [String(of.status === "Active"), time(of.created_ms)] : ["false", NONE];

const time = (ms: number): string => `${new Date(ms).toISOString().slice(0, 19)}+00:00`;

/** A name may have a comma. */
const quoted = (cell: string): string => (cell.includes(",") ? `"${cell}"` : cell);
