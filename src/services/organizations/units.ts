// Organizational units: what they are, what is above and below.
import { defineOperations, requestTags, type Tx } from "../../kernel/mod.ts";
import { errors } from "./errors.ts";
import { attachFullAccess } from "./joining.ts";
import { managedBy, onIds } from "./membership.ts";
import { arnOf, newId, parentType } from "./names.ts";
import { cut, pageOf } from "./paging.ts";
import { LIMITS, type OrganizationRow, type UnitRow } from "./tables.ts";
import { dropTags, type GivenTags, making, putTags, tagsOf } from "./tags.ts";

interface About {
  readonly ParentId?: string | undefined;
  readonly ChildId?: string | undefined;
  readonly OrganizationalUnitId?: string | undefined;
  readonly Tags?: GivenTags;
}

export const units = defineOperations("organizations", {
  CreateOrganizationalUnit: {
    access: async (ctx, input) => [
      ...(await onIds("CreateOrganizationalUnit", parentOf, ({ Tags }: About) => requestTags(Tags))(ctx, input)),
      ...making("CreateOrganizationalUnit", input.Tags).slice(1),
    ],
    async handle(ctx, { ParentId, Name, Tags }) {
      const given = tagsOf(Tags);
      const suffix = newId("", 8);
      return await ctx.write(async (tx) => {
        const organization = await managedBy(tx, ctx.account);
        const above = await pathToParent(tx, organization, ParentId!);
        if (above.length > LIMITS.depth) throw errors.depthLimit();
        const count = await tx.one<{ n: number }>(
          "SELECT COUNT(*) AS n FROM organizations_unit WHERE organization_id = :id AND parent_id IS NOT NULL",
          { id: organization.id },
        );
        if (count!.n >= LIMITS.units) throw errors.unitLimit();
        const unit: UnitRow = {
          id: `ou-${organization.root_id.slice(2)}${suffix}`,
          organization_id: organization.id,
          parent_id: ParentId!,
          name: Name!,
        };
        await checkName(tx, unit);
        await tx.run(
          "INSERT INTO organizations_unit (id, organization_id, parent_id, name) VALUES (:id, :organization_id, :parent_id, :name)",
          { ...unit },
        );
        if (organization.scps_enabled) await attachFullAccess(tx, organization, unit.id);
        await putTags(tx, organization, { resource: unit.id, change: () => given });
        return { OrganizationalUnit: described(organization, unit, pathText(organization, [...above, unit.id])) };
      });
    },
  },

  UpdateOrganizationalUnit: {
    access: onIds("UpdateOrganizationalUnit", unitOf),
    async handle(ctx, { OrganizationalUnitId, Name }) {
      return await ctx.write(async (tx) => {
        const organization = await managedBy(tx, ctx.account);
        const unit = await unitRow(tx, organization, OrganizationalUnitId!);
        const renamed = { ...unit, name: Name ?? unit.name };
        await checkName(tx, renamed);
        await tx.run("UPDATE organizations_unit SET name = :name WHERE id = :id", { id: unit.id, name: renamed.name });
        const path = pathText(organization, await pathTo(tx, organization, unit.id));
        return { OrganizationalUnit: described(organization, renamed, path) };
      });
    },
  },

  DescribeOrganizationalUnit: {
    access: onIds("DescribeOrganizationalUnit", unitOf),
    async handle(ctx, { OrganizationalUnitId }) {
      return await ctx.read(async (tx) => {
        const organization = await managedBy(tx, ctx.account);
        const unit = await unitRow(tx, organization, OrganizationalUnitId!);
        const path = pathText(organization, await pathTo(tx, organization, unit.id));
        return { OrganizationalUnit: described(organization, unit, path) };
      });
    },
  },

  DeleteOrganizationalUnit: {
    access: onIds("DeleteOrganizationalUnit", unitOf),
    async handle(ctx, { OrganizationalUnitId: id }) {
      await ctx.write(async (tx) => {
        const organization = await managedBy(tx, ctx.account);
        await unitRow(tx, organization, id!);
        const below = await tx.one(
          `SELECT id FROM organizations_unit WHERE parent_id = :id
           UNION ALL SELECT account FROM organizations_account WHERE parent_id = :id LIMIT 1`,
          { id: id! },
        );
        if (below) throw errors.unitNotEmpty();
        await tx.run("DELETE FROM organizations_unit WHERE id = :id", { id: id! });
        await tx.run("DELETE FROM organizations_attachment WHERE organization_id = :organization AND target_id = :id", {
          organization: organization.id,
          id: id!,
        });
        await dropTags(tx, organization, id!);
      });
      return {};
    },
  },

  ListOrganizationalUnitsForParent: {
    access: onIds("ListOrganizationalUnitsForParent", parentOf),
    async handle(ctx, { ParentId, ...input }) {
      const page = pageOf(input);
      return await ctx.read(async (tx) => {
        const organization = await managedBy(tx, ctx.account);
        const above = await pathToParent(tx, organization, ParentId!);
        const rows = await tx.all<UnitRow>(
          "SELECT * FROM organizations_unit WHERE parent_id = :parent AND id > :after ORDER BY id LIMIT :limit",
          { parent: ParentId!, ...page },
        );
        const { shown, more } = cut(rows, page, ({ id }) => id);
        const all = shown.map((unit) => described(organization, unit, pathText(organization, [...above, unit.id])));
        return { OrganizationalUnits: all, ...more };
      });
    },
  },

  ListParents: {
    access: onIds("ListParents", ({ ChildId }: About) => [ChildId]),
    async handle(ctx, { ChildId }) {
      const parent = await ctx.read(async (tx) => {
        const { id: organization } = await managedBy(tx, ctx.account);
        return await tx.one<{ parent_id: string }>(
          `SELECT parent_id FROM organizations_unit WHERE organization_id = :organization AND id = :id AND parent_id IS NOT NULL
           UNION ALL SELECT parent_id FROM organizations_account WHERE organization_id = :organization AND account = :id`,
          { organization, id: ChildId! },
        );
      });
      if (!parent) throw errors.noChild();
      return { Parents: [{ Id: parent.parent_id, Type: parentType(parent.parent_id) }] };
    },
  },

  ListChildren: {
    access: onIds("ListChildren", parentOf),
    async handle(ctx, { ParentId, ChildType, ...input }) {
      const page = pageOf(input);
      const rows = await ctx.read(async (tx) => {
        const organization = await managedBy(tx, ctx.account);
        await pathToParent(tx, organization, ParentId!);
        return await tx.all<{ id: string }>(CHILDREN[ChildType!], { parent: ParentId!, ...page });
      });
      const { shown, more } = cut(rows, page, ({ id }) => id);
      return { Children: shown.map(({ id }) => ({ Id: id, Type: ChildType! })), ...more };
    },
  },
});

const CHILDREN = {
  ACCOUNT:
    "SELECT account AS id FROM organizations_account WHERE parent_id = :parent AND account > :after ORDER BY account LIMIT :limit",
  ORGANIZATIONAL_UNIT:
    "SELECT id FROM organizations_unit WHERE parent_id = :parent AND id > :after ORDER BY id LIMIT :limit",
};

function unitOf({ OrganizationalUnitId }: About) {
  return [OrganizationalUnitId];
}

function parentOf({ ParentId }: About) {
  return [ParentId];
}

/** Ids from the root down to a root or unit; empty where the organization has none of that id. */
export async function pathTo(tx: Tx, { id: organization }: OrganizationRow, id: string): Promise<string[]> {
  const rows = await tx.all<{ id: string }>(
    `WITH RECURSIVE above (id, parent_id, height) AS (
       SELECT id, parent_id, 0 FROM organizations_unit WHERE organization_id = :organization AND id = :id
       UNION ALL SELECT u.id, u.parent_id, a.height + 1 FROM above a JOIN organizations_unit u ON u.id = a.parent_id)
     SELECT id FROM above ORDER BY height DESC`,
    { organization, id },
  );
  return rows.map((row) => row.id);
}

/** Of what children are asked for, or put below. Throws ParentNotFoundException. */
export async function pathToParent(tx: Tx, organization: OrganizationRow, id: string): Promise<string[]> {
  const above = await pathTo(tx, organization, id);
  if (above.length === 0) throw errors.noParent();
  return above;
}

/** `o-.../r-.../ou-.../`, as aws:PrincipalOrgPaths has it. */
export const pathText = ({ id }: Pick<OrganizationRow, "id">, ids: readonly string[]): string =>
  `${[id, ...ids].join("/")}/`;

async function unitRow(tx: Tx, { id: organization }: OrganizationRow, id: string): Promise<UnitRow> {
  const unit = await tx.one<UnitRow>(
    "SELECT * FROM organizations_unit WHERE organization_id = :organization AND id = :id AND parent_id IS NOT NULL",
    { organization, id },
  );
  if (!unit) throw errors.noUnit();
  return unit;
}

async function checkName(tx: Tx, { id, parent_id, name }: UnitRow): Promise<void> {
  const same = await tx.one(
    "SELECT id FROM organizations_unit WHERE parent_id = :parent AND name = :name AND id <> :id",
    {
      parent: parent_id,
      name,
      id,
    },
  );
  if (same) throw errors.unitExists();
}

const described = (organization: OrganizationRow, { id, name }: UnitRow, path: string) => ({
  Id: id,
  Arn: arnOf(organization, id),
  Name: name,
  Path: path,
});
