// What SNS signs its messages with: one key for a workspace, made when it is first needed, and its certificate, which anyone may fetch.
// https://docs.aws.amazon.com/sns/latest/dg/sns-verify-signature-of-message.html
import { createPrivateKey, generateKeyPair, type KeyObject, sign as signBytes } from "node:crypto";
import { promisify } from "node:util";
import { type Context, newHex, type Site, type Tx } from "../../kernel/mod.ts";
import { selfSigned } from "./certificate.ts";

export interface Signed {
  readonly version: "1" | "2";
  readonly signature: string;
  readonly certificateUrl: string;
}

const HASHES = { "1": "RSA-SHA1", "2": "RSA-SHA256" } as const;
const KEY_BITS = 2048;
/** AWS's common name. The certificate is signed by its own key alone: nobody's authority stands behind a local cloud. */
const COMMON_NAME = "sns.amazonaws.com";
const PREFIX = "/SimpleNotificationService-";
const SUFFIX = ".pem";

/** `text`: the names and values that AWS's page lists, a line each. */
export async function sign(ctx: Context, version: "1" | "2", text: string): Promise<Signed> {
  const { name, privateKey } = await keyOf(ctx);
  const signature = await signAsync(HASHES[version], Buffer.from(text), privateKey);
  return {
    version,
    signature: signature.toString("base64"),
    certificateUrl: `${ctx.endpoint}${PREFIX}${name}${SUFFIX}`,
  };
}

/** The SigningCertURL. */
export const certificates: Site = {
  matches: ({ method, path }) =>
    (method === "GET" || method === "HEAD") && path.startsWith(PREFIX) && path.endsWith(SUFFIX),
  async handle(ctx, { path }) {
    const name = path.slice(PREFIX.length, -SUFFIX.length);
    const row = await ctx.read((tx) => findKey(tx));
    if (row?.name !== name)
      return { status: 404, headers: { "content-type": "text/plain" }, body: "There is no such certificate.\n" };
    return { status: 200, headers: { "content-type": "application/x-pem-file" }, body: row.certificate };
  },
};

const signAsync = promisify(
  (hash: string, bytes: Buffer, key: KeyObject, done: (error: Error | null, signature: Buffer) => void) =>
    signBytes(hash, bytes, key, done),
);
const makeKeys = promisify(generateKeyPair);

interface Key {
  readonly name: string;
  readonly privateKey: KeyObject;
}

interface KeyRow {
  readonly name: string;
  /** Sealed. */
  readonly private_key: string;
  readonly certificate: string;
}

const SHELF = "sns signing key";

/** Read once by a process that has the store alone; where others write too it is read each time. */
const keyOf = (ctx: Context): Promise<Key> | Key =>
  ctx.recall(SHELF, "key", async () => {
    const row = (await ctx.read(findKey)) ?? (await makeKey(ctx));
    const pem = ctx.unseal(row.private_key, aboutOf(row.name));
    if (pem === undefined)
      throw new Error("the key that SNS signs with cannot be opened: .aws-like/store.key is another");
    return { name: row.name, privateKey: createPrivateKey(pem) };
  });

const findKey = (tx: Tx): Promise<KeyRow | undefined> =>
  tx.one<KeyRow>("SELECT name, private_key, certificate FROM sns_signing_key");

/** Whoever is first has made it. */
async function makeKey(ctx: Context): Promise<KeyRow> {
  const pair = await makeKeys("rsa", { modulusLength: KEY_BITS });
  const name = newHex(32);
  const pem = pair.privateKey.export({ type: "pkcs8", format: "pem" }) as string;
  const row: KeyRow = {
    name,
    private_key: ctx.seal(pem, aboutOf(name)),
    certificate: selfSigned(pair, { commonName: COMMON_NAME, serial: Buffer.from(name, "hex") }),
  };
  return ctx.write(async (tx) => {
    await tx.run(
      `INSERT INTO sns_signing_key (name, private_key, certificate, number) VALUES (:name, :private_key, :certificate, 1)
       ON CONFLICT (number) DO NOTHING`,
      { ...row },
    );
    return (await findKey(tx))!;
  });
}

const aboutOf = (name: string): string => `sns signing key ${name}`;
