// S3: objects are plain files in directories, with everything else about them in rows.
import { type Arn, after, type Context, defineService, loadModel, type Tags } from "../../kernel/mod.ts";
import { bucketOfArn, withRequestKeys } from "./access.ts";
import { attributes } from "./attributes.ts";
import { withBodyDigests } from "./body-digests.ts";
import { bucketSettings } from "./bucket-settings.ts";
import { bucketFacts, buckets, givenDirectories } from "./buckets.ts";
import { deliver, giveUp } from "./by-itself.ts";
import { copies } from "./copy.ts";
import { check } from "./fsck.ts";
import { lifecycle } from "./lifecycle.ts";
import { lists } from "./lists.ts";
import { notifications } from "./notifications.ts";
import { objectLock } from "./object-lock.ts";
import { objects } from "./objects.ts";
import { quirks } from "./quirks.ts";
import { startReconciler } from "./reconcile.ts";
import { withRegions } from "./regions.ts";
import { restores } from "./restore.ts";
import { type BucketRow, migrations } from "./tables.ts";
import { tagging, tagsOf } from "./tags.ts";
import { uploads } from "./uploads.ts";

export const s3 = defineService({
  name: "s3",
  model: loadModel(import.meta.url),
  migrations,
  operations: withRequestKeys(
    withRegions(
      withBodyDigests({
        ...buckets,
        ...bucketSettings,
        ...tagging,
        ...notifications,
        ...objects,
        ...objectLock,
        ...lifecycle,
        ...restores,
        ...copies,
        ...attributes,
        ...lists,
        ...uploads,
      }),
    ),
  ),
  quirks,
  resourcePolicy: (ctx, resource) => after(bucketAt(ctx, resource), (bucket) => bucket?.policy ?? undefined),
  resourceOwner: (ctx, resource) => after(bucketAt(ctx, resource), (bucket) => bucket?.account),
  resourceTags: (ctx, resource) => after(bucketAt(ctx, resource), (bucket) => bucket && tagsByKey(bucket)),
  directories: givenDirectories,
  check,
  deliver,
  giveUp,
  start: startReconciler,
});

const bucketAt = (ctx: Context, resource: Arn) => bucketFacts(ctx, bucketOfArn(resource));

const tagsByKey = ({ tags }: BucketRow): Tags => Object.fromEntries(tagsOf(tags).map(({ Key, Value }) => [Key, Value]));
