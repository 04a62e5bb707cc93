// S3: objects are plain files in directories, with everything else about them in rows.
import { type Arn, type Context, defineService, loadModel, parseArn } from "../../kernel/mod.ts";
import { attributes } from "./attributes.ts";
import { bucketSettings } from "./bucket-settings.ts";
import { buckets, givenDirectories, readBucket } from "./buckets.ts";
import { copies } from "./copy.ts";
import { lists } from "./lists.ts";
import { notifications } from "./notifications.ts";
import { objects } from "./objects.ts";
import { quirks } from "./quirks.ts";
import { startReconciler } from "./reconcile.ts";
import { type BucketRow, migrations } from "./tables.ts";
import { tagging } from "./tags.ts";
import { uploads } from "./uploads.ts";

export const s3 = defineService({
  name: "s3",
  model: loadModel(import.meta.url),
  migrations,
  operations: {
    ...buckets,
    ...bucketSettings,
    ...tagging,
    ...notifications,
    ...objects,
    ...copies,
    ...attributes,
    ...lists,
    ...uploads,
  },
  quirks,
  resourcePolicy: async (ctx, resource) => (await bucketAt(ctx, resource))?.policy ?? undefined,
  resourceOwner: async (ctx, resource) => (await bucketAt(ctx, resource))?.account,
  directories: givenDirectories,
  start: startReconciler,
});

const bucketAt = (ctx: Context, resource: Arn): Promise<BucketRow | undefined> =>
  ctx.read((tx) => readBucket(tx, parseArn(resource)!.resource.split("/")[0]!));
