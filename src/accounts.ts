// Accounts of one's own, with names and root keys: what `--accounts FILE` says, looked at whole before anything is started.
import type { Account, Config } from "./config.ts";

/** Each field: what it must be, in words and in form. */
const FIELDS = {
  id: { form: /^\d{12}$/, is: "12 digits", needed: true },
  name: { form: /^[\u0020-\u007e]{1,50}$/, is: "1 to 50 printable ASCII characters", needed: false },
  email: {
    form: /^(?=.{6,64}$)[^\s@]+@[^\s@]+\.[^\s@]+$/,
    is: "an e-mail address of 6 to 64 characters",
    needed: false,
  },
  canonicalId: { form: /^[0-9a-f]{64}$/, is: "64 lower-case hexadecimal digits", needed: false },
  accessKeyId: { form: /^\w{1,128}$/, is: "1 to 128 letters, digits and _", needed: true },
  secretAccessKey: { form: /^\S{1,128}$/, is: "1 to 128 characters without spaces", needed: true },
} as const satisfies Record<keyof Account, { form: RegExp; is: string; needed: boolean }>;

/** Of these there are no two alike. */
const UNIQUE = ["id", "email", "canonicalId", "accessKeyId"] as const;

/** `root`: the cloud's own root key. Throws an Error that names the account and the field. */
export function checkAccounts(json: unknown, root: Pick<Config, "rootAccessKeyId">): readonly Account[] {
  if (!Array.isArray(json)) throw new Error("a JSON list of accounts is needed");
  json.forEach(checkFields);
  const accounts = json as readonly Account[];
  for (const field of UNIQUE) checkUnique(accounts, field);
  for (const [at, { id, accessKeyId, canonicalId }] of accounts.entries()) {
    if (accessKeyId === root.rootAccessKeyId)
      throw new Error(`${nameOf(at)}: accessKeyId ${accessKeyId} is the root key of the cloud's own account`);
    if (/^\d{12}$/.test(accessKeyId) && accessKeyId !== id)
      throw new Error(
        `${nameOf(at)}: accessKeyId ${accessKeyId} is the root key of account ${accessKeyId}, not of ${id}`,
      );
    if (/^A[KS]IA[A-Z2-7]{16}$/.test(accessKeyId))
      throw new Error(`${nameOf(at)}: accessKeyId ${accessKeyId} has the form of IAM's own keys`);
    // What an account is called that says nothing else: see s3.
    const plain = /^0{52}(\d{12})$/.exec(canonicalId ?? "")?.[1] ?? id;
    if (plain !== id) throw new Error(`${nameOf(at)}: canonicalId ${canonicalId} is that of account ${plain}`);
  }
  return accounts;
}

const nameOf = (at: number): string => `account ${at + 1}`;

function checkFields(account: unknown, at: number): void {
  if (typeof account !== "object" || account === null || Array.isArray(account))
    throw new Error(`${nameOf(at)} is no JSON object`);
  const given = account as Record<string, unknown>;
  const other = Object.keys(given).find((field) => !(field in FIELDS));
  if (other !== undefined)
    throw new Error(`${nameOf(at)}: there is no field ${other}; there are ${Object.keys(FIELDS).join(", ")}`);
  for (const [field, { form, is, needed }] of Object.entries(FIELDS)) {
    const value = given[field];
    if (value === undefined && !needed) continue;
    if (value === undefined) throw new Error(`${nameOf(at)}: ${field} is missing: ${is}`);
    // A secret is not repeated where it may be read.
    const shown = field === "secretAccessKey" ? "" : `, not ${JSON.stringify(value)}`;
    if (typeof value !== "string" || !form.test(value)) throw new Error(`${nameOf(at)}: ${field} is ${is}${shown}`);
  }
}

function checkUnique(accounts: readonly Account[], field: (typeof UNIQUE)[number]): void {
  const seen = new Map<string, number>();
  for (const [at, account] of accounts.entries()) {
    const value = account[field];
    if (value === undefined) continue;
    const first = seen.get(value);
    if (first !== undefined) throw new Error(`${nameOf(at)}: ${field} ${value} is that of ${nameOf(first)}, too`);
    seen.set(value, at);
  }
}
