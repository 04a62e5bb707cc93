// PutResourcePolicy, DescribeResourcePolicies, DeleteResourcePolicy: what other services and accounts may do with the groups of an account.
import { type Arn, type Context, defineOperations, parseArn, resourcePolicyFault } from "../../kernel/mod.ts";
import { onEverything } from "./access.ts";
import { errors } from "./errors.ts";
import { cut, readCursor } from "./pages.ts";
import { catalogChanged } from "./rows.ts";

interface PolicyRow {
  readonly name: string;
  readonly document: string;
  readonly updated_ms: number;
}

/** "up to 10 resource policies per Region per account" */
const MOST_POLICIES = 10;

export const resourcePolicies = defineOperations("logs", {
  PutResourcePolicy: {
    access: () => onEverything("PutResourcePolicy"),
    async handle(ctx, input) {
      for (const member of ["resourceArn", "expectedRevisionId"] as const)
        if (input[member] !== undefined) throw errors.notImplemented(`PutResourcePolicy's ${member}`);
      const { policyName: name = "", policyDocument: document = "" } = input;
      const fault = resourcePolicyFault(document);
      if (name === "" || fault !== undefined) throw errors.parameter(`Invalid policy document: ${fault ?? "no name"}`);
      const { account, region } = ctx;
      const row = { account, region, name, document, updated_ms: ctx.now };
      await ctx.write(async (tx) => {
        const all = await policiesOf(tx, ctx);
        if (all.length >= MOST_POLICIES && !all.some((one) => one.name === name)) throw errors.limit();
        await tx.run(
          `INSERT INTO logs_policy (account, region, name, document, updated_ms)
           VALUES (:account, :region, :name, :document, :updated_ms)
           ON CONFLICT (account, region, name) DO UPDATE SET document = :document, updated_ms = :updated_ms`,
          row,
        );
        catalogChanged(tx);
      });
      return { resourcePolicy: described(row) };
    },
  },

  DescribeResourcePolicies: {
    access: () => onEverything("DescribeResourcePolicies"),
    async handle(ctx, input) {
      if (input.resourceArn !== undefined || input.policyScope === "RESOURCE")
        throw errors.notImplemented("A policy of one resource");
      const [after] = readCursor(input.nextToken);
      const wanted = (await policiesOf(ctx.singly, ctx)).filter(({ name }) => name > after!);
      const { items, nextToken } = cut(wanted, input.limit ?? MOST_POLICIES, ({ name }) => [name]);
      return { resourcePolicies: items.map(described), ...(nextToken !== undefined && { nextToken }) };
    },
  },

  DeleteResourcePolicy: {
    access: () => onEverything("DeleteResourcePolicy"),
    async handle(ctx, input) {
      for (const member of ["resourceArn", "expectedRevisionId"] as const)
        if (input[member] !== undefined) throw errors.notImplemented(`DeleteResourcePolicy's ${member}`);
      const { policyName: name = "" } = input;
      const { account, region } = ctx;
      await ctx.write(async (tx) => {
        const gone = await tx.run(
          "DELETE FROM logs_policy WHERE account = :account AND region = :region AND name = :name",
          { account, region, name },
        );
        if (gone === 0) throw errors.noPolicy(name);
        catalogChanged(tx);
      });
      return {};
    },
  },
});

const policiesOf = (tx: Pick<Context["singly"], "all">, { account, region }: { account: string; region: string }) =>
  tx.all<PolicyRow>("SELECT * FROM logs_policy WHERE account = :account AND region = :region ORDER BY name", {
    account,
    region,
  });

const described = ({ name, document, updated_ms }: PolicyRow) => ({
  policyName: name,
  policyDocument: document,
  lastUpdatedTime: updated_ms,
  policyScope: "ACCOUNT" as const,
});

/** For the door: all policies of the account as one. */
export async function resourcePolicy(ctx: Context, resource: Arn): Promise<string | undefined> {
  const { account, region } = parseArn(resource) ?? {};
  if (!account || !region) return undefined;
  return ctx.recall("logs catalog", `policies ${account} ${region}`, async () => {
    const all = await policiesOf(ctx.singly, { account, region });
    if (all.length === 0) return undefined;
    const Statement = all.flatMap(({ document }) => (JSON.parse(document) as { Statement: unknown }).Statement);
    return JSON.stringify({ Version: "2012-10-17", Statement });
  });
}
