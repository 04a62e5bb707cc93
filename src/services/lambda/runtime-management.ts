// When AWS would give a function a newer build of its runtime. Here it is what this machine has: the choice is kept, and changes nothing.
// https://docs.aws.amazon.com/lambda/latest/dg/runtimes-update.html
import { type Context, defineOperations, type Output, type Tx } from "../../kernel/mod.ts";
import { configurationOf, type FunctionRow, findVersion, refOf, updateVersion } from "./configuration.ts";
import { errors, invalidParameter } from "./errors.ts";
import { functionArn, resolveName, resourceOf } from "./names.ts";
import { runtimeVersionArn } from "./runtimes.ts";

interface Managed {
  readonly UpdateRuntimeOn: NonNullable<Output<"lambda", "GetRuntimeManagementConfig">["UpdateRuntimeOn"]>;
  /** With `Manual` alone. */
  readonly RuntimeVersionArn?: string;
}

interface Named {
  FunctionName?: string | undefined;
  Qualifier?: string | undefined;
}

export const runtimeManagement = defineOperations("lambda", {
  PutRuntimeManagementConfig: {
    access: (ctx, input) => accessTo(ctx, "lambda:PutRuntimeManagementConfig", input),
    async handle(ctx, input) {
      const { UpdateRuntimeOn, RuntimeVersionArn } = input;
      return ctx.write(async (tx) => {
        const row = await requireVersion(ctx, tx, input);
        if (UpdateRuntimeOn === "Manual") checkVersionArn(row, RuntimeVersionArn);
        else if (RuntimeVersionArn !== undefined)
          throw invalidParameter("RuntimeVersionArn is specified where UpdateRuntimeOn is Manual, and only there.");
        const managed: Managed = {
          UpdateRuntimeOn: UpdateRuntimeOn!,
          ...(RuntimeVersionArn !== undefined && { RuntimeVersionArn }),
        };
        await updateVersion(tx, { ...row, runtime_management: JSON.stringify(managed) });
        return { ...managed, FunctionArn: arnOf(row) };
      });
    },
  },

  GetRuntimeManagementConfig: {
    access: (ctx, input) => accessTo(ctx, "lambda:GetRuntimeManagementConfig", input),
    async handle(ctx, input) {
      const row = await ctx.read((tx) => requireVersion(ctx, tx, input));
      const managed: Managed = row.runtime_management
        ? JSON.parse(row.runtime_management)
        : { UpdateRuntimeOn: "Auto" };
      return { ...managed, FunctionArn: arnOf(row) };
    },
  },
});

const accessTo = (ctx: Context, action: string, { FunctionName, Qualifier }: Named) => ({
  action,
  resource: resourceOf(ctx, FunctionName, Qualifier),
});

/** Of $LATEST or of a version: an alias has no runtime of its own. */
async function requireVersion(ctx: Context, tx: Tx, { FunctionName, Qualifier }: Named): Promise<FunctionRow> {
  const ref = resolveName(ctx, FunctionName!, Qualifier);
  const row = await findVersion(tx, ref, ref.qualifier);
  if (!row) throw errors.functionNotFound(functionArn(ref));
  return row;
}

const arnOf = (row: FunctionRow): string =>
  functionArn(row.version === "$LATEST" ? refOf(row) : { ...refOf(row), qualifier: row.version });

/** AWS has many builds of a runtime; this machine has one. */
function checkVersionArn(row: FunctionRow, given: string | undefined): void {
  const ours = runtimeVersionArn(row.region, configurationOf(row).Runtime);
  if (given !== ours)
    throw invalidParameter(`UpdateRuntimeOn Manual needs the RuntimeVersionArn that this machine has: ${ours}`);
}
