// CreateScheduleGroup, GetScheduleGroup, DeleteScheduleGroup, ListScheduleGroups, and the tags of groups.
import {
  type Access,
  type Arn,
  type Conditions,
  type Context,
  defineOperations,
  requestTagKeys,
  requestTags,
  type Tags,
  type Tx,
} from "../../kernel/mod.ts";
import { errors } from "./errors.ts";
import { cursorOf, cutTo, readCursor } from "./pages.ts";
import {
  countGroups,
  DEFAULT,
  findGroup,
  type GroupRef,
  type GroupRow,
  groupArn,
  groupOfArn,
  groupRef,
  insertGroup,
  listGroups,
  openGroup,
  removeGroup,
  retagGroup,
} from "./rows.ts";

// https://docs.aws.amazon.com/scheduler/latest/UserGuide/scheduler-quotas.html
const MOST_GROUPS = 500;
// https://docs.aws.amazon.com/general/latest/gr/aws_tagging.html
const MOST_TAGS = 50;

const onGroup = (ctx: Context, action: string, name: string | undefined, conditions?: Conditions): Access => ({
  action: `scheduler:${action}`,
  resource: groupArn(groupRef(ctx, name)),
  ...(conditions && { conditions }),
});

const onTags = (action: string, arn: string | undefined, conditions?: Conditions): Access => ({
  action: `scheduler:${action}`,
  resource: arn ?? "",
  ...(conditions && { conditions }),
});

export const groups = defineOperations("scheduler", {
  CreateScheduleGroup: {
    access: (ctx, input) =>
      ["CreateScheduleGroup", ...(input.Tags?.length ? ["TagResource"] : [])].map((action) =>
        onGroup(ctx, action, input.Name, requestTags(input.Tags)),
      ),
    async handle(ctx, input) {
      const ref = groupRef(ctx, input.Name);
      const tags = tagged({}, input.Tags ?? []);
      const token = input.ClientToken ?? null;
      await ensureDefault(ctx);
      await ctx.write(async (tx) => {
        const there = await findGroup(tx, ref);
        if (there && (token === null || there.client_token !== token)) throw errors.groupExists(ref.group);
        if (there) return;
        if ((await countGroups(tx, ref)) >= MOST_GROUPS) throw errors.tooManyGroups(MOST_GROUPS);
        await insertGroup(tx, rowOf(ref, { tags: JSON.stringify(tags), token, now: ctx.now }));
      });
      return { ScheduleGroupArn: groupArn(ref) };
    },
  },

  GetScheduleGroup: {
    access: (ctx, input) => onGroup(ctx, "GetScheduleGroup", input.Name),
    async handle(ctx, input) {
      await ensureDefault(ctx);
      return summaryOf(await ctx.read((tx) => openGroup(tx, groupRef(ctx, input.Name))));
    },
  },

  DeleteScheduleGroup: {
    access: (ctx, input) => onGroup(ctx, "DeleteScheduleGroup", input.Name),
    async handle(ctx, input) {
      const ref = groupRef(ctx, input.Name);
      if (ref.group === DEFAULT) throw errors.defaultGroup();
      await ctx.write(async (tx) => {
        await openGroup(tx, ref);
        await removeGroup(tx, ref);
      });
      return {};
    },
  },

  ListScheduleGroups: {
    access: (ctx) => onGroup(ctx, "ListScheduleGroups", "*"),
    async handle(ctx, input) {
      await ensureDefault(ctx);
      const { account, region } = ctx;
      const [after = ""] = readCursor(input.NextToken);
      const page = { account, region, prefix: input.NamePrefix ?? "", after };
      const { items, more } = await cutTo(input.MaxResults, (limit) =>
        ctx.read((tx) => listGroups(tx, { ...page, limit })),
      );
      return { ScheduleGroups: items.map(summaryOf), ...(more && { NextToken: cursorOf(items.at(-1)!.name) }) };
    },
  },

  TagResource: {
    access: (_ctx, input) => onTags("TagResource", input.ResourceArn, requestTags(input.Tags)),
    async handle(ctx, input) {
      await retag(ctx, input.ResourceArn, (before) => tagged(before, input.Tags ?? []));
      return {};
    },
  },

  UntagResource: {
    access: (_ctx, input) => onTags("UntagResource", input.ResourceArn, requestTagKeys(input.TagKeys)),
    async handle(ctx, input) {
      const gone = new Set(input.TagKeys);
      await retag(ctx, input.ResourceArn, (before) =>
        Object.fromEntries(Object.entries(before).filter(([key]) => !gone.has(key))),
      );
      return {};
    },
  },

  ListTagsForResource: {
    access: (_ctx, input) => onTags("ListTagsForResource", input.ResourceArn),
    async handle(ctx, input) {
      await ensureDefault(ctx);
      const { tags } = await ctx.read((tx) => openGroup(tx, named(input.ResourceArn)));
      return { Tags: Object.entries(JSON.parse(tags) as Tags).map(([Key, Value]) => ({ Key, Value })) };
    },
  },
});

/** For the door. */
export async function resourceTags(ctx: Context, resource: Arn): Promise<Tags | undefined> {
  const ref = groupOfArn(resource);
  const group = ref && (await ctx.read((tx) => findGroup(tx, ref)));
  return group && (JSON.parse(group.tags) as Tags);
}

/** Each account has the default group in each region; its row is made when somebody first looks. */
export async function ensureDefault(ctx: Context): Promise<void> {
  const ref = groupRef(ctx);
  if (await ctx.read((tx) => findGroup(tx, ref))) return;
  await ctx.write(async (tx) => {
    if (!(await findGroup(tx, ref))) await insertGroup(tx, rowOf(ref, { tags: "{}", token: null, now: ctx.now }));
  });
}

const rowOf = (
  { account, region, group }: GroupRef,
  { tags, token, now }: { tags: string; token: string | null; now: number },
): GroupRow => ({ account, region, name: group, tags, client_token: token, created_ms: now, modified_ms: now });

const summaryOf = ({ account, region, name, created_ms, modified_ms }: GroupRow) => ({
  Arn: groupArn({ account, region, group: name }),
  Name: name,
  State: "ACTIVE" as const,
  CreationDate: new Date(created_ms),
  LastModificationDate: new Date(modified_ms),
});

type TagList = readonly { readonly Key: string | undefined; readonly Value: string | undefined }[];

function tagged(before: Tags, given: TagList): Tags {
  const after = { ...before, ...Object.fromEntries(given.map(({ Key = "", Value = "" }) => [Key, Value])) };
  if (Object.keys(after).length > MOST_TAGS) throw errors.tooManyTags(MOST_TAGS);
  return after;
}

async function retag(ctx: Context, arn: string | undefined, to: (before: Tags) => Tags): Promise<void> {
  const ref = named(arn);
  await ensureDefault(ctx);
  await ctx.write(async (tx: Tx) => {
    const { tags } = await openGroup(tx, ref);
    await retagGroup(tx, ref, { tags: JSON.stringify(to(JSON.parse(tags) as Tags)), now: ctx.now });
  });
}

/** The model lets ARNs of groups alone pass. */
const named = (arn: string | undefined): GroupRef => {
  const ref = groupOfArn(arn ?? "");
  if (!ref) throw errors.arn();
  return ref;
};
