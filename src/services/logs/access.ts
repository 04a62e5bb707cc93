// What a caller must be allowed to do. A group's ARN is asked for as AWS does: `log-group:NAME:log-stream:`, so that a policy says `log-group:NAME:*`.
// https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazoncloudwatchlogs.html
import type { Access, Conditions, Context } from "../../kernel/mod.ts";
import { type GroupRef, groupArn, groupNamed, type Named, refOf } from "./rows.ts";

export const onGroup = (ref: GroupRef, action: string, conditions?: Conditions): Access => ({
  action: `logs:${action}`,
  resource: `${groupArn(ref)}:log-stream:`,
  ...(conditions && { conditions }),
});

export const onStream = (ref: GroupRef, action: string, stream: string | undefined): Access => ({
  action: `logs:${action}`,
  resource: `${groupArn(ref)}:log-stream:${stream ?? ""}`,
});

/** Of a request that names one group. */
export const onNamed = (ctx: Context, action: string, named: Named): Access => onGroup(groupNamed(ctx, named), action);

/** Of a request about all groups. */
export const onAll = (ctx: Context, action: string): Access => onGroup(refOf(ctx, ""), action);

export const onEverything = (action: string): Access => ({ action: `logs:${action}`, resource: "*" });
