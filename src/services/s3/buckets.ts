// Buckets: directories with a row. https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucketnamingrules.html
import { readdir, realpath, rm, rmdir } from "node:fs/promises";
import { dirname, join, normalize, sep } from "node:path";
import { type Context, defineOperations, type Input, type Tx } from "../../kernel/mod.ts";
import { onNewBucket } from "./access.ts";
import { canonical, type Grant, grantsOfHeaders, isPublicGrant } from "./acl-grammar.ts";
import { expressArn, isDirectoryBucket, isZoneOf, zoneOfName } from "./directory-names.ts";
import { errors } from "./errors.ts";
import { is } from "./files.ts";
import { afterPrefix } from "./keys.ts";
import { aclColumn, OWNERSHIPS } from "./ownership.ts";
import { EVERYTHING } from "./public-access.ts";
import { makeRoot, rootOf, stateOf, systemOf } from "./state.ts";
import type { BucketRow, Tag } from "./tables.ts";
import { checkTags } from "./tags.ts";

export const bucketArn = (bucket: string): string => `arn:aws:s3:::${bucket}`;
export const objectArn = (bucket: string, key: string): string => `arn:aws:s3:::${bucket}/${key}`;

/** The tag that says, when a bucket is made, which directory of the workspace it is. */
const DIRECTORY_TAG = "aws-like:directory";
const MAX_BUCKETS_PAGE = 10_000;
/** Of an account, as it is given one. https://docs.aws.amazon.com/AmazonS3/latest/userguide/BucketRestrictions.html */
const MAX_BUCKETS = 10_000;
/** Of an account, in one region. https://docs.aws.amazon.com/AmazonS3/latest/userguide/s3-express-differences.html */
const MAX_DIRECTORY_BUCKETS = 100;

export interface BucketInput {
  readonly Bucket?: string | undefined;
  readonly ExpectedBucketOwner?: string | undefined;
}

export const readBucket = (tx: Tx, name: string): Promise<BucketRow | undefined> =>
  tx.one<BucketRow>("SELECT * FROM s3_bucket WHERE name = :name", { name });

/** What the door and the handlers ask of a bucket, for each of its objects too: remembered until S3 writes. */
export const bucketFacts = (ctx: Context, name: string): BucketRow | undefined | Promise<BucketRow | undefined> =>
  ctx.recall("s3", `bucket ${name}`, () => ctx.read((tx) => readBucket(tx, name)));

/** The bucket that a request names. Throws NoSuchBucket, and AccessDenied where it is not whose it was said to be. */
export async function bucketOf(ctx: Context, input: BucketInput): Promise<BucketRow> {
  return checkBucket(await bucketFacts(ctx, input.Bucket!), input);
}

export function checkBucket(bucket: BucketRow | undefined, { Bucket, ExpectedBucketOwner }: BucketInput): BucketRow {
  if (ExpectedBucketOwner !== undefined && !/^\d{12}$/.test(ExpectedBucketOwner))
    throw errors.invalidBucketOwner(ExpectedBucketOwner);
  if (!bucket) throw errors.noSuchBucket(Bucket!);
  if (ExpectedBucketOwner !== undefined && ExpectedBucketOwner !== bucket.account) throw errors.accessDenied();
  return bucket;
}

export const buckets = defineOperations("s3", {
  CreateBucket: {
    // A name that another account has is BucketAlreadyExists, not a question of that account's policy.
    async access(ctx, input) {
      const existing = await bucketFacts(ctx, input.Bucket!);
      const theirs = existing && existing.account !== ctx.account;
      return theirs ? [] : onNewBucket(input);
    },
    async handle(ctx, input) {
      const name = input.Bucket!;
      const zone = zoneOf(ctx, input);
      if (zone === null) checkName(name);
      refuse(input);
      const location = input.CreateBucketConfiguration?.LocationConstraint;
      const region = zone === null ? regionOf(ctx, location) : ctx.region;
      const tags = (input.CreateBucketConfiguration?.Tags ?? []) as Tag[];
      checkTags(tags, 50);
      const existing = await ctx.read((tx) => readBucket(tx, name));
      // In us-east-1 making one's own bucket again is a success, and changes nothing.
      if (zone === null && existing?.account === ctx.account && region === "us-east-1" && existing.region === region)
        return { Location: `/${name}`, BucketArn: bucketArn(name) };
      if (existing)
        throw existing.account === ctx.account
          ? errors.bucketAlreadyOwnedByYou(name)
          : errors.bucketAlreadyExists(name);
      const access = accessOf(ctx, input);
      const directory = await directoryOf(ctx, name, tags);
      await makeRoot(ctx, directory);
      const row: BucketRow = {
        name,
        account: ctx.account,
        region,
        location: location ?? null,
        directory,
        created_ms: ctx.clock.now(),
        versioning: input.ObjectLockEnabledForBucket ? "Enabled" : null,
        ...access,
        tags: tags.length > 0 ? JSON.stringify(tags) : null,
        policy: null,
        notification: null,
        object_lock: input.ObjectLockEnabledForBucket ? ENABLED : null,
        lifecycle: null,
        logging: null,
        replication: null,
        cors: null,
        website: null,
        encryption: null,
        payer: null,
        accelerate: null,
        zone,
      };
      await ctx.write(async (tx) => {
        if (await readBucket(tx, name)) throw errors.operationAborted();
        const count = await bucketCount(tx, row);
        const most = zone === null ? MAX_BUCKETS : MAX_DIRECTORY_BUCKETS;
        if (count >= most) throw errors.tooManyBuckets(count, most);
        // Two that are made at once may have asked for one directory.
        if (await overlapping(tx, directory)) throw errors.operationAborted();
        await tx.run(
          `INSERT INTO s3_bucket (name, account, region, location, directory, created_ms, versioning, ownership, acl, public_access, tags, policy,
             notification, object_lock, lifecycle, logging, replication, cors, website, encryption, payer, accelerate, zone)
           VALUES (:name, :account, :region, :location, :directory, :created_ms, :versioning, :ownership, :acl, :public_access, :tags, :policy,
             :notification, :object_lock, :lifecycle, :logging, :replication, :cors, :website, :encryption, :payer, :accelerate, :zone)`,
          { ...row },
        );
      });
      await stateOf(ctx).reconciler?.add(row);
      ctx.log.info(`bucket ${name} is ${directory}/`, { subject: bucketArn(name) });
      const own = region === "us-east-1" ? `/${name}` : `http://${name}.s3.amazonaws.com/`;
      return zone === null
        ? { Location: own, BucketArn: bucketArn(name) }
        : { Location: `/${name}`, BucketArn: expressArn(row) };
    },
  },

  DeleteBucket: {
    access: (_, { Bucket }) => ({ action: "s3:DeleteBucket", resource: bucketArn(Bucket!) }),
    async handle(ctx, input) {
      const bucket = await bucketOf(ctx, input);
      const { reconciler } = stateOf(ctx);
      // A file that was dropped a moment ago is an object too.
      await reconciler?.walk(bucket.name);
      await ctx.write(async (tx) => {
        const row = await tx.one<{ key: string }>("SELECT key FROM s3_object WHERE bucket = :name LIMIT 1", {
          name: bucket.name,
        });
        if (row)
          throw bucket.versioning ? errors.versionedBucketNotEmpty(bucket.name) : errors.bucketNotEmpty(bucket.name);
        await tx.run("DELETE FROM s3_part WHERE upload_id IN (SELECT upload_id FROM s3_upload WHERE bucket = :name)", {
          name: bucket.name,
        });
        await tx.run("DELETE FROM s3_upload WHERE bucket = :name", { name: bucket.name });
        await tx.run("DELETE FROM s3_configuration WHERE bucket = :name", { name: bucket.name });
        await tx.run("DELETE FROM s3_task WHERE bucket = :name", { name: bucket.name });
        await tx.run("DELETE FROM s3_access_log WHERE bucket = :name", { name: bucket.name });
        await tx.run("DELETE FROM s3_rename WHERE bucket = :name", { name: bucket.name });
        if ((await tx.run("DELETE FROM s3_bucket WHERE name = :name", { name: bucket.name })) === 0)
          throw errors.noSuchBucket(bucket.name);
      });
      await reconciler?.remove(bucket.name);
      stateOf(ctx).places.delete(`${bucket.name}/${bucket.directory}`);
      await rm(join(systemOf(ctx), bucket.name), { recursive: true, force: true });
      // A directory that the user chose is the user's.
      if (bucket.directory === defaultDirectory(bucket.name)) await removeEmpty(ctx, rootOf(ctx, bucket));
      return {};
    },
  },

  HeadBucket: {
    access: (_, { Bucket }) => ({ action: "s3:ListBucket", resource: bucketArn(Bucket!) }),
    async handle(ctx, input) {
      const bucket = await bucketOf(ctx, input);
      const { name, region, zone } = bucket;
      const at = { BucketRegion: region, AccessPointAlias: false };
      if (zone === null) return { BucketArn: bucketArn(name), ...at };
      const location = { BucketLocationType: "AvailabilityZone", BucketLocationName: zone } as const;
      return { BucketArn: expressArn(bucket), ...location, ...at };
    },
  },

  ListBuckets: {
    access: () => ({ action: "s3:ListAllMyBuckets", resource: "arn:aws:s3:::*" }),
    async handle(ctx, { MaxBuckets, ContinuationToken, Prefix, BucketRegion }) {
      if (MaxBuckets !== undefined && (MaxBuckets < 1 || MaxBuckets > MAX_BUCKETS_PAGE))
        throw errors.invalidArgument(
          `Argument max-buckets must be an integer between 1 and ${MAX_BUCKETS_PAGE}`,
          "max-buckets",
          String(MaxBuckets),
        );
      const limit = MaxBuckets ?? MAX_BUCKETS_PAGE;
      const rows = await ctx.read((tx) =>
        tx.all<BucketRow>(
          `SELECT * FROM s3_bucket WHERE account = :account AND zone IS NULL AND name > :after AND name >= :prefix AND name < :until
             AND (:region = '' OR region = :region) ORDER BY name LIMIT :count`,
          {
            account: ctx.account,
            after: ContinuationToken ? fromToken(ContinuationToken) : "",
            prefix: Prefix ?? "",
            until: afterPrefix(Prefix ?? ""),
            region: BucketRegion ?? "",
            count: limit + 1,
          },
        ),
      );
      const page = rows.slice(0, limit);
      // Regions are told to who pages only (AWS: "If you don't use pagination, the response does not include the BucketRegion").
      const paged =
        MaxBuckets !== undefined ||
        Prefix !== undefined ||
        BucketRegion !== undefined ||
        ContinuationToken !== undefined;
      return {
        Buckets: page.map(({ name, created_ms, region }) => ({
          Name: name,
          CreationDate: new Date(created_ms),
          ...(paged && { BucketRegion: region, BucketArn: bucketArn(name) }),
        })),
        Owner: ownerOf(ctx, ctx.account),
        ...(Prefix !== undefined && { Prefix }),
        ...(rows.length > page.length && { ContinuationToken: toToken(page.at(-1)!.name) }),
      };
    },
  },

  GetBucketLocation: {
    access: (_, { Bucket }) => ({ action: "s3:GetBucketLocation", resource: bucketArn(Bucket!) }),
    async handle(ctx, input) {
      const { location } = await bucketOf(ctx, input);
      return location === null ? {} : { LocationConstraint: location as "EU" };
    },
  },
});

/** The canonical id of an account: 64 hexadecimal digits, from the configuration or made of the account's number. */
export function ownerOf(ctx: Context, account: string): { ID: string; DisplayName?: string } {
  const known = ctx.config.accounts.find(({ id }) => id === account);
  return {
    ID: canonical(ctx.config, account),
    ...(known?.name && { DisplayName: known.name }),
  };
}

export const toToken = (text: string): string => Buffer.from(text).toString("base64url");

export function fromToken(token: string): string {
  const text = Buffer.from(token, "base64url").toString();
  if (toToken(text) !== token)
    throw errors.invalidArgument("The continuation token provided is incorrect", "continuation-token", token);
  return text;
}

/** Of its kind: directory buckets are counted in each region. */
async function bucketCount(tx: Tx, { account, region, zone }: BucketRow): Promise<number> {
  const counted =
    zone === null
      ? await tx.one<{ count: number }>(
          "SELECT COUNT(*) AS count FROM s3_bucket WHERE account = :account AND zone IS NULL",
          { account },
        )
      : await tx.one<{ count: number }>(
          "SELECT COUNT(*) AS count FROM s3_bucket WHERE account = :account AND region = :region AND zone IS NOT NULL",
          { account, region },
        );
  return counted!.count;
}

function checkName(name: string): void {
  const sound =
    /^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$/.test(name) &&
    !/\.\.|\.-|-\./.test(name) &&
    !/^\d+\.\d+\.\d+\.\d+$/.test(name) &&
    !/^(xn--|sthree-|amzn-s3-demo-)/.test(name) &&
    !/(-s3alias|--ol-s3|\.mrap|--x-s3|--table-s3)$/.test(name);
  if (!sound) throw errors.invalidBucketName(name);
}

// https://docs.aws.amazon.com/AmazonS3/latest/API/API_CreateBucket.html
const REGION =
  /^(us|eu|ap|sa|ca|me|af|il|mx|cn)(-gov|-iso[a-z]*)?-(north|south|east|west|central|northeast|southeast|northwest|southwest)-\d$/;

export const isRegion = (name: string): boolean => REGION.test(name);

/** A constraint is the endpoint's own region, or, at us-east-1's endpoint, any other. Recorded on AWS. */
function regionOf(ctx: Context, location: string | undefined): string {
  if (ctx.region === "us-east-1") {
    if (location === undefined) return "us-east-1";
    if (location === "EU") return "eu-west-1";
    if (location === "us-east-1" || !REGION.test(location)) throw errors.invalidLocationConstraint(location);
    return location;
  }
  if (location === undefined) throw errors.illegalLocationConstraint("unspecified");
  if (location === "EU" && ctx.region === "eu-west-1") return "eu-west-1";
  if (location !== ctx.region) throw errors.illegalLocationConstraint(location);
  return location;
}

/**
 * Of a directory bucket, which says its zone in its name and in its configuration; null: it is to be one of the general kind. A general bucket's
 * configuration of a directory bucket's name is MalformedXML (aws-controllers-k8s' issue 2658).
 */
function zoneOf(ctx: Context, { Bucket, CreateBucketConfiguration: configuration = {} }: NewBucket): string | null {
  const { Bucket: kind, Location: location, LocationConstraint } = configuration;
  if (!isDirectoryBucket(Bucket)) {
    if (kind || location) throw errors.invalidBucketName(Bucket!);
    return null;
  }
  const zone = zoneOfName(Bucket!);
  if (zone === undefined) throw errors.invalidBucketName(Bucket!);
  if (!kind || !location || LocationConstraint !== undefined) throw errors.malformedXml();
  if (kind.Type !== "Directory") throw errors.malformedXml();
  // A local zone is for accounts that were let into it.
  if (location.Type === "LocalZone") throw errors.accessDenied();
  if (location.Type !== "AvailabilityZone" || kind.DataRedundancy !== "SingleAvailabilityZone")
    throw errors.malformedXml();
  if (location.Name !== zone) throw errors.invalidBucketName(Bucket!);
  if (!isZoneOf(ctx.region, zone)) throw errors.invalidLocationConstraint(zone);
  return zone;
}

const ENABLED = JSON.stringify({ ObjectLockEnabled: "Enabled" });

function refuse(input: NewBucket): void {
  if (input.BucketNamespace !== undefined) throw errors.notImplemented("BucketNamespace");
  if (input.ObjectOwnership !== undefined && !OWNERSHIPS.some((one) => one === input.ObjectOwnership))
    throw errors.invalidArgument(
      "Invalid x-amz-object-ownership header: ",
      "x-amz-object-ownership",
      input.ObjectOwnership,
    );
}

type NewBucket = Input<"s3", "CreateBucket">;

/** Who may have ACLs, which, and what of the public is kept out. https://docs.aws.amazon.com/AmazonS3/latest/userguide/create-bucket-faq.html */
function accessOf(ctx: Context, input: NewBucket): Pick<BucketRow, "ownership" | "acl" | "public_access"> {
  const { config, account } = ctx;
  const secure = config.bucketDefaults === "secure";
  const ownership = input.ObjectOwnership ?? (secure ? "BucketOwnerEnforced" : "ObjectWriter");
  const grants = grantsOfHeaders(input, { config, owner: account, bucketOwner: account }, "bucket");
  const public_access = secure ? JSON.stringify(EVERYTHING) : null;
  const own = canonical(config, account);
  const others = (grants ?? []).filter(({ id }: Grant) => id !== own);
  if (others.length > 0 && ownership === "BucketOwnerEnforced") throw errors.bucketHasAcl();
  if (secure && others.some(isPublicGrant)) throw errors.bucketHasPublicAcl();
  return { ownership, acl: ownership === "BucketOwnerEnforced" ? null : aclColumn(grants, input.ACL), public_access };
}

const defaultDirectory = (bucket: string): string => `buckets/${bucket}`;

/** Directories of the workspace that are not the user's to map. */
const OURS = [".aws-like", "buckets", "logs", "snapshots"];

/** Of all buckets, whoever's: where they lie now, whatever their tags say by now. */
export async function givenDirectories(ctx: Context): Promise<string[]> {
  const rows = await ctx.read((tx) => tx.all<BucketRow>("SELECT * FROM s3_bucket"));
  return rows.filter((row) => row.directory !== defaultDirectory(row.name)).map(({ directory }) => directory);
}

/** Where a bucket lies, relative to the workspace: never outside of it, nor in another bucket's directory. */
async function directoryOf(ctx: Context, bucket: string, tags: readonly Tag[]): Promise<string> {
  const asked = tags.find(({ Key }) => Key === DIRECTORY_TAG)?.Value;
  if (asked === undefined) return defaultDirectory(bucket);
  const directory = normalize(asked).replace(/\/$/, "");
  const bad = (why: string) => errors.invalidArgument(`The directory of a bucket ${why}`, DIRECTORY_TAG, asked);
  const first = directory.split(sep)[0]!;
  if (asked === "" || asked.includes("\0") || directory.startsWith("/") || first === ".." || directory === ".")
    throw bad("must be a path below the workspace, relative to it.");
  if (OURS.includes(first)) throw bad(`must not lie in ${first}/, which is aws-like's own.`);
  if (!(await isWithin(ctx, directory))) throw bad("must not lead out of the workspace through a symbolic link.");
  await makeRoot(ctx, directory).catch((error: unknown) => {
    if (is(error, "EEXIST", "ENOTDIR")) throw bad("must be a directory: a file stands there.");
    throw error;
  });
  const other = await ctx.read((tx) => overlapping(tx, directory));
  if (other) throw bad(`must not overlap with that of bucket ${other.name}: ${other.directory}`);
  return directory;
}

async function overlapping(tx: Tx, directory: string): Promise<BucketRow | undefined> {
  const others = await tx.all<BucketRow>("SELECT * FROM s3_bucket");
  const within = (one: string, other: string) => `${one}/`.startsWith(`${other}/`);
  return others.find((other) => within(other.directory, directory) || within(directory, other.directory));
}

/** Asked before anything is made: the deepest part that is there tells. */
async function isWithin(ctx: Context, directory: string): Promise<boolean> {
  const workspace = await realpath(ctx.config.dir);
  for (let part = directory; part !== "."; part = dirname(part)) {
    const real = await realpath(join(workspace, part)).catch((error: unknown) => {
      if (is(error, "ENOENT", "ENOTDIR")) return undefined;
      throw error;
    });
    if (real !== undefined) return real === join(workspace, part);
  }
  return true;
}

/**
 * Gives a bucket that holds nothing yet another directory. What lies there is dropped into it now: into a bucket that may have its notifications
 * already, which one that is being made cannot.
 */
export async function moveToDirectory(ctx: Context, bucket: BucketRow, tags: readonly Tag[]): Promise<void> {
  const { reconciler } = stateOf(ctx);
  await reconciler?.walk(bucket.name);
  const directory = await directoryOf(ctx, bucket.name, tags);
  const row: BucketRow = { ...bucket, directory, tags: JSON.stringify(tags) };
  await ctx.write(async (tx) => {
    const holds = await tx.one(
      "SELECT key FROM s3_object WHERE bucket = :name UNION ALL SELECT key FROM s3_upload WHERE bucket = :name LIMIT 1",
      { name: bucket.name },
    );
    if (holds)
      throw errors.invalidArgument("The directory of a bucket is chosen while it is empty.", DIRECTORY_TAG, directory);
    await tx.run("UPDATE s3_bucket SET directory = :directory, tags = :tags WHERE name = :name", {
      directory,
      tags: row.tags,
      name: bucket.name,
    });
  });
  await reconciler?.remove(bucket.name);
  await removeEmpty(ctx, rootOf(ctx, bucket));
  await reconciler?.add(row);
  ctx.log.info(`bucket ${bucket.name} is ${directory}/`, { subject: bucketArn(bucket.name) });
}

/** Empty directories go with the bucket. What is no object (a link, a half download) stays, and is named. */
async function removeEmpty(ctx: Context, directory: string): Promise<void> {
  for (const entry of await readdir(directory, { withFileTypes: true }).catch(() => []))
    if (entry.isDirectory()) await removeEmpty(ctx, join(directory, entry.name));
  try {
    await rmdir(directory);
  } catch (error) {
    if (is(error, "ENOENT")) return;
    if (!is(error, "ENOTEMPTY", "EEXIST")) throw error;
    ctx.log.warn(`${directory} stays: it holds what is no object`);
  }
}
