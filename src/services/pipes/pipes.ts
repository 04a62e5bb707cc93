// CreatePipe, DescribePipe, UpdatePipe, DeletePipe, ListPipes, StartPipe, StopPipe.
import { type Access, type Context, defineOperations, type Input, type Output, requestTags } from "../../kernel/mod.ts";
import { check, type Definition } from "./definition.ts";
import {
  findPipe,
  insertPipe,
  listPipes,
  openPipe,
  type PipeRow,
  pipeArn,
  refOf,
  removePipe,
  type State,
  savePipe,
} from "./rows.ts";
import { begin, end, forget, obstacle } from "./running.ts";

const onPipe = (ctx: Context, action: string, name: string | undefined, conditions?: Access["conditions"]): Access => ({
  action: `pipes:${action}`,
  resource: pipeArn(refOf(ctx, name)),
  ...(conditions && { conditions }),
});

/** The role is handed to Pipes. */
const passRole = (role: string | undefined): Access => ({
  action: "iam:PassRole",
  resource: role ?? "",
  conditions: { "iam:PassedToService": "pipes.amazonaws.com" },
});

export const pipes = defineOperations("pipes", {
  CreatePipe: {
    access: (ctx, input) => [
      onPipe(ctx, "CreatePipe", input.Name, requestTags(input.Tags)),
      ...(input.Tags ? [onPipe(ctx, "TagResource", input.Name, requestTags(input.Tags))] : []),
      passRole(input.RoleArn),
    ],
    async handle(ctx, input) {
      const definition = definitionOf(input);
      check(ctx, definition);
      const now = ctx.now;
      const row: PipeRow = {
        ...refOf(ctx, input.Name),
        definition: JSON.stringify(definition),
        desired: input.DesiredState ?? "RUNNING",
        state: "STOPPED",
        reason: null,
        tags: JSON.stringify(input.Tags ?? {}),
        created_ms: now,
        modified_ms: now,
      };
      await ctx.write((tx) => insertPipe(tx, row));
      return answer(await arrive(ctx, row, "CREATE_FAILED"), "CREATING");
    },
  },

  DescribePipe: {
    access: (ctx, input) => onPipe(ctx, "DescribePipe", input.Name),
    async handle(ctx, input) {
      const row = await ctx.read((tx) => openPipe(tx, refOf(ctx, input.Name)));
      const definition = JSON.parse(row.definition) as Definition;
      const tags = JSON.parse(row.tags) as Record<string, string>;
      return {
        ...answer(row, row.state),
        ...(row.reason !== null && { StateReason: row.reason }),
        ...(definition as Output<"pipes", "DescribePipe">),
        ...(Object.keys(tags).length > 0 && { Tags: tags }),
      };
    },
  },

  UpdatePipe: {
    access: (ctx, input) => [onPipe(ctx, "UpdatePipe", input.Name), passRole(input.RoleArn)],
    async handle(ctx, input) {
      const ref = refOf(ctx, input.Name);
      const before = await ctx.read((tx) => openPipe(tx, ref));
      const definition = updated(JSON.parse(before.definition) as Definition, input);
      check(ctx, definition);
      const desired = input.DesiredState ?? before.desired;
      const row: PipeRow = { ...before, definition: JSON.stringify(definition), desired, modified_ms: ctx.now };
      await end(ctx, row);
      return answer(await arrive(ctx, row, "UPDATE_FAILED"), "UPDATING");
    },
  },

  DeletePipe: {
    access: (ctx, input) => onPipe(ctx, "DeletePipe", input.Name),
    async handle(ctx, input) {
      const ref = refOf(ctx, input.Name);
      const row = await ctx.write(async (tx) => {
        const row = await openPipe(tx, ref);
        await removePipe(tx, ref);
        return row;
      });
      await end(ctx, row);
      await forget(ctx, row);
      return answer({ ...row, modified_ms: ctx.now }, "DELETING");
    },
  },

  ListPipes: {
    access: (ctx) => onPipe(ctx, "ListPipes", "*"),
    async handle(ctx, input) {
      const limit = input.Limit ?? MOST_LISTED;
      const { account, region } = ctx;
      const wanted = (row: PipeRow) => listed(row, input);
      const found: PipeRow[] = [];
      let after = input.NextToken === undefined ? "" : Buffer.from(input.NextToken, "base64").toString();
      for (let page: PipeRow[] = []; found.length <= limit; ) {
        page = await ctx.read((tx) => listPipes(tx, { account, region, after, limit: MOST_LISTED + 1 }));
        found.push(...page.filter(wanted));
        if (page.length <= MOST_LISTED) break;
        after = page.at(-1)!.name;
      }
      const shown = found.slice(0, limit);
      const more = found.length > limit;
      return {
        Pipes: shown.map((row) => {
          const { Source, Target, Enrichment } = JSON.parse(row.definition) as Definition;
          const { reason } = row;
          return {
            ...answer(row, row.state),
            Source,
            Target,
            ...(Enrichment && { Enrichment }),
            ...(reason !== null && { StateReason: reason }),
          };
        }),
        ...(more && { NextToken: Buffer.from(shown.at(-1)!.name).toString("base64") }),
      };
    },
  },

  StartPipe: {
    access: (ctx, input) => onPipe(ctx, "StartPipe", input.Name),
    async handle(ctx, input) {
      const before = await ctx.read((tx) => openPipe(tx, refOf(ctx, input.Name)));
      const row: PipeRow = { ...before, desired: "RUNNING", modified_ms: ctx.now };
      await end(ctx, row);
      return answer(await arrive(ctx, row, "START_FAILED"), "STARTING");
    },
  },

  StopPipe: {
    access: (ctx, input) => onPipe(ctx, "StopPipe", input.Name),
    async handle(ctx, input) {
      const before = await ctx.read((tx) => openPipe(tx, refOf(ctx, input.Name)));
      const row: PipeRow = { ...before, desired: "STOPPED", modified_ms: ctx.now };
      await end(ctx, row);
      return answer(await arrive(ctx, row, "START_FAILED"), "STOPPING");
    },
  },
});

const MOST_LISTED = 100;

const definitionOf = ({ Name: _, DesiredState: __, Tags: ___, ...definition }: Input<"pipes", "CreatePipe">) =>
  definition as Definition;

/** What is not given stays, a source's starting point always; an empty Enrichment takes it away. */
function updated(before: Definition, input: Input<"pipes", "UpdatePipe">): Definition {
  const { Name: _, DesiredState: __, SourceParameters, ...rest } = input;
  const given = Object.fromEntries(Object.entries(rest).filter(([, value]) => value !== undefined));
  const after = { ...before, ...given } as Definition;
  if (input.Enrichment === "") after.Enrichment = undefined;
  if (!SourceParameters) return after;
  const { DynamoDBStreamParameters: stream, ...others } = SourceParameters;
  const StartingPosition = before.SourceParameters?.DynamoDBStreamParameters?.StartingPosition;
  const streams = stream && { DynamoDBStreamParameters: { ...stream, StartingPosition } };
  after.SourceParameters = { ...before.SourceParameters, ...others, ...streams } as Definition["SourceParameters"];
  return after;
}

/** Where the pipe was to go, or why it cannot. */
async function arrive(ctx: Context, row: PipeRow, failed: State): Promise<PipeRow> {
  const reason = row.desired === "RUNNING" ? await obstacle(ctx, row) : undefined;
  const state: State = reason === undefined ? row.desired : failed;
  const arrived: PipeRow = { ...row, state, reason: reason ?? null };
  const there = await ctx.write(async (tx) => {
    const now = await findPipe(tx, row);
    return now !== undefined && savePipe(tx, { ...arrived, tags: now.tags }); // which may have changed meanwhile
  });
  if (there && state === "RUNNING") await begin(ctx, arrived);
  return arrived;
}

type Told = Output<"pipes", "CreatePipe">;

const answer = (row: PipeRow, state: NonNullable<Told["CurrentState"]>) => ({
  Arn: pipeArn(row),
  Name: row.name,
  DesiredState: row.desired,
  CurrentState: state,
  CreationTime: new Date(row.created_ms),
  LastModifiedTime: new Date(row.modified_ms),
});

function listed(row: PipeRow, input: Input<"pipes", "ListPipes">): boolean {
  const { Source, Target } = JSON.parse(row.definition) as Definition;
  return (
    row.name.startsWith(input.NamePrefix ?? "") &&
    (input.DesiredState === undefined || row.desired === input.DesiredState) &&
    (input.CurrentState === undefined || row.state === input.CurrentState) &&
    (Source ?? "").startsWith(input.SourcePrefix ?? "") &&
    (Target ?? "").startsWith(input.TargetPrefix ?? "")
  );
}
