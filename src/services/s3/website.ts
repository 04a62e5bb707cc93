// A bucket's website configuration. https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutBucketWebsite.html
import { type Context, defineOperations, type Input } from "../../kernel/mod.ts";
import { onBucket } from "./access.ts";
import { bucketOf } from "./buckets.ts";
import { errors } from "./errors.ts";

export type Website = NonNullable<Input<"s3", "PutBucketWebsite">["WebsiteConfiguration"]>;
export type RoutingRule = NonNullable<Website["RoutingRules"]>[number];

const MAX_RULES = 50;

export const websites = defineOperations("s3", {
  GetBucketWebsite: {
    access: (_, input) => onBucket("GetBucketWebsite", input),
    async handle(ctx, input) {
      const { name, website } = await bucketOf(ctx, input);
      if (website === null) throw errors.noSuchWebsite(name);
      return JSON.parse(website) as Website;
    },
  },

  PutBucketWebsite: {
    access: (_, input) => onBucket("PutBucketWebsite", input),
    async handle(ctx, input) {
      const website = input.WebsiteConfiguration ?? {};
      checkWebsite(website);
      await setWebsite(ctx, (await bucketOf(ctx, input)).name, JSON.stringify(website));
      return {};
    },
  },

  DeleteBucketWebsite: {
    access: (_, input) => onBucket("DeleteBucketWebsite", input),
    async handle(ctx, input) {
      await setWebsite(ctx, (await bucketOf(ctx, input)).name, null);
      return {};
    },
  },
});

const setWebsite = (ctx: Context, name: string, website: string | null) =>
  ctx.write((tx) => tx.run("UPDATE s3_bucket SET website = :website WHERE name = :name", { name, website }));

function checkWebsite({ RedirectAllRequestsTo, IndexDocument, ErrorDocument, RoutingRules }: Website): void {
  if (RedirectAllRequestsTo) {
    if (IndexDocument || ErrorDocument || RoutingRules)
      throw errors.invalidArgument(
        "RedirectAllRequestsTo cannot be provided in conjunction with other Routing Rules.",
        "RedirectAllRequestsTo",
        "not null",
      );
    if (!RedirectAllRequestsTo.HostName) throw errors.malformedXml();
    checkProtocol(RedirectAllRequestsTo.Protocol);
    return;
  }
  if (!IndexDocument)
    throw errors.invalidArgument(
      "A value for IndexDocument Suffix must be provided if RedirectAllRequestsTo is empty",
      "IndexDocument",
      "null",
    );
  const { Suffix = "" } = IndexDocument;
  if (Suffix === "" || Suffix.includes("/"))
    throw errors.invalidArgument("The IndexDocument Suffix is not well formed", "IndexDocument", Suffix);
  if (ErrorDocument && !ErrorDocument.Key) throw errors.malformedXml();
  if (!RoutingRules) return;
  if (RoutingRules.length === 0) throw errors.malformedXml();
  if (RoutingRules.length > MAX_RULES)
    throw errors.invalidRequest(
      `${RoutingRules.length} routing rules provided, the number of routing rules in a website configuration is limited to ${MAX_RULES}.`,
    );
  RoutingRules.forEach(checkRule);
}

function checkRule({ Condition, Redirect }: RoutingRule): void {
  if (!Redirect || Object.keys(Redirect).length === 0) throw errors.malformedXml();
  if (Redirect.ReplaceKeyPrefixWith !== undefined && Redirect.ReplaceKeyWith !== undefined)
    throw errors.invalidRequest("You can only define ReplaceKeyPrefix or ReplaceKey but not both.");
  checkProtocol(Redirect.Protocol);
  if (Redirect.HttpRedirectCode !== undefined && !/^3(0[1-9]|[1-9]\d)$/.test(Redirect.HttpRedirectCode))
    throw errors.invalidRequest(
      `The provided HTTP redirect code (${Redirect.HttpRedirectCode}) is not valid. Valid codes are 3XX except 300.`,
    );
  if (!Condition) return;
  const { HttpErrorCodeReturnedEquals: code, KeyPrefixEquals: prefix } = Condition;
  if (code === undefined && prefix === undefined)
    throw errors.invalidRequest(
      "Condition cannot be empty. To redirect all requests without a condition, the condition element shouldn't be present.",
    );
  if (code !== undefined && !/^[45]\d\d$/.test(code))
    throw errors.invalidRequest(`The provided HTTP error code (${code}) is not valid. Valid codes are 4XX or 5XX.`);
}

function checkProtocol(protocol: string | undefined): void {
  if (protocol !== undefined && protocol !== "http" && protocol !== "https")
    throw errors.invalidRequest(
      "Invalid protocol, protocol can be http or https. If not defined the protocol will be selected automatically.",
    );
}
