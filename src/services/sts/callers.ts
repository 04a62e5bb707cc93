// Who one is, whose a key is, and temporary credentials of one's own.
import { accountOfAccessKey, defineOperations } from "../../kernel/mod.ts";
import { errors } from "./errors.ts";
import { openSession } from "./sessions.ts";

const HALF_A_DAY_S = 43_200;
const ROOT_LONGEST_S = 3600;

export const callers = defineOperations("sts", {
  GetCallerIdentity: {
    // No permission is needed, and none can deny it.
    access: () => [],
    async handle({ principal }) {
      if (principal.kind === "anonymous" || principal.kind === "service") throw new Error("no such caller comes here");
      return { UserId: principal.id, Account: principal.account, Arn: principal.arn };
    },
  },

  GetSessionToken: {
    access: () => [],
    async handle(ctx, { DurationSeconds = HALF_A_DAY_S, SerialNumber, TokenCode }) {
      const { principal } = ctx;
      if (principal.kind === "session") throw errors.sessionMayNot();
      if (principal.kind !== "user" && principal.kind !== "root") throw new Error("no such caller comes here");
      if (SerialNumber !== undefined || TokenCode !== undefined)
        throw errors.notImplemented("multi-factor authentication");
      const seconds = principal.kind === "root" ? Math.min(DurationSeconds, ROOT_LONGEST_S) : DurationSeconds;
      return { Credentials: await openSession(ctx, principal, seconds) };
    },
  },

  GetAccessKeyInfo: {
    access: () => ({ action: "sts:GetAccessKeyInfo", resource: "*" }),
    async handle(_ctx, { AccessKeyId }) {
      const Account = accountOfAccessKey(AccessKeyId!);
      if (Account === undefined) throw errors.noSuchKey();
      return { Account };
    },
  },
});
