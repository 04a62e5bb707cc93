// CreateConnection, UpdateConnection, DescribeConnection, ListConnections, DeauthorizeConnection, DeleteConnection.
// https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-target-connection.html
import {
  type Access,
  type Arn,
  type Context,
  defineOperations,
  newRequestId,
  newToken,
  type Principal,
  type Tx,
} from "../../kernel/mod.ts";
import { onAll } from "./access.ts";
import {
  type AuthParameters,
  type AuthType,
  about,
  arnOf,
  type Connection,
  findConnection,
  keyOf,
  listConnections,
  openConnection,
  refOf,
  saveConnection,
} from "./connection-rows.ts";
import { errors } from "./errors.ts";
import { cursorOf, paged } from "./pages.ts";

const onConnection =
  (action: string) =>
  (ctx: Context, { Name }: { Name?: string | undefined }): Access => ({
    action: `events:${action}`,
    resource: arnOf("connection", refOf(ctx, Name)),
  });

export const connections = defineOperations("events", {
  CreateConnection: {
    access: onConnection("CreateConnection"),
    async handle(ctx, input) {
      if (input.InvocationConnectivityParameters)
        throw errors.notImplemented("CreateConnection's InvocationConnectivityParameters");
      const id = newRequestId();
      const given = authorization({ id }, input.AuthorizationType!, input.AuthParameters ?? {}, ctx);
      const connection: Connection = {
        ...refOf(ctx, input.Name),
        id,
        secret_id: `${newRequestId()}-${newToken(6)}`,
        description: input.Description ?? null,
        kms_key: input.KmsKeyIdentifier || null,
        ...given,
        created_ms: ctx.now,
        modified_ms: ctx.now,
      };
      await ctx.write(async (tx) => {
        if (await findConnection(tx, connection)) throw errors.connectionExists(connection.name);
        await saveConnection(tx, connection);
        await authorizeLater(ctx, tx, connection);
      });
      const { LastAuthorizedTime: _, ...answer } = told(connection);
      return answer;
    },
  },

  UpdateConnection: {
    access: onConnection("UpdateConnection"),
    async handle(ctx, input) {
      if (input.InvocationConnectivityParameters)
        throw errors.notImplemented("UpdateConnection's InvocationConnectivityParameters");
      const connection = await ctx.write(async (tx) => {
        const before = await openConnection(tx, refOf(ctx, input.Name), "update");
        const type = input.AuthorizationType ?? before.auth_type;
        const merged = mergedAuth(secretsOf(ctx, before), (input.AuthParameters ?? {}) as AuthParameters);
        const updated: Connection = {
          ...before,
          ...authorization(before, type, merged, ctx),
          description: input.Description ?? before.description,
          kms_key: input.KmsKeyIdentifier ?? before.kms_key,
          modified_ms: ctx.now,
        };
        await saveConnection(tx, updated);
        await authorizeLater(ctx, tx, updated);
        return updated;
      });
      return told(connection);
    },
  },

  DescribeConnection: {
    access: onConnection("DescribeConnection"),
    async handle(ctx, input) {
      const connection = await ctx.read((tx) => openConnection(tx, refOf(ctx, input.Name), "describe"));
      const { account, region, name, secret_id } = connection;
      return {
        ...listed(connection),
        ...(connection.description !== null && { Description: connection.description }),
        ...(connection.kms_key !== null && { KmsKeyIdentifier: connection.kms_key }),
        SecretArn: `arn:aws:secretsmanager:${region}:${account}:secret:events!connection/${name}/${secret_id}`,
        AuthParameters: JSON.parse(connection.parameters) as object,
      };
    },
  },

  ListConnections: {
    access: (ctx) => onAll(ctx, "ListConnections", "connection"),
    async handle(ctx, input) {
      const { account, region } = ctx;
      const { items, more } = await paged(input, (page) =>
        ctx.read((tx) => listConnections(tx, { account, region, prefix: input.NamePrefix ?? "", ...page })),
      );
      const wanted = items.filter(({ state }) => (input.ConnectionState ?? state) === state);
      return { Connections: wanted.map(listed), ...(more && { NextToken: cursorOf(items.at(-1)!.name) }) };
    },
  },

  DeauthorizeConnection: {
    access: onConnection("DeauthorizeConnection"),
    async handle(ctx, input) {
      const connection = await ctx.write(async (tx) => {
        const before = await openConnection(tx, refOf(ctx, input.Name), "deauthorize");
        await saveConnection(tx, { ...before, secret: null, token: null, state: "DEAUTHORIZED", modified_ms: ctx.now });
        return { ...before, modified_ms: ctx.now };
      });
      return { ...told(connection), ConnectionState: "DEAUTHORIZING" as const };
    },
  },

  DeleteConnection: {
    access: onConnection("DeleteConnection"),
    async handle(ctx, input) {
      const ref = refOf(ctx, input.Name);
      const connection = await ctx.write(async (tx) => {
        const found = await openConnection(tx, ref, "delete");
        await tx.run(
          "DELETE FROM events_connection WHERE account = :account AND region = :region AND name = :name",
          keyOf(ref),
        );
        return found;
      });
      return { ...told(connection), ConnectionState: "DELETING" as const };
    },
  },
});

const MEMBER = {
  BASIC: "BasicAuthParameters",
  API_KEY: "ApiKeyAuthParameters",
  OAUTH_CLIENT_CREDENTIALS: "OAuthParameters",
} as const;

/** The columns that say how it authorizes. OAuth's token is fetched by a work of its own. */
function authorization(
  of: Pick<Connection, "id">,
  type: AuthType,
  parameters: AuthParameters,
  ctx: Context,
): Pick<Connection, "auth_type" | "parameters" | "secret" | "token" | "state" | "state_reason" | "authorized_ms"> {
  if (parameters.ConnectivityParameters) throw errors.notImplemented("AuthParameters.ConnectivityParameters");
  const member = MEMBER[type];
  if (!parameters[member])
    throw errors.parameter(`AuthParameters.${member}`, `It must be specified for authorization type ${type}.`);
  const { InvocationHttpParameters } = parameters;
  const whole: AuthParameters = {
    [member]: parameters[member],
    ...(InvocationHttpParameters && { InvocationHttpParameters }),
  };
  const oauth = type === "OAUTH_CLIENT_CREDENTIALS";
  return {
    auth_type: type,
    parameters: JSON.stringify(shown(whole)),
    secret: ctx.seal(JSON.stringify(whole), about(of)),
    token: null,
    state: oauth ? "AUTHORIZING" : "AUTHORIZED",
    state_reason: null,
    authorized_ms: ctx.now,
  };
}

const SECRETS = ["Password", "ApiKeyValue", "ClientSecret"];

/** Without what is secret by nature, or said to be. */
function shown(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(shown);
  if (typeof value !== "object" || value === null) return value;
  const secret = (value as { IsValueSecret?: boolean }).IsValueSecret === true;
  const members = Object.entries(value).filter(([name]) => !SECRETS.includes(name) && !(secret && name === "Value"));
  return Object.fromEntries(members.map(([name, member]) => [name, shown(member)]));
}

export const secretsOf = (ctx: Context, connection: Connection): AuthParameters =>
  connection.secret === null
    ? {}
    : (JSON.parse(ctx.unseal(connection.secret, about(connection)) ?? "{}") as AuthParameters);

/** What an update says takes the place of what was; a user name may be changed without its password. */
function mergedAuth(before: AuthParameters, given: AuthParameters): AuthParameters {
  const basic = { ...before.BasicAuthParameters, ...given.BasicAuthParameters };
  const key = { ...before.ApiKeyAuthParameters, ...given.ApiKeyAuthParameters };
  const ClientParameters = { ...before.OAuthParameters?.ClientParameters, ...given.OAuthParameters?.ClientParameters };
  const oauth = { ...before.OAuthParameters, ...given.OAuthParameters, ClientParameters };
  const http = given.InvocationHttpParameters ?? before.InvocationHttpParameters;
  return {
    ...(Object.keys(basic).length > 0 && { BasicAuthParameters: basic as AuthParameters["BasicAuthParameters"] }),
    ...(Object.keys(key).length > 0 && { ApiKeyAuthParameters: key as AuthParameters["ApiKeyAuthParameters"] }),
    ...((before.OAuthParameters ?? given.OAuthParameters) && {
      OAuthParameters: oauth as AuthParameters["OAuthParameters"],
    }),
    ...(http && { InvocationHttpParameters: http }),
    ...(given.ConnectivityParameters && { ConnectivityParameters: given.ConnectivityParameters }),
  };
}

export const connectionPrincipal = (connection: Connection): Principal => ({
  kind: "service",
  name: "events.amazonaws.com",
  account: connection.account,
  sourceArn: arnOf("connection", connection),
});

/** 3 attempts, soon after each other: then it is deauthorized, and says why. */
const RETRY = { waitsMs: [1_000, 5_000], attempts: 3 };

async function authorizeLater(ctx: Context, tx: Tx, connection: Connection): Promise<void> {
  if (connection.state !== "AUTHORIZING") return;
  const to: Arn = arnOf("connection", connection);
  await ctx.put(tx, { to, as: connectionPrincipal(connection), payload: { kind: "authorize" }, retry: RETRY });
}

const told = (connection: Connection) => ({
  ConnectionArn: arnOf("connection", connection),
  ConnectionState: connection.state,
  CreationTime: new Date(connection.created_ms),
  LastModifiedTime: new Date(connection.modified_ms),
  ...(connection.authorized_ms !== null && { LastAuthorizedTime: new Date(connection.authorized_ms) }),
});

const listed = (connection: Connection) => ({
  ...told(connection),
  Name: connection.name,
  AuthorizationType: connection.auth_type,
  ...(connection.state_reason !== null && { StateReason: connection.state_reason }),
});
