// Exports and imports: asked for once, done by due work, told of ever after.
import { createHash } from "node:crypto";
import {
  type Access,
  type Arn,
  AwsError,
  type Context,
  newRequestId,
  parseArn,
  type Singly,
  type Tx,
} from "../../kernel/mod.ts";
import { timedId } from "./backup-rows.ts";
import { errors } from "./errors.ts";
import type { Table, TableRef } from "./schema.ts";

// `request` and `progress` are JSON.
export const MIGRATION = `
  CREATE TABLE dynamodb_job (
    account TEXT NOT NULL, region TEXT NOT NULL, kind TEXT NOT NULL, id TEXT NOT NULL, table_name TEXT NOT NULL,
    number BIGINT NOT NULL UNIQUE, table_id TEXT NOT NULL, token TEXT NOT NULL, digest TEXT NOT NULL,
    status TEXT NOT NULL, created_ms BIGINT NOT NULL, ended_ms BIGINT,
    failure_code TEXT, failure_message TEXT, request TEXT NOT NULL, progress TEXT NOT NULL,
    PRIMARY KEY (account, region, kind, id, table_name)
  );
  CREATE INDEX dynamodb_job_by_token ON dynamodb_job (account, region, kind, token)`;

/** https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_ExportTableToPointInTime.html */
const TOKEN_MS = 8 * 60 * 60 * 1000;
const PAGE = 10;

export type JobKind = "export" | "import";

export interface Job<Request, Progress> {
  readonly arn: Arn;
  readonly kind: JobKind;
  readonly account: string;
  readonly region: string;
  /** 14 digits of ms, and 8 of chance. */
  readonly id: string;
  readonly tableName: string;
  readonly tableArn: Arn;
  readonly tableId: string;
  /** Of the files of an export. */
  readonly number: number;
  readonly token: string;
  /** Of the parameters that the token goes with. */
  readonly digest: string;
  readonly status: "IN_PROGRESS" | "COMPLETED" | "FAILED";
  readonly createdMs: number;
  readonly endedMs: number | undefined;
  readonly failure: Failure | undefined;
  readonly request: Request;
  readonly progress: Progress;
}

export interface Failure {
  readonly code: string;
  readonly message: string;
}

const WORDS = {
  export: { Title: "Export", noun: "export" },
  import: { Title: "Import", noun: "import" },
} as const;

export async function insertJob(
  tx: Tx,
  ctx: Context,
  job: {
    readonly kind: JobKind;
    readonly table: Pick<Table, "account" | "region" | "name" | "arn" | "id">;
    readonly number: number;
    readonly token: string | undefined;
    /** The parameters as they were given: the same token with others is a conflict. */
    readonly asked: unknown;
    readonly request: unknown;
    readonly progress: unknown;
  },
): Promise<Arn> {
  const id = timedId(ctx.now);
  const { account, region, name, arn } = job.table;
  await tx.run(
    `INSERT INTO dynamodb_job (account, region, kind, id, table_name, number, table_id, token, digest, status, created_ms,
       request, progress)
     VALUES (:account, :region, :kind, :id, :name, :number, :table_id, :token, :digest, 'IN_PROGRESS', :now,
       :request, :progress)`,
    {
      account,
      region,
      kind: job.kind,
      id,
      name,
      number: job.number,
      table_id: job.table.id,
      token: job.token ?? newRequestId(),
      digest: digestOf(job.asked),
      now: ctx.now,
      request: JSON.stringify(job.request),
      progress: JSON.stringify(job.progress),
    },
  );
  return `${arn}/${job.kind}/${id}`;
}

/** The job that was asked for with this token; throws where it was asked with other parameters. */
export async function jobOfToken<Request, Progress>(
  tx: Tx,
  ctx: Context,
  { kind, token, asked }: { kind: JobKind; token: string | undefined; asked: unknown },
): Promise<Job<Request, Progress> | undefined> {
  if (token === undefined) return undefined;
  const row = await tx.one<JobRow>(
    `SELECT ${COLUMNS} FROM dynamodb_job
     WHERE account = :account AND region = :region AND kind = :kind AND token = :token AND created_ms > :horizon
     ORDER BY id DESC LIMIT 1`,
    { account: ctx.account, region: ctx.region, kind, token, horizon: ctx.now - TOKEN_MS },
  );
  if (!row) return undefined;
  if (row.digest !== digestOf(asked)) throw conflict(kind);
  return jobOf(row);
}

const conflict = (kind: JobKind) =>
  new AwsError(
    `${WORDS[kind].Title}ConflictException`,
    400,
    `${WORDS[kind].Title} conflict: Duplicate request detected with conflicting parameters`,
  );

const digestOf = (asked: unknown): string =>
  createHash("sha256").update(JSON.stringify(asked, sorted)).digest("base64");

/** The same parameters in another order are the same. */
const sorted = (_name: string, value: unknown): unknown =>
  value !== null && typeof value === "object" && !Array.isArray(value) && !(value instanceof Date)
    ? Object.fromEntries(Object.entries(value).toSorted(([a], [b]) => (a < b ? -1 : 1)))
    : value;

/** Throws ...NotFoundException, or says that it is no ARN of such a job. */
export async function openJob<Request, Progress>(
  tx: Singly,
  ctx: Context,
  arn: string | undefined,
  kind: JobKind,
): Promise<Job<Request, Progress>> {
  const ref = jobRef(arn);
  const { Title, noun } = WORDS[kind];
  if (ref?.kind !== kind) throw errors.validation(`Invalid ${Title} ARN`);
  const missing = (why: string) => new AwsError(`${Title}NotFoundException`, 400, `${Title} not found: ${why}`);
  if (ref.region !== ctx.region) throw missing(`Invalid ${noun} arn`);
  const job = await findJob<Request, Progress>(tx, arn!);
  if (!job) throw missing(`${Title} not found: ${arn}`);
  return job;
}

export async function findJob<Request, Progress>(tx: Singly, arn: Arn): Promise<Job<Request, Progress> | undefined> {
  const ref = jobRef(arn);
  const row =
    ref &&
    (await tx.one<JobRow>(
      `SELECT ${COLUMNS} FROM dynamodb_job
       WHERE account = :account AND region = :region AND kind = :kind AND id = :id AND table_name = :name`,
      { ...ref },
    ));
  return row && jobOf(row);
}

function jobRef(arn: string | undefined) {
  const parts = parseArn(arn ?? "");
  const [, name, kind, id] = /^table\/([^/]+)\/(export|import)\/([^/]+)$/.exec(parts?.resource ?? "") ?? [];
  if (parts?.service !== "dynamodb" || id === undefined) return undefined;
  return { account: parts.account, region: parts.region, kind: kind as JobKind, id, name: name! };
}

/** The newest first. `tableId`: of this table alone, and no other of its name. */
export async function listJobs<Request, Progress>(
  tx: Singly,
  ctx: Context,
  listing: {
    readonly kind: JobKind;
    readonly table: TableRef | undefined;
    readonly tableId?: string | undefined;
    readonly token: string | undefined;
    readonly most: number | undefined;
  },
): Promise<{ jobs: Job<Request, Progress>[]; NextToken?: string }> {
  const { kind, table, tableId, token, most = PAGE } = listing;
  const before = token === undefined ? undefined : fromToken(token, kind);
  const rows = await tx.all<JobRow>(
    `SELECT ${COLUMNS} FROM dynamodb_job
     WHERE account = :account AND region = :region AND kind = :kind
       ${table ? "AND table_name = :name" : ""} ${tableId === undefined ? "" : "AND table_id = :table_id"}
       ${before === undefined ? "" : "AND number < :before"}
     ORDER BY number DESC LIMIT :count`,
    {
      account: ctx.account,
      region: ctx.region,
      kind,
      count: most + 1,
      ...(table && { name: table.name }),
      ...(tableId !== undefined && { table_id: tableId }),
      ...(before !== undefined && { before }),
    },
  );
  const jobs = rows.slice(0, most).map((row) => jobOf<Request, Progress>(row));
  return { jobs, ...(rows.length > most && { NextToken: toToken(kind, jobs.at(-1)!.number) }) };
}

// The model wants 112 hexadecimal digits at least.
const toToken = (kind: JobKind, number: number): string => Buffer.from(`${kind} ${number}`.padEnd(56)).toString("hex");

function fromToken(token: string, kind: JobKind): number {
  const [, of, number] = /^(\w+) (\d+) *$/.exec(Buffer.from(token, "hex").toString()) ?? [];
  if (of !== kind) throw errors.invalidRequest(`Provided nextToken is invalid: ${token}`);
  return Number(number);
}

export async function setProgress<Progress>(
  tx: Tx,
  { number }: Job<unknown, Progress>,
  progress: Progress,
): Promise<void> {
  await tx.run("UPDATE dynamodb_job SET progress = :progress WHERE number = :number", {
    number,
    progress: JSON.stringify(progress),
  });
}

/** Of one that is IN_PROGRESS. */
export async function endJob<Progress>(
  tx: Tx,
  { number }: Job<unknown, Progress>,
  { progress, failure, now }: { progress: Progress; failure?: Failure | undefined; now: number },
): Promise<void> {
  await tx.run(
    `UPDATE dynamodb_job SET status = :status, ended_ms = :now, failure_code = :code, failure_message = :message,
       progress = :progress
     WHERE number = :number AND status = 'IN_PROGRESS'`,
    {
      number,
      status: failure ? "FAILED" : "COMPLETED",
      now,
      code: failure?.code ?? null,
      message: failure?.message ?? null,
      progress: JSON.stringify(progress),
    },
  );
}

/** What S3 refused, as AWS tells it; undefined: it is no refusal, and may be tried again. */
export function s3Failure(ctx: Context, error: unknown): Failure | undefined {
  if (!(error instanceof AwsError) || error.status >= 500 || error.status === 429) return undefined;
  return {
    code: error.code.startsWith("KMS.") ? "KmsNotFoundException" : `S3${error.code}`,
    message: `${error.message} (Service: Amazon S3; Status Code: ${error.status}; Error Code: ${error.code}; Request ID: ${ctx.requestId}; Proxy: null)`,
  };
}

/** Tried as often as it may be. */
export const givenUp = (error: unknown): Failure => ({ code: "UNKNOWN", message: (error as Error).message });

export const onJob = (ctx: Context, action: string, arn: string | undefined, kind: JobKind): Access => ({
  action: `dynamodb:${action}`,
  resource: arn?.startsWith("arn:") ? arn : `arn:aws:dynamodb:${ctx.region}:${ctx.account}:table/*/${kind}/*`,
});

interface JobRow {
  readonly account: string;
  readonly region: string;
  readonly kind: JobKind;
  readonly id: string;
  readonly table_name: string;
  readonly number: number;
  readonly table_id: string;
  readonly token: string;
  readonly digest: string;
  readonly status: Job<unknown, unknown>["status"];
  readonly created_ms: number;
  readonly ended_ms: number | null;
  readonly failure_code: string | null;
  readonly failure_message: string | null;
  readonly request: string;
  readonly progress: string;
}

const COLUMNS = `account, region, kind, id, table_name, number, table_id, token, digest, status, created_ms, ended_ms,
  failure_code, failure_message, request, progress`;

function jobOf<Request, Progress>(row: JobRow): Job<Request, Progress> {
  const tableArn = `arn:aws:dynamodb:${row.region}:${row.account}:table/${row.table_name}`;
  return {
    arn: `${tableArn}/${row.kind}/${row.id}`,
    kind: row.kind,
    account: row.account,
    region: row.region,
    id: row.id,
    tableName: row.table_name,
    tableArn,
    tableId: row.table_id,
    number: row.number,
    token: row.token,
    digest: row.digest,
    status: row.status,
    createdMs: row.created_ms,
    endedMs: row.ended_ms ?? undefined,
    failure: row.failure_code === null ? undefined : { code: row.failure_code, message: row.failure_message! },
    request: JSON.parse(row.request) as Request,
    progress: JSON.parse(row.progress) as Progress,
  };
}
