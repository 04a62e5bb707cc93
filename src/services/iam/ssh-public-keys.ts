// SSH keys of users, as CodeCommit takes them: RSA in either encoding, told back in the one that is asked for.
import { createHash, createPublicKey, type webcrypto } from "node:crypto";
import { type Context, defineOperations, newUniqueId, type Tx } from "../../kernel/mod.ts";
import { errors } from "./errors.ts";
import { secondOf, settable } from "./tables.ts";
import { userPage } from "./user-pages.ts";
import { onUser, type UserRow, userRow } from "./users.ts";

interface KeyRow {
  readonly id: string;
  /** In SSH's encoding, without comment. */
  readonly body: string;
  readonly fingerprint: string;
  readonly status: "Active" | "Inactive";
  readonly created_ms: number;
}

const PER_USER = 5;
const SHORTEST = 2048;
const LONGEST = 16_384;

export const sshPublicKeys = defineOperations("iam", {
  UploadSSHPublicKey: {
    access: onUser("UploadSSHPublicKey"),
    async handle(ctx, { UserName, SSHPublicKeyBody }) {
      const key = parse(SSHPublicKeyBody!);
      const row: KeyRow = {
        id: newUniqueId("APKA"),
        body: sshOf(key),
        fingerprint: fingerprint(key),
        status: "Active",
        created_ms: secondOf(ctx.now),
      };
      const user = await ctx.write(async (tx) => {
        const user = await userRow(tx, ctx.account, UserName!);
        const owner = { account: ctx.account, user_key: user.user_key };
        const has = await tx.all<KeyRow>(
          "SELECT * FROM iam_ssh_public_key WHERE account = :account AND user_key = :user_key",
          owner,
        );
        if (has.some(({ body }) => body === row.body)) throw errors.duplicateSshKey();
        if (has.length >= PER_USER) throw errors.quota("SSHPublicKeysPerUser", PER_USER);
        await tx.run(
          `INSERT INTO iam_ssh_public_key (id, account, user_key, body, fingerprint, status, created_ms)
           VALUES (:id, :account, :user_key, :body, :fingerprint, :status, :created_ms)`,
          { ...owner, ...row },
        );
        return user;
      });
      return { SSHPublicKey: { ...listed(user, row), Fingerprint: row.fingerprint, SSHPublicKeyBody: row.body } };
    },
  },

  GetSSHPublicKey: {
    access: onUser("GetSSHPublicKey"),
    async handle(ctx, { UserName, SSHPublicKeyId, Encoding }) {
      const { user, key } = await ctx.read((tx) =>
        keyOfUser(tx, ctx.account, { name: UserName!, id: SSHPublicKeyId! }),
      );
      const SSHPublicKeyBody = Encoding === "PEM" ? pemOf(key.body) : key.body;
      return { SSHPublicKey: { ...listed(user, key), Fingerprint: key.fingerprint, SSHPublicKeyBody } };
    },
  },

  ListSSHPublicKeys: {
    access: onUser("ListSSHPublicKeys"),
    async handle(ctx, input) {
      const { user, shown, more } = await userPage(ctx, input, { sql: OF_USER, key: ({ id }: KeyRow) => id });
      return { SSHPublicKeys: shown.map((key) => listed(user, key)), ...more };
    },
  },

  UpdateSSHPublicKey: {
    access: onUser("UpdateSSHPublicKey"),
    async handle(ctx, { UserName, SSHPublicKeyId, Status }) {
      await change(ctx, { name: UserName!, id: SSHPublicKeyId! }, (tx, id) =>
        tx.run("UPDATE iam_ssh_public_key SET status = :status WHERE id = :id", { id, status: settable(Status!) }),
      );
      return {};
    },
  },

  DeleteSSHPublicKey: {
    access: onUser("DeleteSSHPublicKey"),
    async handle(ctx, { UserName, SSHPublicKeyId }) {
      await change(ctx, { name: UserName!, id: SSHPublicKeyId! }, (tx, id) =>
        tx.run("DELETE FROM iam_ssh_public_key WHERE id = :id", { id }),
      );
      return {};
    },
  },
});

const OF_USER = `SELECT * FROM iam_ssh_public_key WHERE account = :account AND user_key = :user_key AND id > :after
  ORDER BY id LIMIT :limit`;

async function change(
  ctx: Context,
  of: { name: string; id: string },
  work: (tx: Tx, id: string) => Promise<number>,
): Promise<void> {
  await ctx.write(async (tx) => {
    const { key } = await keyOfUser(tx, ctx.account, of);
    await work(tx, key.id);
  });
}

async function keyOfUser(tx: Tx, account: string, { name, id }: { name: string; id: string }) {
  const user = await userRow(tx, account, name);
  const key = await tx.one<KeyRow>(
    "SELECT * FROM iam_ssh_public_key WHERE id = :id AND account = :account AND user_key = :user_key",
    { id, account, user_key: user.user_key },
  );
  if (!key) throw errors.noSuchSshKey(id);
  return { user, key };
}

const listed = (user: UserRow, { id, status, created_ms }: KeyRow) => ({
  UserName: user.name,
  SSHPublicKeyId: id,
  Status: status,
  UploadDate: new Date(created_ms),
});

/** An RSA key: modulus and exponent, big-endian. */
interface RsaKey {
  readonly n: Buffer;
  readonly e: Buffer;
}

/** `ssh-rsa BASE64 comment`, or PEM. Throws UnrecognizedPublicKeyEncoding or InvalidPublicKey. */
function parse(text: string): RsaKey {
  const [, encoded] = /^\s*ssh-rsa\s+([A-Za-z0-9+/=]+)/.exec(text) ?? [];
  const key = encoded === undefined ? fromPem(text) : fromSsh(Buffer.from(encoded, "base64"));
  const bits = key.n.length * 8 - Math.clz32(key.n[0] ?? 0) + 24;
  if (bits < SHORTEST || bits > LONGEST) throw errors.badPublicKey();
  return key;
}

function fromPem(text: string): RsaKey {
  if (!text.includes("-----BEGIN ")) throw errors.unknownKeyEncoding();
  let jwk: webcrypto.JsonWebKey;
  try {
    jwk = createPublicKey(text).export({ format: "jwk" });
  } catch {
    throw errors.badPublicKey();
  }
  if (jwk.kty !== "RSA") throw errors.badPublicKey();
  return { n: Buffer.from(jwk.n!, "base64url"), e: Buffer.from(jwk.e!, "base64url") };
}

/** RFC 4253, 6.6: strings and mpints, each with its length before it. */
function fromSsh(bytes: Buffer): RsaKey {
  const parts: Buffer[] = [];
  for (let at = 0; at + 4 <= bytes.length && parts.length < 3; ) {
    const length = bytes.readUInt32BE(at);
    parts.push(bytes.subarray(at + 4, at + 4 + length));
    at += 4 + length;
  }
  const [type, e, n] = parts;
  if (type?.toString("latin1") !== "ssh-rsa" || !e?.length || !n?.length) throw errors.badPublicKey();
  return { n: n[0] === 0 ? n.subarray(1) : n, e: e[0] === 0 ? e.subarray(1) : e };
}

function sshOf({ n, e }: RsaKey): string {
  const part = (bytes: Buffer) => {
    const length = Buffer.alloc(4);
    length.writeUInt32BE(bytes.length);
    return Buffer.concat([length, bytes]);
  };
  const positive = (bytes: Buffer) => (bytes[0]! & 0x80 ? Buffer.concat([Buffer.of(0), bytes]) : bytes);
  const whole = Buffer.concat([part(Buffer.from("ssh-rsa")), part(positive(e)), part(positive(n))]);
  return `ssh-rsa ${whole.toString("base64")}`;
}

function pemOf(body: string): string {
  return publicKey(fromSsh(Buffer.from(body.split(" ")[1]!, "base64"))).export({
    format: "pem",
    type: "spki",
  }) as string;
}

const publicKey = ({ n, e }: RsaKey) =>
  createPublicKey({ key: { kty: "RSA", n: n.toString("base64url"), e: e.toString("base64url") }, format: "jwk" });

/** MD5 of SSH's bytes, in pairs: what `ssh-keygen -E md5 -l` prints. */
const fingerprint = (key: RsaKey): string =>
  createHash("md5")
    .update(Buffer.from(sshOf(key).split(" ")[1]!, "base64"))
    .digest("hex")
    .replace(/..(?=.)/g, "$&:");
