// Object Lock: what keeps a version from being deleted, and for how long.
// https://docs.aws.amazon.com/AmazonS3/latest/userguide/object-lock.html
import { type Access, AwsError, type Context, defineOperations } from "../../kernel/mod.ts";
import { headerKeys, onObject } from "./access.ts";
import { bucketArn, bucketOf, objectArn } from "./buckets.ts";
import { errors } from "./errors.ts";
import { expectObject, lookUp, type ObjectInput } from "./lookup.ts";
import { headerOf, requestOf } from "./request.ts";
import type { BucketRow, Lock, ObjectRow } from "./tables.ts";
import { unlocked } from "./versions.ts";

const DAY = 86_400_000;
/** https://docs.aws.amazon.com/AmazonS3/latest/API/API_DefaultRetention.html; at most a hundred years. */
const MAX_DAYS = 36_500;
const MAX_YEARS = 100;
const MODES = ["GOVERNANCE", "COMPLIANCE"];

type Mode = NonNullable<Lock["lock_mode"]>;

interface LockConfiguration {
  readonly ObjectLockEnabled: "Enabled";
  readonly Rule?: {
    readonly DefaultRetention?: { readonly Mode: Mode; readonly Days?: number; readonly Years?: number };
  };
}

export const objectLock = defineOperations("s3", {
  GetObjectLockConfiguration: {
    access: (_, { Bucket }) => ({ action: "s3:GetBucketObjectLockConfiguration", resource: bucketArn(Bucket!) }),
    async handle(ctx, input) {
      const { name, object_lock } = await bucketOf(ctx, input);
      if (object_lock === null) throw errors.noLockConfiguration(name);
      return { ObjectLockConfiguration: JSON.parse(object_lock) as LockConfiguration };
    },
  },

  PutObjectLockConfiguration: {
    access: (_, { Bucket }) => ({ action: "s3:PutBucketObjectLockConfiguration", resource: bucketArn(Bucket!) }),
    async handle(ctx, input) {
      if (input.Token !== undefined) throw errors.notImplemented("x-amz-bucket-object-lock-token");
      const { ObjectLockEnabled, Rule } = input.ObjectLockConfiguration ?? {};
      if (ObjectLockEnabled !== "Enabled") throw errors.malformedXml();
      const retention = Rule?.DefaultRetention;
      if (Rule && !retention) throw errors.malformedXml();
      if (retention?.DefaultEventHold) throw errors.notImplemented("DefaultEventHold");
      if (retention) checkDefault(retention);
      const bucket = await bucketOf(ctx, input);
      if (bucket.versioning !== "Enabled") throw errors.lockWantsVersioning();
      await ctx.write((tx) =>
        tx.run("UPDATE s3_bucket SET object_lock = :configuration WHERE name = :name", {
          name: bucket.name,
          configuration: JSON.stringify({
            ObjectLockEnabled,
            ...(retention && { Rule: { DefaultRetention: retention } }),
          }),
        }),
      );
      return {};
    },
  },

  GetObjectRetention: {
    access: (ctx, input) => onVersion(ctx, "GetObjectRetention", input),
    async handle(ctx, input) {
      const row = await lockable(ctx, input, "GET");
      if (row.lock_mode === null) throw errors.objectWithoutLock();
      return { Retention: { Mode: row.lock_mode, RetainUntilDate: new Date(row.lock_until_ms!) } };
    },
  },

  PutObjectRetention: {
    access: (ctx, input) => [
      onVersion(ctx, "PutObjectRetention", { ...input, ...retentionKeys(input.Retention) }),
      ...bypassAccess(input),
    ],
    async handle(ctx, input) {
      const { Mode: mode, RetainUntilDate: until } = input.Retention ?? {};
      if ((mode === undefined) !== (until === undefined)) throw errors.malformedXml();
      if (mode !== undefined && !MODES.includes(mode)) throw errors.malformedXml();
      const row = await lockable(ctx, input, "PUT");
      if (until && until.getTime() <= ctx.clock.now()) throw inThePast("RetainUntilDate", until);
      await change(ctx, row, (now) => {
        if (weakens(now, { mode, until: until?.getTime() }, ctx.clock.now()) && !mayBypass(now, input))
          throw errors.locked();
        return { ...now, lock_mode: (mode as Mode | undefined) ?? null, lock_until_ms: until?.getTime() ?? null };
      });
      return {};
    },
  },

  GetObjectLegalHold: {
    access: (ctx, input) => onVersion(ctx, "GetObjectLegalHold", input),
    async handle(ctx, input) {
      const row = await lockable(ctx, input, "GET");
      if (row.legal_hold === null) throw errors.objectWithoutLock();
      return { LegalHold: { Status: row.legal_hold } };
    },
  },

  PutObjectLegalHold: {
    access: (ctx, input) =>
      onVersion(ctx, "PutObjectLegalHold", { ...input, ObjectLockLegalHoldStatus: input.LegalHold?.Status }),
    async handle(ctx, input) {
      const status = input.LegalHold?.Status;
      const bucket = await bucketOf(ctx, input);
      if (bucket.object_lock !== null && status !== "ON" && status !== "OFF") throw errors.malformedXml();
      const row = await lockable(ctx, input, "PUT");
      await change(ctx, row, (now) => ({ ...now, legal_hold: status as "ON" | "OFF" }));
      return {};
    },
  },
});

/** `s3:PutObjectRetention` of a version is the same action. */
const onVersion = (ctx: Context, action: string, input: ObjectInput & LockHeaders): Access => ({
  ...onObject(ctx, ["Get"], input),
  action: `s3:${action}`,
});

const retentionKeys = (retention: { Mode?: string | undefined; RetainUntilDate?: Date | undefined } | undefined) => ({
  ObjectLockMode: retention?.Mode,
  ObjectLockRetainUntilDate: retention?.RetainUntilDate,
});

interface Bypass {
  readonly Bucket?: string | undefined;
  readonly Key?: string | undefined;
  readonly BypassGovernanceRetention?: boolean | undefined;
}

/** Who asks to pass by must be allowed to. */
export const bypassAccess = (input: Bypass): Access[] =>
  input.BypassGovernanceRetention
    ? [
        {
          action: "s3:BypassGovernanceRetention",
          resource: objectArn(input.Bucket!, input.Key!),
          conditions: () => headerKeys(input),
        },
      ]
    : [];

const mayBypass = ({ lock_mode }: Lock, { BypassGovernanceRetention }: Bypass): boolean =>
  lock_mode === "GOVERNANCE" && BypassGovernanceRetention === true;

/** Throws AccessDenied where the version may not be deleted now. */
export function checkUnlocked(row: ObjectRow, now: number, input: Bypass = {}): void {
  if (row.legal_hold === "ON") throw errors.locked();
  if (isRetained(row, now) && !mayBypass(row, input)) throw errors.locked();
}

export const isLocked = (row: Lock, now: number): boolean => row.legal_hold === "ON" || isRetained(row, now);

const isRetained = ({ lock_mode, lock_until_ms }: Lock, now: number): boolean =>
  lock_mode !== null && lock_until_ms! > now;

/** A retention may be made longer, or stricter by whoever may bypass it. */
function weakens(now: Lock, wanted: { mode: string | undefined; until: number | undefined }, at: number): boolean {
  if (!isRetained(now, at)) return false;
  return wanted.mode !== now.lock_mode || wanted.until! < now.lock_until_ms!;
}

interface LockHeaders {
  readonly ObjectLockMode?: string | undefined;
  readonly ObjectLockRetainUntilDate?: Date | undefined;
  readonly ObjectLockLegalHoldStatus?: string | undefined;
}

/** What a new object's request says of its lock, or its bucket's default. Throws where the bucket has no Object Lock. */
export function lockOf(ctx: Context, bucket: BucketRow, input: LockHeaders): Lock {
  const { ObjectLockMode: mode, ObjectLockRetainUntilDate: until, ObjectLockLegalHoldStatus: hold } = input;
  const now = ctx.clock.now();
  if (mode === undefined && until === undefined && hold === undefined) return defaultLock(bucket, now);
  checkHeaders(input, now);
  if (bucket.object_lock === null) throw errors.bucketWithoutLock();
  return {
    ...(mode === undefined ? defaultLock(bucket, now) : { lock_mode: mode as Mode, lock_until_ms: until!.getTime() }),
    legal_hold: (hold as "ON" | "OFF" | undefined) ?? null,
  };
}

function checkHeaders(input: LockHeaders, now: number): void {
  const { ObjectLockMode: mode, ObjectLockRetainUntilDate: until, ObjectLockLegalHoldStatus: hold } = input;
  const [MODE, UNTIL] = ["x-amz-object-lock-mode", "x-amz-object-lock-retain-until-date"];
  if ((mode === undefined) !== (until === undefined))
    throw errors.invalidArgument(`${UNTIL} and ${MODE} must both be supplied`, mode === undefined ? MODE : UNTIL);
  if (mode !== undefined && !MODES.includes(mode))
    throw errors.invalidArgument("Unknown wormMode directive.", MODE, mode);
  if (hold !== undefined && hold !== "ON" && hold !== "OFF")
    throw errors.invalidArgument("Legal Hold must be either of 'ON' or 'OFF'", "x-amz-object-lock-legal-hold", hold);
  if (until && until.getTime() <= now) throw inThePast(UNTIL, until);
}

/** AWS wants to know that what it locks is what was sent. Copies and uploads in parts have no body here. */
export function checkLockDigest(input: LockHeaders): void {
  if (input.ObjectLockMode === undefined && input.ObjectLockLegalHoldStatus === undefined) return;
  const request = requestOf(input);
  if (!request || headerOf(input, "content-md5") !== undefined) return;
  const digests = Object.keys(request.headers).some((name) => /^x-amz-(checksum-|trailer$)/.test(name));
  if (!digests) throw errors.lockWantsDigest();
}

/** The bucket's default retention, from now on. */
export function defaultLock({ object_lock }: BucketRow, now: number): Lock {
  const retention =
    object_lock === null ? undefined : (JSON.parse(object_lock) as LockConfiguration).Rule?.DefaultRetention;
  if (!retention) return unlocked;
  const until = new Date(now);
  if (retention.Years !== undefined) until.setUTCFullYear(until.getUTCFullYear() + retention.Years);
  return {
    lock_mode: retention.Mode,
    lock_until_ms: until.getTime() + (retention.Days ?? 0) * DAY,
    legal_hold: null,
  };
}

function checkDefault({
  Mode,
  Days,
  Years,
}: {
  Mode?: string | undefined;
  Days?: number | undefined;
  Years?: number | undefined;
}): void {
  if (Mode === undefined || !MODES.includes(Mode)) throw errors.malformedXml();
  if ((Days === undefined) === (Years === undefined)) throw errors.malformedXml();
  const [period, max] = [(Days ?? Years)!, Days === undefined ? MAX_YEARS : MAX_DAYS];
  if (period <= 0) throw errors.retentionPeriod("Default retention period must be a positive integer value.");
  if (period > max) throw errors.retentionPeriod("Default retention period too large");
}

/** AWS prints the date as its server's Java does. */
const inThePast = (name: string, date: Date): AwsError =>
  errors.invalidArgument("The retain until date must be in the future!", name, date.toUTCString());

/** The version that a request about its lock names. AWS's order: bucket, key, the bucket's Object Lock. */
async function lockable(ctx: Context, input: ObjectInput, method: string): Promise<ObjectRow> {
  const { bucket, row: found } = await lookUp(ctx, input);
  const row = await expectObject(ctx, { bucket, row: found, input, method });
  if (bucket.object_lock === null) throw errors.bucketWithoutLock();
  return row;
}

/** Judged and written in one transaction: two that ask at once do not loosen what either has tightened. */
async function change(ctx: Context, row: ObjectRow, next: (now: Lock) => Lock): Promise<void> {
  const { bucket, key, rank } = row;
  await ctx.write(async (tx) => {
    const now = await tx.one<Lock>(
      "SELECT lock_mode, lock_until_ms, legal_hold FROM s3_object WHERE bucket = :bucket AND key = :key AND rank = :rank",
      { bucket, key, rank },
    );
    if (!now) throw errors.operationAborted();
    await tx.run(
      `UPDATE s3_object SET lock_mode = :lock_mode, lock_until_ms = :lock_until_ms, legal_hold = :legal_hold
       WHERE bucket = :bucket AND key = :key AND rank = :rank`,
      { bucket, key, rank, ...next(now) },
    );
  });
}

/** What GET and HEAD say of a lock, to those who may know it. */
export async function lockHeaders(ctx: Context, row: ObjectRow, { Bucket, Key }: ObjectInput) {
  const of = { Bucket: Bucket!, Key: Key!, VersionId: row.version_id };
  const mayRead = (operation: "GetObjectRetention" | "GetObjectLegalHold") =>
    ctx.principal.kind === "root" ? true : allowed(ctx.call("s3", operation, of));
  return {
    ...(row.lock_mode !== null &&
      (await mayRead("GetObjectRetention")) && {
        ObjectLockMode: row.lock_mode,
        ObjectLockRetainUntilDate: new Date(row.lock_until_ms!),
      }),
    ...(row.legal_hold !== null &&
      (await mayRead("GetObjectLegalHold")) && { ObjectLockLegalHoldStatus: row.legal_hold }),
  };
}

async function allowed(call: Promise<unknown>): Promise<boolean> {
  try {
    await call;
    return true;
  } catch (error) {
    if (error instanceof AwsError && error.status === 403) return false;
    throw error;
  }
}
