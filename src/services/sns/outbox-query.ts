// The outbox for who is no AWS client: `aws-like outbox`.
import type { Tx } from "../../kernel/mod.ts";
import { digitsOf, isPhoneNumber } from "./endpoints.ts";

/** What was sent beyond `:after`, oldest first. */
export const OUTBOX = `
SELECT sequence, account, region, protocol, recipient, sender, subject, body, sent_ms
FROM sns_outbox WHERE sequence > :after ORDER BY sequence LIMIT :limit`;

export interface OutboxRow {
  readonly sequence: number;
  readonly account: string;
  readonly region: string;
  readonly protocol: string;
  readonly recipient: string;
  readonly sender: string;
  readonly subject: string | null;
  readonly body: string;
  readonly sent_ms: number;
}

/** Who has this number answered STOP. False where it is no number. */
export async function optOut(
  tx: Tx,
  { number, now, ...place }: { account: string; region: string; number: string; now: number },
): Promise<boolean> {
  if (!isPhoneNumber(number)) return false;
  await tx.run(
    `INSERT INTO sns_opted_out (account, region, number, opted_out_ms) VALUES (:account, :region, :number, :now)
     ON CONFLICT (account, region, number) DO NOTHING`,
    { ...place, number: digitsOf(number), now },
  );
  return true;
}
