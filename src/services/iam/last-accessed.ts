// Reports of which services an identity may use, and when it last did; and which policies let it.
// https://docs.aws.amazon.com/IAM/latest/UserGuide/access_policies_last-accessed.html
import { type Arn, type Context, defineOperations, newRequestId, type Tx } from "../../kernel/mod.ts";
import { errors } from "./errors.ts";
import { awsServices, grants } from "./granted-services.ts";
import { cut, pageOf } from "./paging.ts";
import { onPolicy, policyRow } from "./policies.ts";
import { documentOf } from "./policy-versions.ts";
import type { ServiceUse } from "./service-use.ts";
import { type Entity, entityOf, onEntity, policiesOf } from "./sources.ts";
import { secondOf } from "./tables.ts";

/** How far back AWS tracks, and how long a report stands here. */
const TRACKED_MS = 400 * 86_400_000;
const KEPT_MS = 7 * 86_400_000;

/** As it was when it was asked for. */
interface Report {
  readonly granted: readonly string[];
  readonly entities: readonly Known[];
  readonly uses: readonly ServiceUse[];
}

interface Known {
  readonly kind: "USER" | "ROLE";
  readonly arn: Arn;
  readonly name: string;
  readonly path: string;
  readonly id: string;
}

interface ReportRow {
  readonly id: string;
  readonly arn: Arn;
  readonly created_ms: number;
  readonly services: string;
}

export const lastAccessed = defineOperations("iam", {
  GenerateServiceLastAccessedDetails: {
    access: onEntity("GenerateServiceLastAccessedDetails"),
    async handle(ctx, { Arn, Granularity = "SERVICE_LEVEL" }) {
      if (Granularity !== "SERVICE_LEVEL")
        throw errors.notImplemented(`GenerateServiceLastAccessedDetails's Granularity ${Granularity}`);
      const arn = Arn!;
      const subject = arn.includes(":policy/") ? await subjectOfPolicy(ctx, arn) : await subjectOf(ctx, arn);
      const { account, now } = ctx;
      const row = { id: newRequestId(), account, arn, created_ms: now };
      await ctx.write(async (tx) => {
        const services = JSON.stringify(await reportOf(tx, { account, now, ...subject }));
        await tx.run("DELETE FROM iam_access_report WHERE created_ms < :oldest", { oldest: now - KEPT_MS });
        await tx.run(
          `INSERT INTO iam_access_report (id, account, arn, created_ms, services)
           VALUES (:id, :account, :arn, :created_ms, :services)`,
          { ...row, services },
        );
      });
      return { JobId: row.id };
    },
  },

  GetServiceLastAccessedDetails: {
    access: onJob("GetServiceLastAccessedDetails"),
    async handle(ctx, input) {
      const page = pageOf(input);
      const { report, job } = await reportRow(ctx, input.JobId!);
      const rest = report.granted.filter((namespace) => namespace > page.after);
      const { shown, more } = cut(rest, page, (namespace) => namespace);
      return {
        ...job,
        JobType: "SERVICE_LEVEL" as const,
        ServicesLastAccessed: shown.map((one) => told(report, one)),
        ...more,
      };
    },
  },

  GetServiceLastAccessedDetailsWithEntities: {
    access: onJob("GetServiceLastAccessedDetailsWithEntities"),
    async handle(ctx, input) {
      const page = pageOf(input);
      const { report, job } = await reportRow(ctx, input.JobId!);
      const namespace = input.ServiceNamespace!;
      const rest = report.entities.filter(({ arn }) => arn > page.after);
      const { shown, more } = cut(rest, page, ({ arn }) => arn);
      const EntityDetailsList = shown.map(({ kind, arn, name, path, id }) => {
        const use = report.uses.find((one) => one.owner === id && one.namespace === namespace);
        return {
          EntityInfo: { Arn: arn, Name: name, Type: kind, Id: id, Path: path },
          ...(use && { LastAuthenticated: new Date(secondOf(use.used_ms)) }),
        };
      });
      return { ...job, EntityDetailsList, ...more };
    },
  },

  ListPoliciesGrantingServiceAccess: {
    access: onEntity("ListPoliciesGrantingServiceAccess"),
    async handle(ctx, input) {
      const page = pageOf(input);
      const entity = await entityOf(ctx, input.Arn!);
      const { sources } = await policiesOf(ctx, entity);
      const names = [...new Set(input.ServiceNamespaces)].sort().filter((one) => one > page.after);
      const { shown, more } = cut(names, page, (one) => one);
      const PoliciesGrantingServiceAccess = shown.map((ServiceNamespace) => ({
        ServiceNamespace,
        Policies: sources.filter(({ document }) => grants(document, ServiceNamespace)).map(granting),
      }));
      return { PoliciesGrantingServiceAccess, ...more };
    },
  },
});

/** An inline policy says whose it is, a managed one has an ARN. */
function granting({ name, owner }: { name: string; owner?: string }) {
  if (owner === undefined)
    return { PolicyName: name.slice(name.lastIndexOf("/") + 1), PolicyType: "MANAGED" as const, PolicyArn: name };
  const [kind, EntityName] = owner.split(":") as ["user" | "group" | "role", string];
  const EntityType = kind.toUpperCase() as "USER" | "GROUP" | "ROLE";
  return { PolicyName: name, PolicyType: "INLINE" as const, EntityType, EntityName };
}

interface Subject {
  readonly documents: readonly string[];
  /** Selects the users and roles that it is about. */
  readonly about: { readonly sql: string; readonly params: Readonly<Record<string, string>> };
}

async function subjectOf(ctx: Context, arn: Arn): Promise<Subject> {
  const entity = await entityOf(ctx, arn);
  const { sources } = await policiesOf(ctx, entity);
  return { documents: sources.map(({ document }) => document), about: ABOUT[entity.kind](entity) };
}

async function subjectOfPolicy(ctx: Context, arn: Arn): Promise<Subject> {
  const { account } = ctx;
  onPolicy("GetPolicy")(ctx, { PolicyArn: arn });
  const document = await ctx.read(async (tx) => documentOf(tx, await policyRow(tx, account, arn)));
  const sql = `${USERS} WHERE account = :account AND ('user:' || user_key IN (${ATTACHED}) OR user_key IN
      (SELECT user_key FROM iam_group_member WHERE account = :account AND 'group:' || group_key IN (${ATTACHED})))
    UNION ALL ${ROLES} WHERE account = :account AND 'role:' || role_key IN (${ATTACHED})`;
  return { documents: [document], about: { sql, params: { account, arn } } };
}

const USERS = "SELECT 'USER' AS kind, name, path, id FROM iam_user";
const ROLES = "SELECT 'ROLE' AS kind, name, path, id FROM iam_role";
const ATTACHED = "SELECT owner FROM iam_attached_policy WHERE account = :account AND arn = :arn";

const ABOUT = {
  user: ({ id }: Entity) => ({ sql: `${USERS} WHERE id = :id`, params: { id } }),
  role: ({ id }: Entity) => ({ sql: `${ROLES} WHERE id = :id`, params: { id } }),
  group: ({ account, name }: Entity) => ({
    sql: `${USERS} WHERE account = :account AND user_key IN
      (SELECT user_key FROM iam_group_member WHERE account = :account AND group_key = :group)`,
    params: { account, group: name.toLowerCase() },
  }),
};

async function reportOf(
  tx: Tx,
  { account, now, documents, about }: Subject & { account: string; now: number },
): Promise<Report> {
  const rows = await tx.all<Omit<Known, "arn">>(about.sql, about.params);
  const entities = rows
    .map((row) => ({ ...row, arn: `arn:aws:iam::${account}:${row.kind.toLowerCase()}${row.path}${row.name}` }))
    .sort((a, b) => (a.arn < b.arn ? -1 : 1));
  const ids = new Set(entities.map(({ id }) => id));
  const uses = await tx.all<ServiceUse>(
    "SELECT * FROM iam_service_use WHERE account = :account AND used_ms > :oldest ORDER BY used_ms DESC",
    { account, oldest: now - TRACKED_MS },
  );
  return {
    granted: [...awsServices().keys()].filter((namespace) => documents.some((one) => grants(one, namespace))),
    entities,
    uses: uses.filter(({ owner }) => ids.has(owner)),
  };
}

function told({ uses }: Report, namespace: string) {
  // The newest first.
  const mine = uses.filter((one) => one.namespace === namespace);
  const last = mine[0];
  return {
    ServiceName: awsServices().get(namespace) ?? namespace,
    ServiceNamespace: namespace,
    ...(last && {
      LastAuthenticated: new Date(secondOf(last.used_ms)),
      LastAuthenticatedEntity: last.arn,
      LastAuthenticatedRegion: last.region,
    }),
    TotalAuthenticatedEntities: mine.length,
  };
}

async function reportRow(ctx: Context, id: string) {
  const sql = "SELECT * FROM iam_access_report WHERE account = :account AND id = :id";
  const row = await ctx.read((tx) => tx.one<ReportRow>(sql, { account: ctx.account, id }));
  if (!row) throw errors.noSuchJob(id);
  const at = new Date(secondOf(row.created_ms));
  const job = { JobStatus: "COMPLETED" as const, JobCreationDate: at, JobCompletionDate: at };
  return { report: JSON.parse(row.services) as Report, job };
}

function onJob(action: string) {
  return () => ({ action: `iam:${action}`, resource: "*" });
}
