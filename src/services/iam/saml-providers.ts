// SAML providers: kept with their metadata, which is read as far as AWS demands. Nobody can assume a role with an assertion yet: see the README.
import { type Access, type Arn, type Context, defineOperations, newUniqueId, type Tx } from "../../kernel/mod.ts";
import { errors } from "./errors.ts";
import { readMetadata } from "./saml-metadata.ts";
import { secondOf } from "./tables.ts";
import { making, tagging, tagPage, tagsOf, tagsText, untagging, withoutTags, withTags } from "./tags.ts";

interface ProviderRow {
  readonly arn: Arn;
  readonly account: string;
  readonly id: string;
  readonly metadata: string;
  readonly created_ms: number;
  readonly valid_until_ms: number;
  readonly tags: string;
}

/** IAM's quotas: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html */
const PROVIDERS_LIMIT = 100;

export const samlProviders = defineOperations("iam", {
  CreateSAMLProvider: {
    access: (ctx, { Name, Tags }) =>
      making({ action: "iam:CreateSAMLProvider", resource: arnOf(ctx.account, Name!) }, "TagSAMLProvider", Tags),
    async handle(ctx, input) {
      refuseEncryption("CreateSAMLProvider", input);
      const { account } = ctx;
      const metadata = input.SAMLMetadataDocument!;
      const provider: ProviderRow = {
        arn: arnOf(account, input.Name!),
        account,
        id: newUniqueId("", 22),
        metadata,
        created_ms: secondOf(ctx.now),
        valid_until_ms: validUntil(ctx, metadata),
        tags: tagsText(input.Tags),
      };
      await ctx.write(async (tx) => {
        const made = await tx.run(
          `INSERT INTO iam_saml_provider (arn, account, id, metadata, created_ms, valid_until_ms, tags)
           VALUES (:arn, :account, :id, :metadata, :created_ms, :valid_until_ms, :tags) ON CONFLICT DO NOTHING`,
          { ...provider },
        );
        if (made === 0) throw errors.samlProviderExists(input.Name!);
        const count = await tx.one<{ n: number }>(
          "SELECT COUNT(*) AS n FROM iam_saml_provider WHERE account = :account",
          { account },
        );
        if (Number(count!.n) > PROVIDERS_LIMIT) throw errors.quota("SAMLProvidersPerAccount", PROVIDERS_LIMIT);
      });
      return { SAMLProviderArn: provider.arn, ...tagsOf(provider.tags) };
    },
  },

  GetSAMLProvider: {
    access: onProvider("GetSAMLProvider"),
    async handle(ctx, { SAMLProviderArn }) {
      const provider = await ctx.read((tx) => providerRow(tx, ctx.account, SAMLProviderArn!));
      return {
        SAMLProviderUUID: provider.id,
        SAMLMetadataDocument: provider.metadata,
        CreateDate: new Date(provider.created_ms),
        ValidUntil: new Date(provider.valid_until_ms),
        ...tagsOf(provider.tags),
      };
    },
  },

  ListSAMLProviders: {
    access: (ctx) => ({ action: "iam:ListSAMLProviders", resource: arnOf(ctx.account, "*") }),
    async handle(ctx) {
      const sql = "SELECT * FROM iam_saml_provider WHERE account = :account ORDER BY arn";
      const rows = await ctx.read((tx) => tx.all<ProviderRow>(sql, { account: ctx.account }));
      return {
        SAMLProviderList: rows.map(({ arn, valid_until_ms, created_ms }) => ({
          Arn: arn,
          ValidUntil: new Date(valid_until_ms),
          CreateDate: new Date(created_ms),
        })),
      };
    },
  },

  UpdateSAMLProvider: {
    access: onProvider("UpdateSAMLProvider"),
    async handle(ctx, input) {
      refuseEncryption("UpdateSAMLProvider", input);
      const { SAMLMetadataDocument: metadata } = input;
      const valid_until_ms = metadata === undefined ? 0 : validUntil(ctx, metadata);
      await ctx.write(async (tx) => {
        const { arn } = await providerRow(tx, ctx.account, input.SAMLProviderArn!);
        if (metadata === undefined) return;
        const sql =
          "UPDATE iam_saml_provider SET metadata = :metadata, valid_until_ms = :valid_until_ms WHERE arn = :arn";
        await tx.run(sql, { arn, metadata, valid_until_ms });
      });
      return { SAMLProviderArn: input.SAMLProviderArn! };
    },
  },

  DeleteSAMLProvider: {
    access: onProvider("DeleteSAMLProvider"),
    async handle(ctx, { SAMLProviderArn }) {
      await ctx.write(async (tx) => {
        const { arn } = await providerRow(tx, ctx.account, SAMLProviderArn!);
        await tx.run("DELETE FROM iam_saml_provider WHERE arn = :arn", { arn });
      });
      return {};
    },
  },

  TagSAMLProvider: {
    access: (ctx, input) => tagging(onProvider("TagSAMLProvider")(ctx, input), input.Tags),
    handle: (ctx, { SAMLProviderArn, Tags }) => setTags(ctx, SAMLProviderArn!, (old) => withTags(old, Tags)),
  },

  UntagSAMLProvider: {
    access: (ctx, input) => untagging(onProvider("UntagSAMLProvider")(ctx, input), input.TagKeys),
    handle: (ctx, { SAMLProviderArn, TagKeys }) => setTags(ctx, SAMLProviderArn!, (old) => withoutTags(old, TagKeys)),
  },

  ListSAMLProviderTags: {
    access: onProvider("ListSAMLProviderTags"),
    async handle(ctx, input) {
      const provider = await ctx.read((tx) => providerRow(tx, ctx.account, input.SAMLProviderArn!));
      return tagPage(provider.tags, input);
    },
  },
});

const arnOf = (account: string, name: string): Arn => `arn:aws:iam::${account}:saml-provider/${name}`;

/** There are no encrypted assertions here. */
function refuseEncryption(
  operation: string,
  input: { AssertionEncryptionMode?: unknown; AddPrivateKey?: unknown; RemovePrivateKey?: unknown },
) {
  for (const name of ["AssertionEncryptionMode", "AddPrivateKey", "RemovePrivateKey"] as const)
    if (input[name] !== undefined) throw errors.notImplemented(`${operation}'s ${name}`);
}

/** AWS takes metadata that does not say so to be valid for a hundred years. */
function validUntil(ctx: Context, metadata: string): number {
  const read = readMetadata(metadata);
  if (!read) throw errors.invalid("Could not parse metadata");
  if (read.validUntil !== undefined) return read.validUntil;
  const end = new Date(secondOf(ctx.now));
  return end.setUTCFullYear(end.getUTCFullYear() + 100);
}

/** Throws NoSuchEntity. */
async function providerRow(tx: Tx, account: string, arn: Arn): Promise<ProviderRow> {
  const sql = "SELECT * FROM iam_saml_provider WHERE account = :account AND arn = :arn";
  const provider = await tx.one<ProviderRow>(sql, { account, arn });
  if (!provider) throw errors.noSuchSamlProvider(arn);
  return provider;
}

function onProvider(action: string) {
  return (_ctx: Context, input: { SAMLProviderArn?: string | undefined }): Access => ({
    action: `iam:${action}`,
    resource: input.SAMLProviderArn!,
  });
}

async function setTags(ctx: Context, arn: Arn, value: (old: string) => string) {
  await ctx.write(async (tx) => {
    const { tags } = await providerRow(tx, ctx.account, arn);
    await tx.run("UPDATE iam_saml_provider SET tags = :tags WHERE arn = :arn", { arn, tags: value(tags) });
  });
  return {};
}
