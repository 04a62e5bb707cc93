// When a key or a role was last used, for what and where. Each request comes by here: it is written when it says something new, not each time.
import type { Context, Tx, Use } from "../../kernel/mod.ts";

/** A use by the same service in the same region is told anew after so long. */
const STEP_MS = 15 * 60_000;
/** One by another, after so long: a caller that alternates between two services writes no row a request. */
const OTHER_STEP_MS = 1_000;

interface LastUsed {
  used_ms: number;
  service: string;
  region: string;
}

/** `identity.used`. Users' keys by their id, roles by theirs (AROA...). */
export function used(ctx: Context, use: Use): void | Promise<void> {
  const owner = ownerOfUse(use);
  if (owner === undefined) return;
  const last = ctx.recall("iam", `used ${owner}`, () =>
    ctx.read((tx) => lastUsed(tx, owner).then((row) => row ?? never())),
  );
  return last instanceof Promise
    ? last.then((known) => tell(ctx, { owner, use, known }))
    : tell(ctx, { owner, use, known: last });
}

/** Undefined: never. */
export const lastUsed = (tx: Tx, owner: string): Promise<LastUsed | undefined> =>
  tx.one<LastUsed>("SELECT used_ms, service, region FROM iam_last_used WHERE owner = :owner", { owner });

export const forgetUse = (tx: Tx, owner: string): Promise<number> =>
  tx.run("DELETE FROM iam_last_used WHERE owner = :owner", { owner });

const never = (): LastUsed => ({ used_ms: 0, service: "", region: "" });

function ownerOfUse({ accessKeyId, principal }: Use): string | undefined {
  if (principal.kind === "session") return principal.id.split(":")[0];
  return accessKeyId.startsWith("AKIA") && principal.kind === "user" ? accessKeyId : undefined;
}

function tell(ctx: Context, { owner, use, known }: { owner: string; use: Use; known: LastUsed }): void | Promise<void> {
  const { service, region } = use;
  const same = known.service === service && known.region === region;
  if (ctx.now - known.used_ms < (same ? STEP_MS : OTHER_STEP_MS)) return;
  // What is remembered is told first: those who come meanwhile need not write the same.
  Object.assign(known, { used_ms: ctx.now, service, region });
  return write(ctx, { owner, used_ms: ctx.now, service, region });
}

async function write(ctx: Context, row: LastUsed & { owner: string }): Promise<void> {
  await ctx.write((tx) =>
    tx.run(
      `INSERT INTO iam_last_used (owner, used_ms, service, region) VALUES (:owner, :used_ms, :service, :region)
       ON CONFLICT (owner) DO UPDATE SET used_ms = excluded.used_ms, service = excluded.service, region = excluded.region`,
      { ...row },
    ),
  );
}
