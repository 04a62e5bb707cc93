// S3: objects are plain files in directories, with everything else about them in rows.
import { defineService, loadModel, parseArn } from "../../kernel/mod.ts";
import { attributes } from "./attributes.ts";
import { bucketSettings } from "./bucket-settings.ts";
import { buckets, readBucket } from "./buckets.ts";
import { copies } from "./copy.ts";
import { lists } from "./lists.ts";
import { notifications } from "./notifications.ts";
import { objects } from "./objects.ts";
import { quirks } from "./quirks.ts";
import { resetFiles, startReconciler } from "./reconcile.ts";
import { migrations } from "./tables.ts";
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
  async resourcePolicy(ctx, resource) {
    const bucket = parseArn(resource)?.resource.split("/")[0];
    if (!bucket) return undefined;
    return (await ctx.read((tx) => readBucket(tx, bucket)))?.policy ?? undefined;
  },
  start: startReconciler,
  reset: resetFiles,
});
