// Text messages: their settings, and the numbers that want none. Nothing leaves this machine: what is sent lies in the outbox.
import { type Context, defineOperations, type Tx } from "../../kernel/mod.ts";
import { digitsOf, isPhoneNumber } from "./endpoints.ts";
import { errors } from "./errors.ts";

const onPhones = (action: string) => () => ({ action: `sns:${action}`, resource: "*" });

export const sms = defineOperations("sns", {
  SetSMSAttributes: {
    access: onPhones("SetSMSAttributes"),
    async handle(ctx, { attributes = {} }) {
      for (const [name, value] of Object.entries(attributes)) {
        const holds = Object.hasOwn(SETTINGS, name) ? SETTINGS[name] : undefined;
        if (!holds) throw errors.smsAttribute(`${name} is not a valid attribute`);
        if (value !== "" && !holds(value)) throw errors.smsAttribute(`${name} is invalid`);
      }
      await ctx.write(async (tx) => {
        const after = Object.entries({ ...(await settingsOf(ctx, tx)), ...attributes }).filter(
          ([, value]) => value !== "",
        );
        const { account, region } = ctx;
        await tx.run(
          `INSERT INTO sns_sms_settings (account, region, attributes) VALUES (:account, :region, :attributes)
           ON CONFLICT (account, region) DO UPDATE SET attributes = excluded.attributes`,
          { account, region, attributes: JSON.stringify(Object.fromEntries(after)) },
        );
      });
      return {};
    },
  },

  GetSMSAttributes: {
    access: onPhones("GetSMSAttributes"),
    async handle(ctx, { attributes: names = [] }) {
      const all = { MonthlySpendLimit: "1", ...(await ctx.read((tx) => settingsOf(ctx, tx))) };
      const asked = Object.entries(all).filter(([name]) => names.length === 0 || names.includes(name));
      return { attributes: Object.fromEntries(asked) };
    },
  },

  CheckIfPhoneNumberIsOptedOut: {
    access: onPhones("CheckIfPhoneNumberIsOptedOut"),
    async handle(ctx, { phoneNumber = "" }) {
      const recipient = soundNumber(phoneNumber);
      return {
        isOptedOut: await ctx.read((tx) => isOptedOut(tx, { account: ctx.account, region: ctx.region, recipient })),
      };
    },
  },

  ListPhoneNumbersOptedOut: {
    access: onPhones("ListPhoneNumbersOptedOut"),
    async handle(ctx, { nextToken }) {
      const { account, region } = ctx;
      const after = nextToken === undefined ? "" : Buffer.from(nextToken, "base64").toString();
      const rows = await ctx.read((tx) =>
        tx.all<{ number: string }>(
          `SELECT number FROM sns_opted_out WHERE account = :account AND region = :region AND number > :after
           ORDER BY number LIMIT :limit`,
          { account, region, after, limit: PAGE + 1 },
        ),
      );
      const phoneNumbers = rows.slice(0, PAGE).map(({ number }) => number);
      const next = rows.length > PAGE ? { nextToken: Buffer.from(phoneNumbers.at(-1)!).toString("base64") } : {};
      return { phoneNumbers, ...next };
    },
  },

  OptInPhoneNumber: {
    access: onPhones("OptInPhoneNumber"),
    async handle(ctx, { phoneNumber = "" }) {
      const number = soundNumber(phoneNumber);
      const { account, region } = ctx;
      await ctx.write((tx) =>
        tx.run("DELETE FROM sns_opted_out WHERE account = :account AND region = :region AND number = :number", {
          account,
          region,
          number,
        }),
      );
      return {};
    },
  },
});

export async function isOptedOut(
  tx: Tx,
  { account, region, recipient }: { account: string; region: string; recipient: string },
): Promise<boolean> {
  const row = await tx.one(
    "SELECT number FROM sns_opted_out WHERE account = :account AND region = :region AND number = :recipient",
    { account, region, recipient },
  );
  return row !== undefined;
}

const PAGE = 100;

// https://docs.aws.amazon.com/sns/latest/api/API_SetSMSAttributes.html
const SETTINGS: Readonly<Record<string, (value: string) => boolean>> = {
  MonthlySpendLimit: (value) => /^\d{1,9}$/.test(value),
  DeliveryStatusSuccessSamplingRate: (value) => /^\d{1,3}$/.test(value) && Number(value) <= 100,
  DefaultSenderID: (value) => /^(?=.*[A-Za-z])[A-Za-z0-9]{1,11}$/.test(value),
  DefaultSMSType: (value) => value === "Promotional" || value === "Transactional",
  DeliveryStatusIAMRole() {
    throw errors.notImplemented("SetSMSAttributes' DeliveryStatusIAMRole");
  },
  UsageReportS3Bucket() {
    throw errors.notImplemented("SetSMSAttributes' UsageReportS3Bucket");
  },
};

export async function settingsOf({ account, region }: Context, tx: Tx): Promise<Readonly<Record<string, string>>> {
  const row = await tx.one<{ attributes: string }>(
    "SELECT attributes FROM sns_sms_settings WHERE account = :account AND region = :region",
    { account, region },
  );
  return row ? (JSON.parse(row.attributes) as Record<string, string>) : {};
}

function soundNumber(number: string): string {
  if (!isPhoneNumber(number)) throw errors.because("PhoneNumber", "input incorrectly formatted");
  return digitsOf(number);
}
