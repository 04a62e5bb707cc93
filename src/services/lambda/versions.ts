// Published versions: copies of $LATEST that never change.
import { type Context, defineOperations, newRequestId, type Tx } from "../../kernel/mod.ts";
import { type Code, codeColumns, freeze } from "./code.ts";
import {
  configurationOf,
  describe,
  type FunctionRow,
  findVersion,
  insertVersion,
  updateVersion,
} from "./configuration.ts";
import { errors, invalidParameter } from "./errors.ts";
import { functionArn, resolveName, resourceOf } from "./names.ts";
import { refuseUnsettled } from "./states.ts";

export const versions = defineOperations("lambda", {
  PublishVersion: {
    access: (ctx, input) => ({ action: "lambda:PublishVersion", resource: resourceOf(ctx, input.FunctionName) }),
    async handle(ctx, input) {
      const ref = resolveName(ctx, input.FunctionName!);
      if (input.PublishTo !== undefined) throw errors.unsupported("PublishTo");
      const frozen = await frozenOf(ctx, await ctx.read((tx) => findVersion(tx, ref)));
      return ctx.write(async (tx) => {
        const latest = await findVersion(tx, ref);
        if (!latest) throw errors.functionNotFound(functionArn({ ...ref, qualifier: undefined }));
        if (input.RevisionId !== undefined && input.RevisionId !== latest.revision_id)
          throw errors.revisionMismatch("GetFunction/GetAlias");
        if (input.CodeSha256 && input.CodeSha256 !== latest.code_sha256)
          throw invalidParameter(
            `CodeSHA256 (${input.CodeSha256}) is different from current CodeSHA256 in $LATEST (${latest.code_sha256}). Please try again with the CodeSHA256 in $LATEST.`,
          );
        refuseUnsettled(latest);
        const { Description: description } = input;
        return describe(await publish(tx, latest, { description, frozen, now: ctx.now, renew: true }));
      });
    },
  },

  ListVersionsByFunction: {
    access: (ctx, input) => ({
      action: "lambda:ListVersionsByFunction",
      resource: resourceOf(ctx, input.FunctionName),
    }),
    async handle(ctx, input) {
      const ref = resolveName(ctx, input.FunctionName!);
      const limit = Math.min(input.MaxItems ?? PAGE, PAGE);
      const start = input.Marker ? Number(input.Marker) : 0;
      if (!Number.isSafeInteger(start) || start < 0) throw invalidParameter("Invalid Marker");
      const rows = await ctx.read((tx) =>
        tx.all<FunctionRow>(
          `SELECT * FROM lambda_function
           WHERE account = :account AND region = :region AND function_name = :name`,
          { account: ref.account, region: ref.region, name: ref.name },
        ),
      );
      if (rows.length === 0) throw errors.functionNotFound(functionArn({ ...ref, qualifier: undefined }));
      // $LATEST first, then by number: text order would put 10 before 2.
      rows.sort((a, b) => numberOf(a) - numberOf(b));
      return {
        Versions: rows.slice(start, start + limit).map((row) => describe(row, { list: true, qualified: true })),
        ...(rows.length > start + limit && { NextMarker: String(start + limit) }),
      };
    },
  },
});

const PAGE = 50;
const numberOf = (row: FunctionRow): number => (row.version === "$LATEST" ? 0 : Number(row.version));

/**
 * Copies $LATEST to the next number. Where nothing changed since the last version, AWS answers that version instead of making another.
 * `renew`: PublishVersion gives $LATEST a new revision as well; CreateFunction and UpdateFunctionCode have done so themselves.
 * `frozen`: what live code is now, since a version never changes.
 */
export async function publish(
  tx: Tx,
  latest: FunctionRow,
  options: { description?: string | undefined; frozen: Code | undefined; now: number; renew?: boolean },
): Promise<FunctionRow> {
  const code = options.frozen ? codeColumns(options.frozen) : {};
  const { code_sha256 } = { ...latest, ...code };
  const last =
    latest.last_version === 0 ? undefined : await findVersion(tx, nameOf(latest), String(latest.last_version));
  const description = options.description ?? configurationOf(latest).Description;
  const configuration = JSON.stringify({ ...configurationOf(latest), Description: description });
  if (last && last.code_sha256 === code_sha256 && sameBut(last.configuration, latest.configuration)) return last;
  const number = latest.last_version + 1;
  const renewed = options.renew && { revision_id: newRequestId() };
  await updateVersion(tx, { ...latest, last_version: number, ...renewed });
  const version: FunctionRow = {
    ...latest,
    ...code,
    configuration,
    version: String(number),
    revision_id: newRequestId(),
    tags: "{}",
    last_version: 0,
    last_modified_ms: options.now,
  };
  await insertVersion(tx, version);
  return version;
}

/** Before the transaction that publishes. An edit between the two is the next version's. */
export const frozenOf = async (ctx: Context, latest: Pick<FunctionRow, "live"> | undefined) =>
  latest?.live == null ? undefined : freeze(ctx, latest.live);

const nameOf = (row: FunctionRow) => ({ account: row.account, region: row.region, name: row.function_name });

// A description of its own does not make a version another one.
const sameBut = (a: string, b: string): boolean =>
  JSON.stringify({ ...JSON.parse(a), Description: "" }) === JSON.stringify({ ...JSON.parse(b), Description: "" });
