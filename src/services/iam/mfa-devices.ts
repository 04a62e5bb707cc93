// Virtual multi-factor devices: a seed that a person's app holds too. The codes they show are checked on real time, each is good once.
import { type Access, type Arn, type Context, defineOperations, newUniqueId, type Tx } from "../../kernel/mod.ts";
import { errors } from "./errors.ts";
import { aboutSeed, type DeviceRow, shown, stepNow } from "./mfa-codes.ts";
import { cut, pageOf } from "./paging.ts";
import { qrCode } from "./qr-code.ts";
import { keyOf, ownerOf, secondOf } from "./tables.ts";
import { making, tagging, tagPage, tagsOf, tagsText, untagging, withoutTags, withTags } from "./tags.ts";
import { userPage } from "./user-pages.ts";
import { nameOf, onUser, type UserRow, userListed, userRow } from "./users.ts";

/** https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html */
const PER_USER = 8;
const SERIAL_LIMIT = 256;
/** Base32 digits, as long as AWS's: 320 bits. */
const SEED_LENGTH = 64;
export const mfaDevices = defineOperations("iam", {
  CreateVirtualMFADevice: {
    access: (ctx, { Path, VirtualMFADeviceName, Tags }) =>
      making(
        { action: "iam:CreateVirtualMFADevice", resource: deviceArn(ctx.account, Path, VirtualMFADeviceName!) },
        "TagMFADevice",
        Tags,
      ),
    async handle(ctx, { Path, VirtualMFADeviceName, Tags }) {
      const { account } = ctx;
      const serial = deviceArn(account, Path, VirtualMFADeviceName!);
      const seed = newUniqueId("", SEED_LENGTH);
      if (serial.length > SERIAL_LIMIT)
        throw errors.tooLong("virtualMFADeviceName", VirtualMFADeviceName!.length - serial.length + SERIAL_LIMIT);
      const tags = tagsText(Tags);
      await ctx.write(async (tx) => {
        const made = await tx.run(
          `INSERT INTO iam_mfa_device (serial, account, seed, last_step, tags) VALUES (:serial, :account, :seed, 0, :tags)
           ON CONFLICT DO NOTHING`,
          { serial, account, seed: ctx.seal(seed, aboutSeed(serial)), tags },
        );
        if (made === 0) throw errors.mfaDeviceExists();
      });
      return {
        VirtualMFADevice: {
          SerialNumber: serial,
          Base32StringSeed: Buffer.from(seed),
          // https://docs.aws.amazon.com/IAM/latest/APIReference/API_VirtualMFADevice.html
          QRCodePNG: qrCode(
            `otpauth://totp/${encodeURIComponent(`${VirtualMFADeviceName}@${account}`)}?secret=${seed}`,
          ),
          ...tagsOf(tags),
        },
      };
    },
  },

  DeleteVirtualMFADevice: {
    access: onDevice("DeleteVirtualMFADevice"),
    async handle(ctx, { SerialNumber }) {
      await ctx.write(async (tx) => {
        const device = await deviceRow(tx, ctx.account, SerialNumber!);
        if (device.owner !== null) throw errors.mfaDeviceInUse();
        await tx.run("DELETE FROM iam_mfa_device WHERE serial = :serial", { serial: device.serial });
      });
      return {};
    },
  },

  ListVirtualMFADevices: {
    access: (ctx) => ({ action: "iam:ListVirtualMFADevices", resource: `arn:aws:iam::${ctx.account}:mfa/` }),
    async handle(ctx, input) {
      const { AssignmentStatus = "Any" } = input;
      const page = pageOf(input);
      const rows = await ctx.read((tx) =>
        tx.all<DeviceRow & { user_name: string | null; user_path: string; user_id: string; user_created_ms: number }>(
          `SELECT d.*, u.name AS user_name, u.path AS user_path, u.id AS user_id, u.created_ms AS user_created_ms
           FROM iam_mfa_device d LEFT JOIN iam_user u ON u.account = d.account AND 'user:' || u.user_key = d.owner
           WHERE d.account = :account AND d.serial > :after
             AND (:status = 'Any' OR (:status = 'Assigned') = (d.owner IS NOT NULL)) ORDER BY d.serial LIMIT :limit`,
          { account: ctx.account, status: AssignmentStatus, ...page },
        ),
      );
      const { shown, more } = cut(rows, page, ({ serial }) => serial);
      const VirtualMFADevices = shown.map((row) => ({
        SerialNumber: row.serial,
        ...(row.user_name !== null && {
          User: userListed({
            account: row.account,
            name: row.user_name,
            path: row.user_path,
            id: row.user_id,
            created_ms: row.user_created_ms,
          }),
        }),
        ...(row.enabled_ms !== null && { EnableDate: new Date(row.enabled_ms) }),
      }));
      return { VirtualMFADevices, ...more };
    },
  },

  EnableMFADevice: {
    access: onUser("EnableMFADevice"),
    async handle(ctx, { UserName, SerialNumber, AuthenticationCode1, AuthenticationCode2 }) {
      const { account } = ctx;
      const step = stepNow();
      await ctx.write(async (tx) => {
        const user = await userRow(tx, account, UserName!);
        const device = await deviceRow(tx, account, SerialNumber!);
        if (device.owner !== null) throw errors.mfaDeviceTaken();
        const owner = ownerOf("user", user.name);
        const has = await tx.all("SELECT serial FROM iam_mfa_device WHERE account = :account AND owner = :owner", {
          account,
          owner,
        });
        if (has.length >= PER_USER) throw errors.quota("MFADevicesPerUser", PER_USER);
        const last = shown(ctx, device, { codes: [AuthenticationCode1!, AuthenticationCode2!], step });
        await tx.run(
          "UPDATE iam_mfa_device SET owner = :owner, enabled_ms = :now, last_step = :last WHERE serial = :serial",
          { serial: device.serial, owner, now: secondOf(ctx.now), last },
        );
      });
      return {};
    },
  },

  ResyncMFADevice: {
    access: onUser("ResyncMFADevice"),
    async handle(ctx, { UserName, SerialNumber, AuthenticationCode1, AuthenticationCode2 }) {
      const step = stepNow();
      await ctx.write(async (tx) => {
        const device = await deviceOf(tx, ctx.account, { user: UserName!, serial: SerialNumber! });
        const last = shown(ctx, device, { codes: [AuthenticationCode1!, AuthenticationCode2!], step });
        await tx.run("UPDATE iam_mfa_device SET last_step = :last WHERE serial = :serial", {
          serial: device.serial,
          last,
        });
      });
      return {};
    },
  },

  DeactivateMFADevice: {
    access: onUser("DeactivateMFADevice"),
    async handle(ctx, { UserName, SerialNumber }) {
      await ctx.write(async (tx) => {
        const device = await deviceOf(tx, ctx.account, {
          user: UserName ?? nameOf(ctx.principal),
          serial: SerialNumber!,
        });
        await tx.run("UPDATE iam_mfa_device SET owner = NULL, enabled_ms = NULL WHERE serial = :serial", {
          serial: device.serial,
        });
      });
      return {};
    },
  },

  ListMFADevices: {
    access: onUser("ListMFADevices"),
    async handle(ctx, input) {
      // Root has none, here.
      if (input.UserName === undefined && ctx.principal.kind === "root") return { MFADevices: [], IsTruncated: false };
      const {
        user,
        shown: devices,
        more,
      } = await userPage(ctx, input, { sql: OF_USER, key: ({ serial }: DeviceRow) => serial });
      return { MFADevices: devices.map((device) => enabled(device, user)), ...more };
    },
  },

  GetMFADevice: {
    access: onUser("GetMFADevice"),
    async handle(ctx, { UserName, SerialNumber }) {
      const name = UserName ?? nameOf(ctx.principal);
      return await ctx.read(async (tx) => {
        const user = await userRow(tx, ctx.account, name);
        return enabled(await deviceOf(tx, ctx.account, { user: name, serial: SerialNumber! }), user);
      });
    },
  },

  TagMFADevice: {
    access: (ctx, input) => tagging(onDevice("TagMFADevice")(ctx, input), input.Tags),
    async handle(ctx, { SerialNumber, Tags }) {
      await setTags(ctx, SerialNumber!, (old) => withTags(old, Tags));
      return {};
    },
  },

  UntagMFADevice: {
    access: (ctx, input) => untagging(onDevice("UntagMFADevice")(ctx, input), input.TagKeys),
    async handle(ctx, { SerialNumber, TagKeys }) {
      await setTags(ctx, SerialNumber!, (old) => withoutTags(old, TagKeys));
      return {};
    },
  },

  ListMFADeviceTags: {
    access: onDevice("ListMFADeviceTags"),
    async handle(ctx, input) {
      const device = await ctx.read((tx) => deviceRow(tx, ctx.account, input.SerialNumber!));
      return tagPage(device.tags, input);
    },
  },
});

const OF_USER = `SELECT * FROM iam_mfa_device WHERE account = :account AND owner = 'user:' || :user_key AND serial > :after
  ORDER BY serial LIMIT :limit`;

const deviceArn = (account: string, path = "/", name: string): Arn => `arn:aws:iam::${account}:mfa${path}${name}`;

function onDevice(action: string) {
  return (_ctx: Context, { SerialNumber }: { SerialNumber?: string | undefined }): Access => ({
    action: `iam:${action}`,
    resource: SerialNumber!,
  });
}

/** Throws NoSuchEntity. */
async function deviceRow(tx: Tx, account: string, serial: Arn): Promise<DeviceRow> {
  const device = await tx.one<DeviceRow>("SELECT * FROM iam_mfa_device WHERE account = :account AND serial = :serial", {
    account,
    serial,
  });
  if (!device) throw errors.noSuchMfaDevice(serial);
  return device;
}

/** Throws NoSuchEntity, also where it is another user's. */
async function deviceOf(tx: Tx, account: string, { user, serial }: { user: string; serial: Arn }): Promise<DeviceRow> {
  const { name } = await userRow(tx, account, user);
  const device = await deviceRow(tx, account, serial);
  if (device.owner !== `user:${keyOf(name)}`) throw errors.noMfaDeviceOfUser(serial, user);
  return device;
}

const enabled = ({ serial, enabled_ms }: DeviceRow, user: UserRow) => ({
  UserName: user.name,
  SerialNumber: serial,
  EnableDate: new Date(enabled_ms!),
});

async function setTags(ctx: Context, serial: Arn, value: (old: string) => string): Promise<void> {
  await ctx.write(async (tx) => {
    const { tags } = await deviceRow(tx, ctx.account, serial);
    await tx.run("UPDATE iam_mfa_device SET tags = :tags WHERE serial = :serial", { serial, tags: value(tags) });
  });
}
