// CreateApiDestination, UpdateApiDestination, DescribeApiDestination, ListApiDestinations, DeleteApiDestination.
// https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-api-destinations.html
import { type Access, type Context, defineOperations, newRequestId, type Tx } from "../../kernel/mod.ts";
import { onAll } from "./access.ts";
import {
  type ApiDestination,
  arnOf,
  type Connection,
  findConnection,
  findDestination,
  keyOf,
  listDestinations,
  type NamedRef,
  openDestination,
  refOf,
  refOfArn,
  saveDestination,
} from "./connection-rows.ts";
import { errors } from "./errors.ts";
import { cursorOf, paged } from "./pages.ts";

const DEFAULT_RATE_PER_S = 300;

const onDestination =
  (action: string) =>
  (ctx: Context, { Name }: { Name?: string | undefined }): Access => ({
    action: `events:${action}`,
    resource: arnOf("api-destination", refOf(ctx, Name)),
  });

export const apiDestinations = defineOperations("events", {
  CreateApiDestination: {
    access: onDestination("CreateApiDestination"),
    async handle(ctx, input) {
      const ref = refOf(ctx, input.Name);
      checkEndpoint(input.InvocationEndpoint!);
      return ctx.write(async (tx) => {
        if (await findDestination(tx, ref)) throw errors.apiDestinationExists(ref.name);
        const connection = await connectionOf(tx, ref, input.ConnectionArn!);
        const destination: ApiDestination = {
          ...ref,
          id: newRequestId(),
          description: input.Description ?? null,
          connection: connection.name,
          endpoint: input.InvocationEndpoint!,
          method: input.HttpMethod!,
          rate_per_s: input.InvocationRateLimitPerSecond ?? DEFAULT_RATE_PER_S,
          created_ms: ctx.now,
          modified_ms: ctx.now,
        };
        await saveDestination(tx, destination);
        return told(destination, connection.state);
      });
    },
  },

  UpdateApiDestination: {
    access: onDestination("UpdateApiDestination"),
    async handle(ctx, input) {
      if (input.InvocationEndpoint !== undefined) checkEndpoint(input.InvocationEndpoint);
      return ctx.write(async (tx) => {
        const before = await openDestination(tx, refOf(ctx, input.Name), "update");
        const connection =
          input.ConnectionArn === undefined
            ? await findConnection(tx, { ...before, name: before.connection })
            : await connectionOf(tx, before, input.ConnectionArn);
        const destination: ApiDestination = {
          ...before,
          description: input.Description ?? before.description,
          connection: connection?.name ?? before.connection,
          endpoint: input.InvocationEndpoint ?? before.endpoint,
          method: input.HttpMethod ?? before.method,
          rate_per_s: input.InvocationRateLimitPerSecond ?? before.rate_per_s,
          modified_ms: ctx.now,
        };
        await saveDestination(tx, destination);
        return told(destination, connection?.state);
      });
    },
  },

  DescribeApiDestination: {
    access: onDestination("DescribeApiDestination"),
    async handle(ctx, input) {
      const { destination, connection } = await ctx.read(async (tx) => {
        const found = await openDestination(tx, refOf(ctx, input.Name), "describe");
        return { destination: found, connection: await findConnection(tx, { ...found, name: found.connection }) };
      });
      const { description } = destination;
      return {
        ...listed(destination, connection && { id: connection.id, state: connection.state }),
        ...(description !== null && { Description: description }),
      };
    },
  },

  ListApiDestinations: {
    access: (ctx) => onAll(ctx, "ListApiDestinations", "api-destination"),
    async handle(ctx, input) {
      const { account, region } = ctx;
      const { items, more } = await paged(input, (page) =>
        ctx.read((tx) => listDestinations(tx, { account, region, prefix: input.NamePrefix ?? "", ...page })),
      );
      const all = items.map((one) => listed(one, { id: one.connection_id, state: one.connection_state }));
      const wanted = all.filter((one) => (input.ConnectionArn ?? one.ConnectionArn) === one.ConnectionArn);
      return { ApiDestinations: wanted, ...(more && { NextToken: cursorOf(items.at(-1)!.name) }) };
    },
  },

  DeleteApiDestination: {
    access: onDestination("DeleteApiDestination"),
    async handle(ctx, input) {
      const ref = refOf(ctx, input.Name);
      await ctx.write(async (tx) => {
        await openDestination(tx, ref, "delete");
        await tx.run(
          "DELETE FROM events_api_destination WHERE account = :account AND region = :region AND name = :name",
          keyOf(ref),
        );
      });
      return {};
    },
  },
});

/** HTTPS on AWS; here plain HTTP too, for endpoints of one's own machine. */
function checkEndpoint(endpoint: string): void {
  if (!/^https?:\/\//.test(endpoint) || !URL.canParse(endpoint))
    throw errors.parameter("InvocationEndpoint", "It must be a valid HTTPS endpoint.");
}

/** Of the destination's own account and region: what another holds is as if it were not there. */
async function connectionOf(tx: Tx, { account, region }: NamedRef, arn: string): Promise<Connection> {
  const ref = refOfArn("connection", arn);
  const own = ref?.account === account && ref.region === region;
  const connection = own ? await findConnection(tx, ref) : undefined;
  if (!connection || connection.id !== ref!.id) throw errors.notFound(`Connection '${arn}' does not exist.`);
  return connection;
}

const stateOf = (connection: string | undefined) =>
  connection === "AUTHORIZED" ? ("ACTIVE" as const) : ("INACTIVE" as const);

const told = (destination: ApiDestination, connectionState: string | undefined) => ({
  ApiDestinationArn: arnOf("api-destination", destination),
  ApiDestinationState: stateOf(connectionState),
  CreationTime: new Date(destination.created_ms),
  LastModifiedTime: new Date(destination.modified_ms),
});

function listed(destination: ApiDestination, connection: { id: string; state: string } | undefined) {
  const { account, region, connection: name } = destination;
  const id = connection?.id;
  return {
    ...told(destination, connection?.state),
    Name: destination.name,
    ...(id && { ConnectionArn: arnOf("connection", { account, region, name, id }) }),
    InvocationEndpoint: destination.endpoint,
    HttpMethod: destination.method as "POST",
    InvocationRateLimitPerSecond: destination.rate_per_s,
  };
}
