// S3: objects are plain files in directories, with everything else about them in rows.
import { type Arn, after, type Context, defineService, loadModel, type Running, type Tags } from "../../kernel/mod.ts";
import { acceleration } from "./accelerate.ts";
import { bucketOfArn, withRequestKeys } from "./access.ts";
import { AccessLogs, logAnswered } from "./access-logs.ts";
import { aclPolicies, resourceOwner, resourcePolicy } from "./acl-policy.ts";
import { acls } from "./acls.ts";
import { attributes } from "./attributes.ts";
import { withBodyDigests } from "./body-digests.ts";
import { bucketEncryption } from "./bucket-encryption.ts";
import { bucketSettings } from "./bucket-settings.ts";
import { bucketFacts, buckets, givenDirectories } from "./buckets.ts";
import { deliver, giveUp } from "./by-itself.ts";
import { copies } from "./copy.ts";
import { cors } from "./cors.ts";
import { directoryBuckets, withDirectoryBuckets } from "./directory-buckets.ts";
import { expressSessions, identity } from "./express-sessions.ts";
import { check } from "./fsck.ts";
import { inventory } from "./inventory.ts";
import { lifecycle } from "./lifecycle.ts";
import { lists } from "./lists.ts";
import { logging } from "./logging.ts";
import { notifications } from "./notifications.ts";
import { objectLock } from "./object-lock.ts";
import { objects } from "./objects.ts";
import { ownership } from "./ownership.ts";
import { policyStatus } from "./policy-status.ts";
import { publicAccess } from "./public-access.ts";
import { quirks } from "./quirks.ts";
import { startReconciler } from "./reconcile.ts";
import { withRegions } from "./regions.ts";
import { renames } from "./rename.ts";
import { replication } from "./replication.ts";
import { withReplicas } from "./replication-run.ts";
import { requestPayment, withPayers } from "./request-payment.ts";
import { restores } from "./restore.ts";
import { stateOf } from "./state.ts";
import { type BucketRow, migrations } from "./tables.ts";
import { tagging, tagsOf } from "./tags.ts";
import { uploads } from "./uploads.ts";
import { websites } from "./website.ts";
import { website } from "./website-site.ts";

const model = loadModel(import.meta.url);

export const s3 = defineService({
  name: "s3",
  model,
  migrations,
  operations: withRequestKeys(
    withDirectoryBuckets(
      withRegions(
        withBodyDigests(
          withReplicas(
            withPayers(
              {
                ...buckets,
                ...bucketSettings,
                ...acls,
                ...ownership,
                ...publicAccess,
                ...policyStatus,
                ...cors,
                ...bucketEncryption,
                ...websites,
                ...requestPayment,
                ...acceleration,
                ...tagging,
                ...notifications,
                ...objects,
                ...objectLock,
                ...lifecycle,
                ...replication,
                ...logging,
                ...inventory,
                ...restores,
                ...copies,
                ...attributes,
                ...lists,
                ...uploads,
                ...expressSessions,
                ...directoryBuckets,
                ...renames,
              },
              model,
            ),
          ),
        ),
      ),
    ),
  ),
  quirks,
  sites: [website],
  resourcePolicy,
  resourceOwner,
  grants: aclPolicies,
  identity,
  resourceTags: (ctx, resource) => after(bucketAt(ctx, resource), (bucket) => bucket && tagsByKey(bucket)),
  directories: givenDirectories,
  check,
  deliver,
  giveUp,
  answered: logAnswered,
  start,
});

async function start(ctx: Context): Promise<Running> {
  const reconciler = await startReconciler(ctx);
  const accessLogs = new AccessLogs(ctx);
  stateOf(ctx).accessLogs = accessLogs;
  return {
    async settled() {
      await reconciler.settled?.();
      await accessLogs.settled();
    },
    async [Symbol.asyncDispose]() {
      await accessLogs[Symbol.asyncDispose]();
      await reconciler[Symbol.asyncDispose]();
    },
  };
}

const bucketAt = (ctx: Context, resource: Arn) => bucketFacts(ctx, bucketOfArn(resource));

const tagsByKey = ({ tags }: BucketRow): Tags => Object.fromEntries(tagsOf(tags).map(({ Key, Value }) => [Key, Value]));
