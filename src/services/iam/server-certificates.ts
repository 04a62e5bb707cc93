// Server certificates: kept with their private keys, which nobody gets back.
import { type Access, type Arn, type Context, defineOperations, newUniqueId, type Tx } from "../../kernel/mod.ts";
import { certificateOf, checkChain, checkPrivateKey } from "./certificates.ts";
import { errors } from "./errors.ts";
import { cut, pageOf, underPath } from "./paging.ts";
import { renaming } from "./renaming.ts";
import { keyOf, secondOf } from "./tables.ts";
import { making, tagging, tagPage, tagsOf, tagsText, untagging, withoutTags, withTags } from "./tags.ts";

interface CertificateRow {
  readonly account: string;
  readonly certificate_key: string;
  readonly name: string;
  readonly path: string;
  readonly id: string;
  readonly body: string;
  readonly chain: string | null;
  /** Sealed. */
  readonly private_key: string;
  readonly created_ms: number;
  readonly expires_ms: number;
  readonly tags: string;
}

export const SERVER_CERTIFICATES = 20;

export const serverCertificates = defineOperations("iam", {
  UploadServerCertificate: {
    access: (ctx, { Path, ServerCertificateName, Tags }) =>
      making(
        {
          action: "iam:UploadServerCertificate",
          resource: certificateArn(ctx.account, Path, ServerCertificateName!),
        },
        "TagServerCertificate",
        Tags,
      ),
    async handle(ctx, input) {
      const { account } = ctx;
      const parsed = certificateOf(input.CertificateBody!);
      checkPrivateKey(parsed, input.PrivateKey!);
      if (input.CertificateChain !== undefined) checkChain(parsed, input.CertificateChain);
      const id = newUniqueId("ASCA");
      const row: CertificateRow = {
        account,
        certificate_key: keyOf(input.ServerCertificateName!),
        name: input.ServerCertificateName!,
        path: input.Path ?? "/",
        id,
        body: input.CertificateBody!,
        chain: input.CertificateChain ?? null,
        private_key: ctx.seal(input.PrivateKey!, `iam server certificate ${id}`),
        created_ms: secondOf(ctx.now),
        expires_ms: parsed.validToDate.getTime(),
        tags: tagsText(input.Tags),
      };
      await ctx.write(async (tx) => {
        const made = await tx.run(
          `INSERT INTO iam_server_certificate
             (account, certificate_key, name, path, id, body, chain, private_key, created_ms, expires_ms, tags)
           VALUES (:account, :certificate_key, :name, :path, :id, :body, :chain, :private_key, :created_ms, :expires_ms, :tags)
           ON CONFLICT DO NOTHING`,
          { ...row },
        );
        if (made === 0) throw errors.serverCertificateExists(row.name);
        const all = await tx.all("SELECT 1 AS one FROM iam_server_certificate WHERE account = :account", { account });
        if (all.length > SERVER_CERTIFICATES) throw errors.quota("ServerCertificatesPerAccount", SERVER_CERTIFICATES);
      });
      return { ServerCertificateMetadata: listed(row), ...tagsOf(row.tags) };
    },
  },

  GetServerCertificate: {
    access: onCertificate("GetServerCertificate"),
    async handle(ctx, { ServerCertificateName }) {
      const row = await ctx.read((tx) => certificateRow(tx, ctx.account, ServerCertificateName!));
      return {
        ServerCertificate: {
          ServerCertificateMetadata: listed(row),
          CertificateBody: row.body,
          ...(row.chain !== null && { CertificateChain: row.chain }),
          ...tagsOf(row.tags),
        },
      };
    },
  },

  ListServerCertificates: {
    access: (ctx, { PathPrefix }) => ({
      action: "iam:ListServerCertificates",
      resource: `arn:aws:iam::${ctx.account}:server-certificate${PathPrefix ?? "/"}`,
    }),
    async handle(ctx, input) {
      const page = pageOf(input);
      const rows = await ctx.read((tx) =>
        tx.all<CertificateRow>(
          `SELECT * FROM iam_server_certificate
           WHERE account = :account AND certificate_key > :after AND path >= :from AND path < :to
           ORDER BY certificate_key LIMIT :limit`,
          { account: ctx.account, ...page, ...underPath(input.PathPrefix) },
        ),
      );
      const { shown, more } = cut(rows, page, (row) => row.certificate_key);
      return { ServerCertificateMetadataList: shown.map(listed), ...more };
    },
  },

  UpdateServerCertificate: {
    access: async (ctx, input) =>
      renaming(await onCertificate("UpdateServerCertificate")(ctx, input), {
        path: input.NewPath,
        name: input.NewServerCertificateName,
      }),
    async handle(ctx, { ServerCertificateName, NewServerCertificateName, NewPath }) {
      const { account } = ctx;
      await ctx.write(async (tx) => {
        const row = await certificateRow(tx, account, ServerCertificateName!);
        const name = NewServerCertificateName ?? row.name;
        const [from, to] = [row.certificate_key, keyOf(name)];
        if (from !== to && (await findCertificate(tx, account, name))) throw errors.serverCertificateExists(name);
        await tx.run(
          `UPDATE iam_server_certificate SET certificate_key = :to, name = :name, path = :path
           WHERE account = :account AND certificate_key = :from`,
          { account, from, to, name, path: NewPath ?? row.path },
        );
      });
      return {};
    },
  },

  DeleteServerCertificate: {
    access: onCertificate("DeleteServerCertificate"),
    async handle(ctx, { ServerCertificateName }) {
      await ctx.write(async (tx) => {
        const { account, certificate_key } = await certificateRow(tx, ctx.account, ServerCertificateName!);
        await tx.run(
          "DELETE FROM iam_server_certificate WHERE account = :account AND certificate_key = :certificate_key",
          {
            account,
            certificate_key,
          },
        );
      });
      return {};
    },
  },

  TagServerCertificate: {
    access: async (ctx, input) => tagging(await onCertificate("TagServerCertificate")(ctx, input), input.Tags),
    async handle(ctx, { ServerCertificateName, Tags }) {
      await setTags(ctx, ServerCertificateName!, (old) => withTags(old, Tags));
      return {};
    },
  },

  UntagServerCertificate: {
    access: async (ctx, input) => untagging(await onCertificate("UntagServerCertificate")(ctx, input), input.TagKeys),
    async handle(ctx, { ServerCertificateName, TagKeys }) {
      await setTags(ctx, ServerCertificateName!, (old) => withoutTags(old, TagKeys));
      return {};
    },
  },

  ListServerCertificateTags: {
    access: onCertificate("ListServerCertificateTags"),
    async handle(ctx, input) {
      const row = await ctx.read((tx) => certificateRow(tx, ctx.account, input.ServerCertificateName!));
      return tagPage(row.tags, input);
    },
  },
});

const certificateArn = (account: string, path = "/", name: string): Arn =>
  `arn:aws:iam::${account}:server-certificate${path}${name}`;

/** Throws NoSuchEntity. */
async function certificateRow(tx: Tx, account: string, name: string): Promise<CertificateRow> {
  const row = await findCertificate(tx, account, name);
  if (!row) throw errors.noSuchServerCertificate(name);
  return row;
}

const findCertificate = (tx: Tx, account: string, name: string): Promise<CertificateRow | undefined> =>
  tx.one<CertificateRow>("SELECT * FROM iam_server_certificate WHERE account = :account AND certificate_key = :key", {
    account,
    key: keyOf(name),
  });

/** `access` of an operation on a certificate. Of one that is not there AWS says no ARN: only `*` allows it. */
function onCertificate(action: string) {
  return async (
    ctx: Context,
    { ServerCertificateName: name }: { ServerCertificateName?: string | undefined },
  ): Promise<Access> => {
    const row = await ctx.read((tx) => findCertificate(tx, ctx.account, name!));
    const resource = row ? certificateArn(row.account, row.path, row.name) : `server certificate ${name}`;
    return { action: `iam:${action}`, resource };
  };
}

const listed = (row: CertificateRow) => ({
  Path: row.path,
  ServerCertificateName: row.name,
  ServerCertificateId: row.id,
  Arn: certificateArn(row.account, row.path, row.name),
  UploadDate: new Date(row.created_ms),
  Expiration: new Date(row.expires_ms),
});

async function setTags(ctx: Context, name: string, value: (old: string) => string): Promise<void> {
  await ctx.write(async (tx) => {
    const { account, certificate_key, tags } = await certificateRow(tx, ctx.account, name);
    await tx.run(
      "UPDATE iam_server_certificate SET tags = :tags WHERE account = :account AND certificate_key = :certificate_key",
      { account, certificate_key, tags: value(tags) },
    );
  });
}
