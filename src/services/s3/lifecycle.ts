// A bucket's lifecycle configuration: what is accepted, and what it says of an object. lifecycle-run.ts does it.
// https://docs.aws.amazon.com/AmazonS3/latest/userguide/intro-lifecycle-rules.html
import { type AwsError, defineOperations, type Input, newToken } from "../../kernel/mod.ts";
import { bucketArn, bucketOf } from "./buckets.ts";
import { isDirectoryBucket } from "./directory-names.ts";
import { errors } from "./errors.ts";
import { keyOf } from "./keys.ts";
import type { BucketRow, ObjectRow, UploadRow } from "./tables.ts";
import { tagsOf } from "./tags.ts";
import { midnightAfter, schedule, unschedule } from "./tasks.ts";

const DAY = 86_400_000;
const MAX_RULES = 1000;
const MAX_ID = 255;
/** Smaller objects cost more to move than to keep. */
const SMALL = 128 * 1024;
const DEFAULT_MINIMUM = "all_storage_classes_128K";
const MINIMUMS = [DEFAULT_MINIMUM, "varies_by_storage_class"];

type Given = NonNullable<Input<"s3", "PutBucketLifecycleConfiguration">["LifecycleConfiguration"]>;
export type Rule = NonNullable<Given["Rules"]>[number];
type Transition = NonNullable<Rule["Transitions"]>[number];

/** As the column `lifecycle` holds it: dates are texts. */
export interface Lifecycle {
  readonly Rules: readonly Rule[];
  readonly minimum: string;
}

export const lifecycle = defineOperations("s3", {
  GetBucketLifecycleConfiguration: {
    access: (_, { Bucket }) => ({ action: "s3:GetLifecycleConfiguration", resource: bucketArn(Bucket!) }),
    async handle(ctx, input) {
      const bucket = await bucketOf(ctx, input);
      const { Rules, minimum } = lifecycleOf(bucket) ?? {};
      if (!Rules) throw errors.noLifecycle(bucket.name);
      return { Rules: [...Rules], TransitionDefaultMinimumObjectSize: minimum as typeof DEFAULT_MINIMUM };
    },
  },

  PutBucketLifecycleConfiguration: {
    access: (_, { Bucket }) => ({ action: "s3:PutLifecycleConfiguration", resource: bucketArn(Bucket!) }),
    async handle(ctx, input) {
      const minimum = input.TransitionDefaultMinimumObjectSize ?? DEFAULT_MINIMUM;
      if (!MINIMUMS.includes(minimum))
        throw errors.invalidRequest(`Invalid TransitionDefaultMinimumObjectSize found: ${minimum}`);
      const Rules = (input.LifecycleConfiguration?.Rules ?? []).map((rule) => ({
        ...rule,
        ID: rule.ID || newToken(48),
      }));
      check(Rules);
      if (isDirectoryBucket(input.Bucket)) Rules.forEach(checkOfDirectory);
      const bucket = await bucketOf(ctx, input);
      await ctx.write(async (tx) => {
        await tx.run("UPDATE s3_bucket SET lifecycle = :lifecycle WHERE name = :name", {
          name: bucket.name,
          lifecycle: JSON.stringify({ Rules, minimum } satisfies Lifecycle),
        });
        await schedule(ctx, tx, { bucket, task: "lifecycle", due: midnightAfter(ctx.clock.now()) });
      });
      return { TransitionDefaultMinimumObjectSize: minimum as typeof DEFAULT_MINIMUM };
    },
  },

  DeleteBucketLifecycle: {
    access: (_, { Bucket }) => ({ action: "s3:PutLifecycleConfiguration", resource: bucketArn(Bucket!) }),
    async handle(ctx, input) {
      const bucket = await bucketOf(ctx, input);
      await ctx.write(async (tx) => {
        await tx.run("UPDATE s3_bucket SET lifecycle = NULL WHERE name = :name", { name: bucket.name });
        await unschedule(tx, bucket, "lifecycle");
      });
      return {};
    },
  },
});

/** Parsed once for each text. */
const parsed = new Map<string, Lifecycle>();
const MAX_PARSED = 1000;

export function lifecycleOf({ lifecycle: text }: Pick<BucketRow, "lifecycle">): Lifecycle | undefined {
  if (text === null) return undefined;
  let found = parsed.get(text);
  if (!found) {
    found = JSON.parse(text, (name, value) => (name === "Date" ? new Date(value as string) : value)) as Lifecycle;
    if (parsed.size >= MAX_PARSED) parsed.clear();
    parsed.set(text, found);
  }
  return found;
}

type Described = Pick<ObjectRow, "key" | "size" | "tags">;

/** What a rule is about, however it says it. */
function filterOf({ Filter, Prefix }: Rule) {
  const { And, Tag: tag, ...one } = Filter ?? {};
  const all = { ...one, ...And };
  return {
    prefix: all.Prefix ?? Prefix ?? "",
    tags: [...(tag ? [tag] : []), ...(And?.Tags ?? [])],
    over: all.ObjectSizeGreaterThan,
    under: all.ObjectSizeLessThan,
  };
}

export function applies(rule: Rule, row: Described): boolean {
  const { prefix, tags, over, under } = filterOf(rule);
  if (rule.Status !== "Enabled" || !keyOf(row.key).startsWith(prefix)) return false;
  if ((over !== undefined && row.size <= over) || (under !== undefined && row.size >= under)) return false;
  if (tags.length === 0) return true;
  const has = tagsOf(row.tags);
  return tags.every(({ Key, Value }) => has.some((tag) => tag.Key === Key && tag.Value === Value));
}

/** Some days after `since`, at the next midnight, or at a date. */
export const dueAt = (
  since: number,
  { Days, Date: date }: { readonly Days?: number | undefined; readonly Date?: Date | undefined },
): number => (date ? date.getTime() : midnightAfter(since + Days! * DAY));

export interface Expiry {
  readonly at: number;
  readonly rule: string;
}

/** When a current version expires: by the first of its rules. */
export function expiryOf(rules: readonly Rule[], row: Described & Pick<ObjectRow, "modified_ms">): Expiry | undefined {
  let first: Expiry | undefined;
  for (const rule of rules) {
    const { Expiration, ID } = rule;
    if ((Expiration?.Days === undefined && !Expiration?.Date) || !applies(rule, row)) continue;
    const at = dueAt(row.modified_ms, Expiration);
    if (!first || at < first.at) first = { at, rule: ID! };
  }
  return first;
}

/** `x-amz-expiration`, of a current version. */
export function expirationHeader(
  bucket: BucketRow,
  row: Described & Pick<ObjectRow, "modified_ms">,
): { Expiration?: string } {
  const rules = lifecycleOf(bucket)?.Rules;
  const expiry = rules && expiryOf(rules, row);
  if (!expiry) return {};
  return { Expiration: `expiry-date="${new Date(expiry.at).toUTCString()}", rule-id="${expiry.rule}"` };
}

/** When an upload that is not completed is aborted. Sizes and tags are of objects only. */
export function abortOf(bucket: BucketRow, { key, initiated_ms }: Pick<UploadRow, "key" | "initiated_ms">) {
  let first: Expiry | undefined;
  for (const rule of lifecycleOf(bucket)?.Rules ?? []) {
    const Days = rule.AbortIncompleteMultipartUpload?.DaysAfterInitiation;
    if (Days === undefined || !applies(rule, { key, size: 0, tags: null })) continue;
    const at = dueAt(initiated_ms, { Days });
    if (!first || at < first.at) first = { at, rule: rule.ID! };
  }
  return first;
}

/** `x-amz-abort-date`, `x-amz-abort-rule-id`. */
export function abortHeaders(bucket: BucketRow, upload: Pick<UploadRow, "key" | "initiated_ms">) {
  const abort = abortOf(bucket, upload);
  return abort ? { AbortDate: new Date(abort.at), AbortRuleId: abort.rule } : {};
}

/** From warm to cold: an object moves in this direction only. */
const COLDNESS = [
  "STANDARD",
  "REDUCED_REDUNDANCY",
  "STANDARD_IA",
  "INTELLIGENT_TIERING",
  "ONEZONE_IA",
  "GLACIER_IR",
  "GLACIER",
  "DEEP_ARCHIVE",
];
const TARGETS = COLDNESS.slice(2);
const coldness = (storageClass: string): number => COLDNESS.indexOf(storageClass);

/** The class that a version should be in by `now`; undefined: where it is. */
export function classAt(
  { Rules, minimum }: Lifecycle,
  row: ObjectRow,
  { now, since, of }: { now: number; since: number; of: "Transitions" | "NoncurrentVersionTransitions" },
): string | undefined {
  let coldest = row.storage_class;
  for (const rule of Rules) {
    if (!applies(rule, row)) continue;
    const { over, under } = filterOf(rule);
    for (const one of rule[of] ?? []) {
      const { StorageClass = "" } = one;
      const any =
        over !== undefined ||
        under !== undefined ||
        (minimum !== DEFAULT_MINIMUM && /^(GLACIER|DEEP_ARCHIVE)$/.test(StorageClass));
      if (!any && row.size < SMALL) continue;
      const days = "NoncurrentDays" in one ? { Days: one.NoncurrentDays } : (one as Transition);
      if (dueAt(since, days) <= now && coldness(StorageClass) > coldness(coldest)) coldest = StorageClass;
    }
  }
  return coldest === row.storage_class ? undefined : coldest;
}

/** AWS's order: the document, then each rule's id, filter and actions. */
/** https://docs.aws.amazon.com/AmazonS3/latest/userguide/directory-buckets-objects-lifecycle.html: expiration in days, by prefix and size, and uploads. */
function checkOfDirectory({ Filter, Expiration, ...rule }: Rule): void {
  const { Transitions, NoncurrentVersionTransitions, NoncurrentVersionExpiration } = rule;
  const tags = Filter?.Tag ?? Filter?.And?.Tags;
  if (Transitions || NoncurrentVersionTransitions || NoncurrentVersionExpiration || tags)
    throw errors.invalidRequest("This bucket supports rules that expire objects by prefix and size only.");
  if (Expiration && Expiration.Days === undefined)
    throw errors.invalidRequest("This bucket supports expiration in days only.");
}

function check(rules: readonly Rule[]): void {
  if (rules.length === 0 || rules.length > MAX_RULES) throw errors.malformedXml();
  const ids = new Set<string>();
  const newForm = rules.some(({ Filter }) => Filter);
  for (const rule of rules) {
    if (rule.Status !== "Enabled" && rule.Status !== "Disabled") throw errors.malformedXml();
    if (!rule.Filter && rule.Prefix === undefined) throw errors.malformedXml();
    if (newForm && rule.Prefix !== undefined)
      throw errors.invalidRequest(
        "Base level prefix cannot be used in Lifecycle V2, prefixes are only supported in the Filter.",
      );
    if (Buffer.byteLength(rule.ID!) > MAX_ID)
      throw errors.invalidArgument(`ID length should not exceed allowed limit of ${MAX_ID}`, "ID", rule.ID);
    if (ids.has(rule.ID!))
      throw errors.invalidArgument("Rule ID must be unique. Found same ID for more than one rule", "ID", rule.ID);
    ids.add(rule.ID!);
    checkFilter(rule);
    checkActions(rule);
  }
}

function checkFilter({ Filter }: Rule): void {
  if (!Filter) return;
  const { And } = Filter;
  if (Object.values(Filter).filter((one) => one !== undefined).length > 1) throw errors.malformedXml();
  if (And && predicates(And) < 2) throw errors.malformedXml();
  const keys = (And?.Tags ?? []).map(({ Key }) => Key);
  if (new Set(keys).size < keys.length) throw errors.invalidRequest("Duplicate Tag Keys are not allowed.");
  const { ObjectSizeGreaterThan: over, ObjectSizeLessThan: under } = { ...Filter, ...And };
  if (over !== undefined && under !== undefined && under <= over + 1)
    throw errors.invalidRequest("'ObjectSizeLessThan' has to be a value greater than 'ObjectSizeGreaterThan'.");
}

const predicates = ({
  Prefix,
  Tags,
  ObjectSizeGreaterThan,
  ObjectSizeLessThan,
}: NonNullable<NonNullable<Rule["Filter"]>["And"]>): number =>
  (Tags?.length ?? 0) + [Prefix, ObjectSizeGreaterThan, ObjectSizeLessThan].filter((one) => one !== undefined).length;

function checkActions(rule: Rule): void {
  const {
    Expiration,
    Transitions = [],
    NoncurrentVersionExpiration,
    NoncurrentVersionTransitions = [],
    AbortIncompleteMultipartUpload: abort,
  } = rule;
  if (
    !Expiration &&
    Transitions.length === 0 &&
    !NoncurrentVersionExpiration &&
    NoncurrentVersionTransitions.length === 0 &&
    !abort
  )
    throw errors.invalidRequest("At least one action needs to be specified in a rule");
  if (Expiration) checkExpiration(rule, Expiration);
  for (const one of Transitions) checkTransition(one);
  checkOrder(rule);
  if (NoncurrentVersionExpiration) {
    const { NoncurrentDays, NewerNoncurrentVersions: newer } = NoncurrentVersionExpiration;
    if (NoncurrentDays === undefined) throw errors.malformedXml();
    if (NoncurrentDays <= 0) throw notPositive("NoncurrentDays", "NoncurrentVersionExpiration action", NoncurrentDays);
    if (newer !== undefined && (newer < 1 || newer > 100))
      throw errors.invalidArgument(
        "'NewerNoncurrentVersions' must be between 1 and 100",
        "NewerNoncurrentVersions",
        String(newer),
      );
  }
  for (const { NoncurrentDays, StorageClass } of NoncurrentVersionTransitions) {
    if (NoncurrentDays === undefined || !TARGETS.includes(StorageClass ?? "")) throw errors.malformedXml();
    if (NoncurrentDays < 0) throw notPositive("NoncurrentDays", "NoncurrentVersionTransition action", NoncurrentDays);
  }
  if (abort) {
    if (abort.DaysAfterInitiation === undefined) throw errors.malformedXml();
    if (abort.DaysAfterInitiation <= 0)
      throw notPositive("DaysAfterInitiation", "AbortIncompleteMultipartUpload action", abort.DaysAfterInitiation);
    checkNoTags(rule, "AbortIncompleteMultipartUpload");
  }
}

function checkExpiration(
  rule: Rule,
  { Days, Date: date, ExpiredObjectDeleteMarker: marker }: NonNullable<Rule["Expiration"]>,
): void {
  if ([Days, date, marker].filter((one) => one !== undefined).length !== 1) throw errors.malformedXml();
  if (Days !== undefined && Days <= 0) throw notPositive("Days", "Expiration action", Days);
  if (date) checkMidnight(date);
  if (marker) checkNoTags(rule, "ExpiredObjectDeleteMarker");
}

function checkTransition({ Days, Date: date, StorageClass }: Transition): void {
  if ((Days === undefined) === (date === undefined) || !TARGETS.includes(StorageClass ?? ""))
    throw errors.malformedXml();
  if (Days !== undefined && Days < 0) throw notPositive("Days", "Transition action", Days);
  if (Days !== undefined && Days < 30 && /_IA$/.test(StorageClass!))
    throw errors.invalidArgument(
      `'Days' in Transition action must be greater than or equal to 30 for storageClass '${StorageClass}'`,
      "Days",
      String(Days),
    );
  if (date) checkMidnight(date);
}

function checkOrder(rule: Rule): void {
  const { Expiration, Transitions = [] } = rule;
  const filter = `(prefix=${filterOf(rule).prefix})`;
  const classes = Transitions.map(({ StorageClass }) => StorageClass);
  if (new Set(classes).size < classes.length)
    throw errors.invalidRequest(
      `'StorageClass' must be different for 'Transition' actions in same 'Rule' with filter '${filter}'`,
    );
  const dated = [...Transitions, ...(Expiration && !Expiration.ExpiredObjectDeleteMarker ? [Expiration] : [])].map(
    (one) => one.Date !== undefined,
  );
  if (dated.includes(true) && dated.includes(false))
    throw errors.invalidRequest(
      `Found mixed 'Date' and 'Days' based Expiration and Transition actions in lifecycle rule for filter '${filter}'`,
    );
  for (const { Days, Date: date } of Transitions) {
    if (Days !== undefined && Expiration?.Days !== undefined && Expiration.Days <= Days)
      throw errors.invalidArgument(
        `'Days' in the Expiration action for filter '${filter}' must be greater than 'Days' in the Transition action`,
        "Days",
        String(Expiration.Days),
      );
    if (date && Expiration?.Date && Expiration.Date <= date)
      throw errors.invalidArgument(
        `'Date' in the Expiration action for filter '${filter}' must be later than 'Date' in the Transition action`,
        "Date",
        Expiration.Date.toISOString(),
      );
  }
}

function checkNoTags(rule: Rule, action: string): void {
  const { tags, over, under } = filterOf(rule);
  if (tags.length > 0) throw errors.invalidRequest(`${action} cannot be specified with Tags.`);
  if (over !== undefined || under !== undefined)
    throw errors.invalidRequest(`${action} cannot be specified with Object Size.`);
}

function checkMidnight(date: Date): void {
  if (date.getTime() % DAY !== 0)
    throw errors.invalidArgument("'Date' must be at midnight GMT", "Date", date.toISOString());
}

const notPositive = (name: string, action: string, value: number): AwsError =>
  errors.invalidArgument(`'${name}' for ${action} must be a positive integer`, name, String(value));
