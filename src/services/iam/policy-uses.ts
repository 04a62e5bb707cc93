// Who has a managed policy: attached, or as permissions boundary.
import { type Arn, defineOperations, type Tx } from "../../kernel/mod.ts";
import { cut, pageOf } from "./paging.ts";
import { onPolicy, policyRow } from "./policies.ts";

export interface Use {
  readonly attached: number;
  readonly bounding: number;
}

export const policyUses = defineOperations("iam", {
  ListEntitiesForPolicy: {
    access: onPolicy("ListEntitiesForPolicy"),
    async handle(ctx, input) {
      const { PolicyArn, EntityFilter, PathPrefix = "/", PolicyUsageFilter } = input;
      const page = pageOf(input);
      const rows = await ctx.read(async (tx) => {
        const { arn } = await policyRow(tx, ctx.account, PolicyArn!);
        return await tx.all<EntityRow>(ENTITIES, { account: ctx.account, arn });
      });
      const seen = new Set<string>();
      const wanted = rows
        .filter(({ how }) => !PolicyUsageFilter || how === PolicyUsageFilter)
        .filter(({ kind, path }) => (!EntityFilter || EntityFilter === kind) && path.startsWith(PathPrefix))
        .map((row) => ({ ...row, place: `${row.kind}:${row.name}` }))
        .filter(({ place }) => place > page.after && !seen.has(place) && seen.add(place))
        .sort((a, b) => (a.place < b.place ? -1 : 1));
      const { shown, more } = cut(wanted, page, ({ place }) => place);
      const of = (kind: EntityRow["kind"]) => shown.filter((row) => row.kind === kind);
      return {
        PolicyGroups: of("Group").map(({ name, id }) => ({ GroupName: name, GroupId: id })),
        PolicyUsers: of("User").map(({ name, id }) => ({ UserName: name, UserId: id })),
        PolicyRoles: of("Role").map(({ name, id }) => ({ RoleName: name, RoleId: id })),
        ...more,
      };
    },
  },
});

/** Of every policy of an account that has any. */
export async function uses(tx: Tx, account: string): Promise<Map<Arn, Use>> {
  const rows = await tx.all<{ arn: Arn; attached: number; bounding: number }>(
    `SELECT arn, SUM(attached) AS attached, SUM(bounding) AS bounding FROM (${USES}) u GROUP BY arn`,
    { account },
  );
  return new Map(
    rows.map(({ arn, attached, bounding }) => [arn, { attached: Number(attached), bounding: Number(bounding) }]),
  );
}

export async function usesOf(tx: Tx, account: string, arn: Arn): Promise<Use> {
  const row = await tx.one<{ attached: number; bounding: number }>(
    `SELECT COALESCE(SUM(attached), 0) AS attached, COALESCE(SUM(bounding), 0) AS bounding FROM (${USES}) u
     WHERE arn = :arn`,
    { account, arn },
  );
  return { attached: Number(row!.attached), bounding: Number(row!.bounding) };
}

const USES = `SELECT arn, 1 AS attached, 0 AS bounding FROM iam_attached_policy WHERE account = :account
  UNION ALL SELECT boundary, 0, 1 FROM iam_role WHERE account = :account AND boundary IS NOT NULL
  UNION ALL SELECT boundary, 0, 1 FROM iam_user WHERE account = :account AND boundary IS NOT NULL`;

interface EntityRow {
  readonly kind: "User" | "Role" | "Group";
  readonly how: "PermissionsPolicy" | "PermissionsBoundary";
  readonly name: string;
  readonly id: string;
  readonly path: string;
}

const ENTITIES = (["User", "Role", "Group"] as const)
  .flatMap((kind) => {
    const noun = kind.toLowerCase();
    const attached = `SELECT '${kind}' AS kind, 'PermissionsPolicy' AS how, e.name, e.id, e.path FROM iam_attached_policy a
      JOIN iam_${noun} e ON e.account = a.account AND a.owner = '${noun}:' || e.${noun}_key
      WHERE a.account = :account AND a.arn = :arn`;
    const bounding = `SELECT '${kind}' AS kind, 'PermissionsBoundary' AS how, e.name, e.id, e.path FROM iam_${noun} e
      WHERE e.account = :account AND e.boundary = :arn`;
    return kind === "Group" ? [attached] : [attached, bounding];
  })
  .join(" UNION ALL ");
