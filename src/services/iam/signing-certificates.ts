// X.509 signing certificates of users. Nothing here signs with one: SOAP did.
import { type Context, defineOperations, newUniqueId, type Tx } from "../../kernel/mod.ts";
import { certificateOf } from "./certificates.ts";
import { errors } from "./errors.ts";
import { secondOf, settable } from "./tables.ts";
import { userPage } from "./user-pages.ts";
import { nameOf, onUser, type UserRow, userRow } from "./users.ts";

interface CertificateRow {
  readonly id: string;
  readonly body: string;
  readonly status: "Active" | "Inactive";
  readonly created_ms: number;
}

export const SIGNING_CERTIFICATES_PER_USER = 2;
const ID_LENGTH = 32;

export const signingCertificates = defineOperations("iam", {
  UploadSigningCertificate: {
    access: onUser("UploadSigningCertificate"),
    async handle(ctx, { UserName, CertificateBody }) {
      const { account } = ctx;
      const parsed = certificateOf(CertificateBody!);
      if (parsed.validToDate.getTime() < ctx.now) throw errors.expiredCertificate();
      const row: CertificateRow = {
        id: newUniqueId("", ID_LENGTH),
        body: CertificateBody!,
        status: "Active",
        created_ms: secondOf(ctx.now),
      };
      const user = await ctx.write(async (tx) => {
        const user = await userRow(tx, account, UserName ?? nameOf(ctx.principal));
        const owner = { account, user_key: user.user_key };
        const has = await tx.all<CertificateRow>(
          "SELECT * FROM iam_signing_certificate WHERE account = :account AND user_key = :user_key",
          owner,
        );
        if (has.some(({ body }) => certificateOf(body).fingerprint256 === parsed.fingerprint256))
          throw errors.duplicateCertificate();
        if (has.length >= SIGNING_CERTIFICATES_PER_USER)
          throw errors.quota("SigningCertificatesPerUser", SIGNING_CERTIFICATES_PER_USER);
        await tx.run(
          `INSERT INTO iam_signing_certificate (id, account, user_key, body, status, created_ms)
           VALUES (:id, :account, :user_key, :body, :status, :created_ms)`,
          { ...owner, ...row },
        );
        return user;
      });
      return { Certificate: listed(user, row) };
    },
  },

  ListSigningCertificates: {
    access: onUser("ListSigningCertificates"),
    async handle(ctx, input) {
      const { user, shown, more } = await userPage(ctx, input, { sql: OF_USER, key: ({ id }: CertificateRow) => id });
      return { Certificates: shown.map((row) => listed(user, row)), ...more };
    },
  },

  UpdateSigningCertificate: {
    access: onUser("UpdateSigningCertificate"),
    async handle(ctx, { UserName, CertificateId, Status }) {
      await change(ctx, { UserName, id: CertificateId! }, (tx, key) =>
        tx.run(
          "UPDATE iam_signing_certificate SET status = :status WHERE id = :id AND account = :account AND user_key = :user_key",
          { ...key, status: settable(Status!) },
        ),
      );
      return {};
    },
  },

  DeleteSigningCertificate: {
    access: onUser("DeleteSigningCertificate"),
    async handle(ctx, { UserName, CertificateId }) {
      await change(ctx, { UserName, id: CertificateId! }, (tx, key) =>
        tx.run(
          "DELETE FROM iam_signing_certificate WHERE id = :id AND account = :account AND user_key = :user_key",
          key,
        ),
      );
      return {};
    },
  },
});

const OF_USER = `SELECT * FROM iam_signing_certificate WHERE account = :account AND user_key = :user_key AND id > :after
  ORDER BY id LIMIT :limit`;

/** Throws NoSuchEntity where the user has none of this id: `work` says how many rows it changed. */
async function change(
  ctx: Context,
  { UserName, id }: { UserName: string | undefined; id: string },
  work: (tx: Tx, key: { id: string; account: string; user_key: string }) => Promise<number>,
): Promise<void> {
  const { account } = ctx;
  await ctx.write(async (tx) => {
    const { user_key } = await userRow(tx, account, UserName ?? nameOf(ctx.principal));
    if ((await work(tx, { id, account, user_key })) === 0) throw errors.noSuchCertificate(id);
  });
}

const listed = (user: UserRow, { id, body, status, created_ms }: CertificateRow) => ({
  UserName: user.name,
  CertificateId: id,
  CertificateBody: body,
  Status: status,
  UploadDate: new Date(created_ms),
});
