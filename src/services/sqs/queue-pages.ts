// Pages of queues, as ListQueues and ListDeadLetterSourceQueues give them.
import type { Context } from "../../kernel/mod.ts";
import { queueUrl } from "./access.ts";
import { errors } from "./errors.ts";
import type { Queue } from "./queue-row.ts";

const MOST_QUEUES_LISTED = 1000;

interface Page {
  /** The queue's name that the page begins behind. */
  readonly after: string;
  readonly limit: number;
  /** `found`: those behind `after`, in the order of their names; one more than the limit where there are more. */
  of(ctx: Context, found: readonly Queue[]): { urls: string[]; NextToken?: string };
}

/** Without MaxResults there is no second page. */
export function pageOf({
  MaxResults: most,
  NextToken: token,
}: {
  MaxResults?: number | undefined;
  NextToken?: string | undefined;
}): Page {
  if (most !== undefined && !(most >= 1 && most <= MOST_QUEUES_LISTED))
    throw errors.parameter("MaxResults", most, "MaxResults must be an integer between 1 and 1000.");
  const limit = most ?? MOST_QUEUES_LISTED;
  return {
    after: token === undefined ? "" : Buffer.from(token, "base64").toString(),
    limit,
    of(ctx, found) {
      const page = found.slice(0, limit);
      const more = most !== undefined && found.length > limit;
      return {
        urls: page.map((queue) => queueUrl(ctx, queue)),
        ...(more && { NextToken: Buffer.from(page.at(-1)!.name).toString("base64") }),
      };
    },
  };
}
