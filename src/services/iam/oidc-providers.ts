// OpenID Connect providers: whose tokens AssumeRoleWithWebIdentity takes. An issuer on this machine may speak plain HTTP and have a port, which AWS
// allows no one: there is no other way to try it offline.
import { type Access, type Arn, type Context, defineOperations, type Tx } from "../../kernel/mod.ts";
import { errors } from "./errors.ts";
import { secondOf } from "./tables.ts";
import { making, tagging, tagPage, tagsOf, tagsText, untagging, withoutTags, withTags } from "./tags.ts";

interface ProviderRow {
  readonly arn: Arn;
  readonly account: string;
  /** As GetOpenIDConnectProvider tells it: without the scheme. */
  readonly url: string;
  /** JSON lists. */
  readonly client_ids: string;
  readonly thumbprints: string;
  readonly created_ms: number;
  readonly tags: string;
}

/** IAM's quotas: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html */
const PROVIDERS_LIMIT = 100;
const CLIENT_IDS_LIMIT = 100;
const THUMBPRINTS_LIMIT = 5;

export const oidcProviders = defineOperations("iam", {
  CreateOpenIDConnectProvider: {
    access: (ctx, { Url, Tags }) =>
      making(
        { action: "iam:CreateOpenIDConnectProvider", resource: arnOf(ctx.account, withoutScheme(Url!)) },
        "TagOpenIDConnectProvider",
        Tags,
      ),
    async handle(ctx, { Url, ClientIDList = [], ThumbprintList = [], Tags }) {
      const { account } = ctx;
      const url = withoutScheme(checkedUrl(Url!));
      const provider: ProviderRow = {
        arn: arnOf(account, url),
        account,
        url,
        client_ids: clientIds([], ClientIDList),
        thumbprints: checkedThumbprints(ThumbprintList),
        created_ms: secondOf(ctx.now),
        tags: tagsText(Tags),
      };
      await ctx.write(async (tx) => {
        const made = await tx.run(
          `INSERT INTO iam_oidc_provider (arn, account, url, client_ids, thumbprints, created_ms, tags)
           VALUES (:arn, :account, :url, :client_ids, :thumbprints, :created_ms, :tags) ON CONFLICT DO NOTHING`,
          { ...provider },
        );
        if (made === 0) throw errors.oidcProviderExists(Url!);
        const count = await tx.one<{ n: number }>(
          "SELECT COUNT(*) AS n FROM iam_oidc_provider WHERE account = :account",
          { account },
        );
        if (Number(count!.n) > PROVIDERS_LIMIT) throw errors.quota("OpenIdConnectProvidersPerAccount", PROVIDERS_LIMIT);
      });
      return { OpenIDConnectProviderArn: provider.arn, ...tagsOf(provider.tags) };
    },
  },

  GetOpenIDConnectProvider: {
    access: onProvider("GetOpenIDConnectProvider"),
    async handle(ctx, { OpenIDConnectProviderArn }) {
      const provider = await ctx.read((tx) => providerRow(tx, ctx.account, OpenIDConnectProviderArn!));
      return {
        Url: provider.url,
        ClientIDList: JSON.parse(provider.client_ids) as string[],
        ThumbprintList: JSON.parse(provider.thumbprints) as string[],
        CreateDate: new Date(provider.created_ms),
        ...tagsOf(provider.tags),
      };
    },
  },

  ListOpenIDConnectProviders: {
    access: (ctx) => ({ action: "iam:ListOpenIDConnectProviders", resource: arnOf(ctx.account, "*") }),
    async handle(ctx) {
      const rows = await ctx.read((tx) =>
        tx.all<{ arn: Arn }>("SELECT arn FROM iam_oidc_provider WHERE account = :account ORDER BY arn", {
          account: ctx.account,
        }),
      );
      return { OpenIDConnectProviderList: rows.map(({ arn }) => ({ Arn: arn })) };
    },
  },

  UpdateOpenIDConnectProviderThumbprint: {
    access: onProvider("UpdateOpenIDConnectProviderThumbprint"),
    handle: (ctx, { OpenIDConnectProviderArn, ThumbprintList = [] }) =>
      set(ctx, OpenIDConnectProviderArn!, { column: "thumbprints", value: () => checkedThumbprints(ThumbprintList) }),
  },

  AddClientIDToOpenIDConnectProvider: {
    access: onProvider("AddClientIDToOpenIDConnectProvider"),
    handle: (ctx, { OpenIDConnectProviderArn, ClientID }) =>
      set(ctx, OpenIDConnectProviderArn!, {
        column: "client_ids",
        value: (old) => clientIds(JSON.parse(old) as string[], [ClientID!]),
      }),
  },

  RemoveClientIDFromOpenIDConnectProvider: {
    access: onProvider("RemoveClientIDFromOpenIDConnectProvider"),
    handle: (ctx, { OpenIDConnectProviderArn, ClientID }) =>
      set(ctx, OpenIDConnectProviderArn!, {
        column: "client_ids",
        value: (old) => JSON.stringify((JSON.parse(old) as string[]).filter((id) => id !== ClientID)),
      }),
  },

  DeleteOpenIDConnectProvider: {
    access: onProvider("DeleteOpenIDConnectProvider"),
    // No error where there is none.
    async handle(ctx, { OpenIDConnectProviderArn }) {
      const of = { account: ctx.account, arn: OpenIDConnectProviderArn! };
      await ctx.write((tx) => tx.run("DELETE FROM iam_oidc_provider WHERE account = :account AND arn = :arn", of));
      return {};
    },
  },

  TagOpenIDConnectProvider: {
    access: (ctx, input) => tagging(onProvider("TagOpenIDConnectProvider")(ctx, input), input.Tags),
    handle: (ctx, { OpenIDConnectProviderArn, Tags }) =>
      set(ctx, OpenIDConnectProviderArn!, { column: "tags", value: (old) => withTags(old, Tags) }),
  },

  UntagOpenIDConnectProvider: {
    access: (ctx, input) => untagging(onProvider("UntagOpenIDConnectProvider")(ctx, input), input.TagKeys),
    handle: (ctx, { OpenIDConnectProviderArn, TagKeys }) =>
      set(ctx, OpenIDConnectProviderArn!, { column: "tags", value: (old) => withoutTags(old, TagKeys) }),
  },

  ListOpenIDConnectProviderTags: {
    access: onProvider("ListOpenIDConnectProviderTags"),
    async handle(ctx, input) {
      const provider = await ctx.read((tx) => providerRow(tx, ctx.account, input.OpenIDConnectProviderArn!));
      return tagPage(provider.tags, input);
    },
  },
});

const withoutScheme = (url: string): string => url.replace(/^https?:\/\//, "");

const arnOf = (account: string, url: string): Arn => `arn:aws:iam::${account}:oidc-provider/${url}`;

/** https://docs.aws.amazon.com/IAM/latest/APIReference/API_CreateOpenIDConnectProvider.html */
function checkedUrl(text: string): string {
  const url = URL.parse(text);
  const local = url !== null && ["localhost", "127.0.0.1", "[::1]"].includes(url.hostname);
  const secure = url?.protocol === "https:" && (url.port === "" || local);
  const bare = url !== null && url.search === "" && url.hash === "" && url.username === "";
  if (!bare || !(secure || (local && url.protocol === "http:")))
    throw errors.validation("Invalid Open ID Connect Provider URL");
  return text;
}

function checkedThumbprints(given: readonly string[]): string {
  if (given.length > THUMBPRINTS_LIMIT) throw errors.invalid("Thumbprint list must contain fewer than 5 entries.");
  if (given.some((one) => !/^[0-9a-fA-F]{40}$/.test(one)))
    throw errors.validation("Thumbprint must be 40 hexadecimal characters.");
  return JSON.stringify(given.map((one) => one.toLowerCase()));
}

/** Each once, in their order. */
function clientIds(old: readonly string[], added: readonly string[]): string {
  const ids = [...new Set([...old, ...added])];
  if (ids.length > CLIENT_IDS_LIMIT) throw errors.quota("ClientIdsPerOpenIdConnectProvider", CLIENT_IDS_LIMIT);
  return JSON.stringify(ids);
}

/** Throws NoSuchEntity. */
async function providerRow(tx: Tx, account: string, arn: Arn): Promise<ProviderRow> {
  const sql = "SELECT * FROM iam_oidc_provider WHERE account = :account AND arn = :arn";
  const provider = await tx.one<ProviderRow>(sql, { account, arn });
  if (!provider) throw errors.noSuchOidcProvider(arn);
  return provider;
}

function onProvider(action: string) {
  return (_ctx: Context, input: { OpenIDConnectProviderArn?: string | undefined }): Access => ({
    action: `iam:${action}`,
    resource: input.OpenIDConnectProviderArn!,
  });
}

const SET = {
  client_ids: "UPDATE iam_oidc_provider SET client_ids = :value WHERE arn = :arn",
  thumbprints: "UPDATE iam_oidc_provider SET thumbprints = :value WHERE arn = :arn",
  tags: "UPDATE iam_oidc_provider SET tags = :value WHERE arn = :arn",
};

async function set(
  ctx: Context,
  arn: Arn,
  { column, value }: { column: keyof typeof SET; value: (old: string) => string },
) {
  await ctx.write(async (tx) => {
    const provider = await providerRow(tx, ctx.account, arn);
    await tx.run(SET[column], { arn, value: value(provider[column]) });
  });
  return {};
}
