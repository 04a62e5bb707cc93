// Receipt handles: they name a message and the receive that gave it out.
import { errors } from "./errors.ts";
import type { MessageRow } from "./tables.ts";

export interface Receipt {
  readonly queueNumber: number;
  readonly sequence: number;
  readonly messageId: string;
  readonly receipt: string;
}

export const receiptHandle = ({ queue_number, sequence, message_id, receipt }: MessageRow): string =>
  Buffer.from(`${queue_number} ${sequence} ${message_id} ${receipt}`).toString("base64");

/** Throws ReceiptHandleIsInvalid for what never was one. */
export function parseReceiptHandle(handle: string | undefined): Receipt {
  if (!handle) throw errors.missing("ReceiptHandle");
  const found = /^(\d{1,15}) (\d{1,16}) ([0-9a-f-]{36}) ([A-Za-z0-9]+)$/.exec(
    Buffer.from(handle, "base64").toString("latin1"),
  );
  if (!found) throw errors.receiptHandle(handle);
  const [, queueNumber, sequence, messageId, receipt] = found;
  return { queueNumber: Number(queueNumber), sequence: Number(sequence), messageId: messageId!, receipt: receipt! };
}
