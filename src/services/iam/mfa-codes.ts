// Whether a device shows a code now. Real time counts, as it does for the device; a code, and those before it, are good once.
import { type Arn, type Context, realNow } from "../../kernel/mod.ts";
import { errors } from "./errors.ts";
import { ownerOf } from "./tables.ts";
import { STEP_MS, stepOf } from "./totp.ts";
import { nameOf } from "./users.ts";

export interface DeviceRow {
  readonly serial: Arn;
  readonly account: string;
  /** Sealed. */
  readonly seed: string;
  /** `user:name`; null: nobody's yet. */
  readonly owner: string | null;
  readonly enabled_ms: number | null;
  /** Codes of this step and before it are used up. */
  readonly last_step: number;
  readonly tags: string;
}

/** Steps that a person may take to type in a code. */
const LATE = 1;
const EARLY = 1;
/** Two codes take longer. */
const PAIR_LATE = 2;

/** `identity.mfa`: the caller's own device, and a code that nobody gave before. */
export function mfa(ctx: Context, { serialNumber, code }: { serialNumber: string; code: string }) {
  const { principal } = ctx;
  return principal.kind === "user" ? verified(ctx, { user: nameOf(principal), serialNumber, code }) : undefined;
}

async function verified(ctx: Context, of: { user: string; serialNumber: string; code: string }): Promise<boolean> {
  const step = stepNow();
  return await ctx.write(async (tx) => {
    const device = await tx.one<DeviceRow>(
      "SELECT * FROM iam_mfa_device WHERE account = :account AND serial = :serial AND owner = :owner",
      { account: ctx.account, serial: of.serialNumber, owner: ownerOf("user", of.user) },
    );
    const last = device && find(ctx, device, { codes: [of.code], from: step - LATE, to: step + EARLY });
    if (last === undefined) return false;
    await tx.run("UPDATE iam_mfa_device SET last_step = :last WHERE serial = :serial", {
      serial: of.serialNumber,
      last,
    });
    return true;
  });
}

export const stepNow = (): number => Math.floor(realNow() / STEP_MS);

/** The step of the second of two codes; throws InvalidAuthenticationCode. */
export function shown(
  ctx: Context,
  device: DeviceRow,
  { codes, step }: { codes: readonly string[]; step: number },
): number {
  const last = find(ctx, device, { codes, from: step - PAIR_LATE, to: step + EARLY });
  if (last === undefined) throw errors.wrongMfaCode();
  return last;
}

function find(
  ctx: Context,
  device: DeviceRow,
  { codes, from, to }: { codes: readonly string[]; from: number; to: number },
): number | undefined {
  const seed = ctx.unseal(device.seed, aboutSeed(device.serial));
  if (seed === undefined) throw new Error(`the seed of ${device.serial} was sealed with another key`);
  return stepOf(seed, codes, { from: Math.max(from, device.last_step + 1), to });
}

export const aboutSeed = (serial: Arn): string => `iam mfa device ${serial}`;
