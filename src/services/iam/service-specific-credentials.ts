// Names and passwords of users for services that take those, and API keys. None of these services is here: the passwords open nothing yet.
import { type Context, defineOperations, newToken, newUniqueId, type Tx } from "../../kernel/mod.ts";
import { errors } from "./errors.ts";
import { cut, pageOf } from "./paging.ts";
import { secondOf, settable } from "./tables.ts";
import { nameOf, onUser, userRow } from "./users.ts";

interface CredentialRow {
  readonly id: string;
  readonly user_key: string;
  readonly service: string;
  readonly service_user_name: string;
  readonly status: "Active" | "Inactive";
  readonly created_ms: number;
  /** The user's, as it is written. */
  readonly user_name: string;
}

/** Amazon Bedrock and CloudWatch Logs take API keys instead: those are refused by name. */
const SERVICES = ["codecommit.amazonaws.com", "cassandra.amazonaws.com"];
const API_KEYS = ["bedrock.amazonaws.com", "logs.amazonaws.com"];
const PER_SERVICE = 2;
const SECRET_LENGTH = 44;

export const serviceSpecificCredentials = defineOperations("iam", {
  CreateServiceSpecificCredential: {
    async access(ctx, input) {
      const access = await onUser("CreateServiceSpecificCredential")(ctx, input);
      const service = { "iam:ServiceSpecificCredentialServiceName": input.ServiceName! };
      return { ...access, conditions: { ...access.conditions, ...service } };
    },
    async handle(ctx, { UserName, ServiceName, CredentialAgeDays }) {
      const { account } = ctx;
      const id = newUniqueId("ACCA");
      const secret = newToken(SECRET_LENGTH);
      const created_ms = secondOf(ctx.now);
      const row = await ctx.write(async (tx) => {
        const { user_key, name } = await userRow(tx, account, UserName!);
        const service = checkedService(ServiceName!);
        if (CredentialAgeDays !== undefined)
          throw errors.notImplemented("CreateServiceSpecificCredential's CredentialAgeDays");
        const has = await tx.all<{ service_user_name: string }>(
          `SELECT service_user_name FROM iam_service_specific_credential
           WHERE account = :account AND user_key = :user_key AND service = :service`,
          { account, user_key, service },
        );
        if (has.length >= PER_SERVICE) throw errors.quota("ServiceSpecificCredentialsPerUser", PER_SERVICE);
        const [first, second] = [`${name}-at-${account}`, `${name}+1-at-${account}`];
        const row: CredentialRow = {
          id,
          user_key,
          service,
          service_user_name: has[0]?.service_user_name === first ? second : first,
          status: "Active",
          created_ms,
          user_name: name,
        };
        const { user_name: _, ...kept } = row;
        await tx.run(
          `INSERT INTO iam_service_specific_credential
             (id, account, user_key, service, service_user_name, secret, status, created_ms)
           VALUES (:id, :account, :user_key, :service, :service_user_name, :secret, :status, :created_ms)`,
          { account, secret: ctx.seal(secret, about(id)), ...kept },
        );
        return row;
      });
      return { ServiceSpecificCredential: { ...listed(row), ServicePassword: secret } };
    },
  },

  ListServiceSpecificCredentials: {
    async access(ctx, input) {
      if (input.AllUsers) return { action: "iam:ListServiceSpecificCredentials", resource: "*" };
      return await onUser("ListServiceSpecificCredentials")(ctx, input);
    },
    async handle(ctx, input) {
      const page = pageOf(input);
      if (input.ServiceName !== undefined) checkedService(input.ServiceName);
      const rows = await ctx.read(async (tx) => {
        const of = { account: ctx.account, service: input.ServiceName ?? "", ...page };
        if (input.AllUsers) return await tx.all<CredentialRow>(`${LISTED} ${IN_ORDER}`, of);
        const { user_key } = await userRow(tx, ctx.account, input.UserName ?? nameOf(ctx.principal));
        return await tx.all<CredentialRow>(`${LISTED} AND c.user_key = :user_key ${IN_ORDER}`, { ...of, user_key });
      });
      const { shown, more } = cut(rows, page, ({ id }) => id);
      // AWS says IsTruncated only where there is more.
      return { ServiceSpecificCredentials: shown.map(listed), ...(more.IsTruncated && more) };
    },
  },

  UpdateServiceSpecificCredential: {
    access: onUser("UpdateServiceSpecificCredential"),
    async handle(ctx, { UserName, ServiceSpecificCredentialId, Status }) {
      await ctx.write(async (tx) => {
        const { id } = await credentialRow(tx, ctx, { UserName, id: ServiceSpecificCredentialId! });
        await tx.run("UPDATE iam_service_specific_credential SET status = :status WHERE id = :id", {
          id,
          status: settable(Status!),
        });
      });
      return {};
    },
  },

  ResetServiceSpecificCredential: {
    access: onUser("ResetServiceSpecificCredential"),
    async handle(ctx, { UserName, ServiceSpecificCredentialId }) {
      const secret = newToken(SECRET_LENGTH);
      const row = await ctx.write(async (tx) => {
        const row = await credentialRow(tx, ctx, { UserName, id: ServiceSpecificCredentialId! });
        await tx.run("UPDATE iam_service_specific_credential SET secret = :secret WHERE id = :id", {
          id: row.id,
          secret: ctx.seal(secret, about(row.id)),
        });
        return row;
      });
      return { ServiceSpecificCredential: { ...listed(row), ServicePassword: secret } };
    },
  },

  DeleteServiceSpecificCredential: {
    access: onUser("DeleteServiceSpecificCredential"),
    async handle(ctx, { UserName, ServiceSpecificCredentialId }) {
      await ctx.write(async (tx) => {
        const { id } = await credentialRow(tx, ctx, { UserName, id: ServiceSpecificCredentialId! });
        await tx.run("DELETE FROM iam_service_specific_credential WHERE id = :id", { id });
      });
      return {};
    },
  },
});

const about = (id: string): string => `iam service-specific credential ${id}`;

function checkedService(name: string): string {
  if (API_KEYS.includes(name)) throw errors.notImplemented(`API keys of ${name}`);
  if (!SERVICES.includes(name)) throw errors.noSuchCredentialService(name);
  return name;
}

const SELECT = `SELECT c.*, u.name AS user_name FROM iam_service_specific_credential c
  JOIN iam_user u ON u.account = c.account AND u.user_key = c.user_key`;
const LISTED = `${SELECT} WHERE c.account = :account AND c.id > :after AND (:service = '' OR c.service = :service)`;
const IN_ORDER = "ORDER BY c.id LIMIT :limit";

/** Throws NoSuchEntity, also where it is another user's. */
async function credentialRow(
  tx: Tx,
  ctx: Context,
  { UserName, id }: { UserName: string | undefined; id: string },
): Promise<CredentialRow> {
  const { account } = ctx;
  const { user_key } = await userRow(tx, account, UserName ?? nameOf(ctx.principal));
  const row = await tx.one<CredentialRow>(
    `${SELECT} WHERE c.account = :account AND c.user_key = :user_key AND c.id = :id`,
    {
      account,
      user_key,
      id,
    },
  );
  if (!row) throw errors.noSuchServiceCredential(id);
  return row;
}

const listed = (row: CredentialRow) => ({
  UserName: row.user_name,
  Status: row.status,
  ServiceUserName: row.service_user_name,
  CreateDate: new Date(row.created_ms),
  ServiceSpecificCredentialId: row.id,
  ServiceName: row.service,
});
