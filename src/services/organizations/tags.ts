// Tags of roots, OUs, accounts and policies: one JSON object a resource.
import {
  type Access,
  type Arn,
  type Context,
  defineOperations,
  parseArn,
  requestTagKeys,
  requestTags,
  type Tx,
} from "../../kernel/mod.ts";
import { errors } from "./errors.ts";
import { managedBy, onIds } from "./membership.ts";
import { FULL_ACCESS, idOf } from "./names.ts";
import { LIMITS, type OrganizationRow } from "./tables.ts";

type Tags = Readonly<Record<string, string>>;
export type GivenTags = readonly { Key: string | undefined; Value: string | undefined }[] | undefined;
interface About {
  readonly ResourceId?: string | undefined;
  readonly Tags?: GivenTags;
  readonly TagKeys?: readonly string[] | undefined;
}

export const tags = defineOperations("organizations", {
  TagResource: {
    access: onIds("TagResource", idsOf, ({ Tags }: About) => requestTags(Tags)),
    async handle(ctx, { ResourceId, Tags }) {
      const given = tagsOf(Tags);
      await ctx.write(async (tx) => {
        const organization = await taggable(tx, ctx.account, ResourceId!);
        await putTags(tx, organization, { resource: ResourceId!, change: (old) => ({ ...old, ...given }) });
      });
      return {};
    },
  },

  UntagResource: {
    access: onIds("UntagResource", idsOf, ({ TagKeys }: About) => requestTagKeys(TagKeys)),
    async handle(ctx, { ResourceId, TagKeys }) {
      const change = (old: Tags) => Object.fromEntries(Object.entries(old).filter(([key]) => !TagKeys!.includes(key)));
      await ctx.write(async (tx) => {
        const organization = await taggable(tx, ctx.account, ResourceId!);
        await putTags(tx, organization, { resource: ResourceId!, change });
      });
      return {};
    },
  },

  ListTagsForResource: {
    access: onIds("ListTagsForResource", idsOf),
    async handle(ctx, { ResourceId }) {
      const found = await ctx.read(async (tx) =>
        readTags(tx, await taggable(tx, ctx.account, ResourceId!), ResourceId!),
      );
      return { Tags: Object.entries(found).map(([Key, Value]) => ({ Key, Value })) };
    },
  },
});

function idsOf({ ResourceId }: About) {
  return [ResourceId];
}

/** Making something with tags is two permissions. */
export const making = (action: string, given: GivenTags): Access[] => {
  const conditions = requestTags(given);
  const actions = given?.length ? [action, "TagResource"] : [action];
  return actions.map((name) => ({ action: `organizations:${name}`, resource: "*", conditions }));
};

/** Throws InvalidInput, or ConstraintViolation where there are too many. */
export function tagsOf(given: GivenTags = []): Tags {
  const keys = given.map(({ Key }) => Key!);
  if (new Set(keys).size < keys.length) throw errors.repeatedTags();
  if (keys.some((key) => /^aws:/i.test(key))) throw errors.systemTags();
  if (keys.length > LIMITS.tags) throw errors.tagLimit();
  return Object.fromEntries(given.map(({ Key, Value }) => [Key!, Value!]));
}

export async function putTags(
  tx: Tx,
  { id: organization }: Pick<OrganizationRow, "id">,
  { resource, change }: { resource: string; change: (old: Tags) => Tags },
): Promise<void> {
  const changed = change(await readTags(tx, { id: organization }, resource));
  if (Object.keys(changed).length > LIMITS.tags) throw errors.tagLimit();
  if (Object.keys(changed).length === 0) return await dropTags(tx, { id: organization }, resource);
  await tx.run(
    `INSERT INTO organizations_tag (organization_id, resource_id, tags) VALUES (:organization, :resource, :tags)
     ON CONFLICT (organization_id, resource_id) DO UPDATE SET tags = excluded.tags`,
    { organization, resource, tags: JSON.stringify(changed) },
  );
}

export async function dropTags(tx: Tx, { id }: Pick<OrganizationRow, "id">, resource: string): Promise<void> {
  await tx.run("DELETE FROM organizations_tag WHERE organization_id = :id AND resource_id = :resource", {
    id,
    resource,
  });
}

/** For aws:ResourceTag. */
export async function resourceTags(ctx: Context, arn: Arn): Promise<Tags | undefined> {
  const [, organization] = parseArn(arn)?.resource.split("/") ?? [];
  return organization?.startsWith("o-")
    ? await ctx.read((tx) => readTags(tx, { id: organization }, idOf(arn)))
    : undefined;
}

async function readTags(tx: Tx, { id }: Pick<OrganizationRow, "id">, resource: string): Promise<Tags> {
  const row = await tx.one<{ tags: string }>(
    "SELECT tags FROM organizations_tag WHERE organization_id = :id AND resource_id = :resource",
    { id, resource },
  );
  return row ? (JSON.parse(row.tags) as Tags) : {};
}

/** Throws TargetNotFound, unless the caller's organization has it. */
async function taggable(tx: Tx, account: string, id: string): Promise<OrganizationRow> {
  const organization = await managedBy(tx, account);
  if (id === FULL_ACCESS) throw errors.awsPolicy();
  const found = await tx.one(
    `SELECT id FROM organizations_unit WHERE organization_id = :organization AND id = :id
     UNION ALL SELECT id FROM organizations_policy WHERE organization_id = :organization AND id = :id
     UNION ALL SELECT account FROM organizations_account WHERE organization_id = :organization AND account = :id`,
    { organization: organization.id, id },
  );
  if (!found) throw errors.noTarget();
  return organization;
}
