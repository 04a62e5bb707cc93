// A function's configuration: what may be chosen, what AWS says of a wrong choice, and how a row reads as AWS's FunctionConfiguration.
import type { Input, Output, Tx } from "../../kernel/mod.ts";
import { errors, invalidParameter } from "./errors.ts";

import type { FunctionLayer } from "./function-layers.ts";

import { chooseLogging, type LoggingConfig } from "./logging.ts";

import { type FunctionRef, functionArn, type Place } from "./names.ts";
import { checkRuntime, runtimeVersionArn } from "./runtimes.ts";
import { stateOf } from "./states.ts";

export type FunctionConfiguration = Output<"lambda", "GetFunctionConfiguration">;
export type ConfigurationInput = Input<"lambda", "UpdateFunctionConfiguration">;

/** The members that a caller chooses, in AWS's names, with AWS's defaults filled in: the column `configuration`. */
export interface Configuration {
  readonly Description: string;
  readonly Role: string;
  readonly Runtime: string;
  readonly Handler: string;
  readonly Timeout: number;
  readonly MemorySize: number;
  readonly EphemeralStorage: { readonly Size: number };
  readonly Architectures: readonly ["x86_64" | "arm64"];
  readonly LoggingConfig: LoggingConfig;
  /** Absent where none was ever given: AWS then leaves out Environment. */
  readonly Environment?: { readonly Variables: Readonly<Record<string, string>> };
  readonly DeadLetterConfig?: { readonly TargetArn: string };
  /** Absent where there is none. */
  readonly Layers?: readonly FunctionLayer[];
}

export const tables = `
CREATE TABLE lambda_function (
  account TEXT NOT NULL,
  region TEXT NOT NULL,
  function_name TEXT NOT NULL,
  version TEXT NOT NULL,
  revision_id TEXT NOT NULL,
  configuration TEXT NOT NULL,
  code_sha256 TEXT NOT NULL,
  code_size BIGINT NOT NULL,
  live TEXT,
  tags TEXT NOT NULL,
  last_version BIGINT NOT NULL,
  last_modified_ms BIGINT NOT NULL,
  PRIMARY KEY (account, region, function_name, version)
)`;

/** One version of a function. `$LATEST` also carries what belongs to the function as a whole: tags, the number of its last version. */
export interface FunctionRow {
  readonly account: string;
  readonly region: string;
  readonly function_name: string;
  readonly version: string;
  readonly revision_id: string;
  readonly configuration: string;
  readonly code_sha256: string;
  readonly code_size: number;
  readonly live: string | null;
  readonly tags: string;
  readonly last_version: number;
  readonly last_modified_ms: number;
  /** What is under way, with `--delays real`: null where nothing is. */
  readonly progress: "Creating" | "Updating" | null;
  /** JSON; null where nobody ever chose. */
  readonly runtime_management: string | null;
}

export const configurationOf = (row: FunctionRow): Configuration => JSON.parse(row.configuration);
export const refOf = (row: FunctionRow): FunctionRef => ({
  account: row.account,
  region: row.region,
  name: row.function_name,
});

/** The row of a version; undefined where there is none. `$LATEST` where `version` is absent. */
export const findVersion = (tx: Tx, place: Place & { name: string }, version = "$LATEST") =>
  tx.one<FunctionRow>(
    `SELECT * FROM lambda_function
     WHERE account = :account AND region = :region AND function_name = :name AND version = :version`,
    { account: place.account, region: place.region, name: place.name, version },
  );

export const insertVersion = (tx: Tx, row: FunctionRow) =>
  tx.run(
    `INSERT INTO lambda_function (account, region, function_name, version, revision_id, configuration, code_sha256, code_size, live, tags,
       last_version, last_modified_ms, progress, runtime_management)
     VALUES (:account, :region, :function_name, :version, :revision_id, :configuration, :code_sha256, :code_size, :live, :tags,
       :last_version, :last_modified_ms, :progress, :runtime_management)`,
    { ...row },
  );

export const updateVersion = (tx: Tx, row: FunctionRow) =>
  tx.run(
    `UPDATE lambda_function
     SET revision_id = :revision_id, configuration = :configuration, code_sha256 = :code_sha256, code_size = :code_size, live = :live,
       tags = :tags, last_version = :last_version, last_modified_ms = :last_modified_ms, progress = :progress,
       runtime_management = :runtime_management
     WHERE account = :account AND region = :region AND function_name = :function_name AND version = :version`,
    { ...row },
  );

/** AWS's answer. `list`: ListFunctions leaves out state and runtime version. `qualified`: the ARN ends in the version, also for $LATEST. */
export function describe(row: FunctionRow, form: { list?: boolean; qualified?: boolean } = {}): FunctionConfiguration {
  const configuration = configurationOf(row);
  const { Layers, ...chosen } = configuration;
  const qualified = form.qualified || row.version !== "$LATEST";
  return {
    FunctionName: row.function_name,
    FunctionArn: functionArn(qualified ? { ...refOf(row), qualifier: row.version } : refOf(row)),
    ...(chosen as Omit<Configuration, "Runtime" | "Architectures" | "Layers">),
    ...(Layers && { Layers: Layers.map(({ Arn, CodeSize }) => ({ Arn, CodeSize })) }),
    Runtime: configuration.Runtime as NonNullable<FunctionConfiguration["Runtime"]>,
    Architectures: [...configuration.Architectures],
    CodeSize: row.code_size,
    CodeSha256: row.code_sha256,
    Version: row.version,
    LastModified: new Date(row.last_modified_ms).toISOString().replace("Z", "+0000"),
    TracingConfig: { Mode: "PassThrough" },
    RevisionId: row.revision_id,
    PackageType: "Zip",
    SnapStart: { ApplyOn: "None", OptimizationStatus: "Off" },
    ...(!form.list && {
      ...stateOf(row),
      RuntimeVersionConfig: { RuntimeVersionArn: runtimeVersionArn(row.region, configuration.Runtime) },
    }),
  };
}

/** The configuration that `input` asks for, on top of what was: checks in AWS's order (runtime, then sizes, then environment). */
export function choose(
  input: ConfigurationInput,
  was: Pick<Configuration, "Role" | "Architectures"> & Partial<Configuration>,
): Configuration {
  refuseUnsupported(input);
  const { Runtime = was.Runtime, Handler = was.Handler } = input;
  if (Runtime === undefined || Handler === undefined)
    throw invalidParameter(
      "Runtime and Handler are mandatory parameters for functions created with deployment packages.",
    );
  if (input.Runtime !== undefined) checkRuntime(input.Runtime);
  const Timeout = input.Timeout ?? was.Timeout ?? 3;
  if (Timeout > MAX_TIMEOUT_S)
    throw errors.validation(Timeout, "timeout", `Member must have value less than or equal to ${MAX_TIMEOUT_S}`);
  const MemorySize = input.MemorySize ?? was.MemorySize ?? 128;
  if (MemorySize > MAX_MEMORY_MB)
    throw invalidParameter(
      `'MemorySize' value failed to satisfy constraint: Member must have value less than or equal to ${MAX_MEMORY_MB}`,
    );
  const Environment = input.Environment ? { Variables: { ...input.Environment.Variables } } : was.Environment;
  if (input.Environment?.Variables) checkEnvironment(input.Environment.Variables);
  const DeadLetterConfig = input.DeadLetterConfig ? deadLetterConfig(input.DeadLetterConfig) : was.DeadLetterConfig;
  const LoggingConfig = chooseLogging(input.LoggingConfig, {
    was: was.LoggingConfig,
    group: `/aws/lambda/${input.FunctionName}`,
  });
  return {
    Description: input.Description ?? was.Description ?? "",
    Role: input.Role ?? was.Role,
    Runtime,
    Handler,
    Timeout,
    MemorySize,
    EphemeralStorage: { Size: input.EphemeralStorage?.Size ?? was.EphemeralStorage?.Size ?? 512 },
    Architectures: was.Architectures,
    LoggingConfig,
    ...(Environment && { Environment }),
    ...(DeadLetterConfig && { DeadLetterConfig }),
    // Chosen apart, by who can ask the store: withLayers.
    ...(was.Layers && { Layers: was.Layers }),
  };
}

/** An empty list takes the layers away; none said leaves them. */
export function withLayers(configuration: Configuration, layers: readonly FunctionLayer[] | undefined): Configuration {
  if (layers === undefined) return configuration;
  const { Layers: _, ...others } = configuration;
  return { ...others, ...(layers.length > 0 && { Layers: layers }) };
}

/** Refuses by name what would have no effect here. Empty forms of these parameters (SAM and Terraform send them) mean "none". */
function refuseUnsupported(input: Partial<Input<"lambda", "CreateFunction"> & ConfigurationInput>): void {
  const given: Record<string, boolean> = {
    VpcConfig: Boolean(input.VpcConfig?.SubnetIds?.length || input.VpcConfig?.SecurityGroupIds?.length),
    FileSystemConfigs: Boolean(input.FileSystemConfigs?.length),
    ImageConfig: Boolean(input.ImageConfig && Object.values(input.ImageConfig).some((value) => value?.length)),
    KMSKeyArn: Boolean(input.KMSKeyArn),
    CodeSigningConfigArn: Boolean(input.CodeSigningConfigArn),
    "PackageType Image": input.PackageType === "Image",
    "TracingConfig Active": input.TracingConfig?.Mode === "Active",
    "SnapStart PublishedVersions": input.SnapStart?.ApplyOn === "PublishedVersions",
    TenancyConfig: input.TenancyConfig !== undefined,
    CapacityProviderConfig: input.CapacityProviderConfig !== undefined,
    DurableConfig: input.DurableConfig !== undefined,
    PublishTo: input.PublishTo !== undefined,
  };
  const name = Object.keys(given).find((key) => given[key]);
  if (name !== undefined) throw errors.unsupported(name);
}

// https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html
const MAX_TIMEOUT_S = 900;
const MAX_MEMORY_MB = 10_240;
const MAX_ENVIRONMENT_BYTES = 4096;

// https://docs.aws.amazon.com/lambda/latest/dg/configuration-envvars.html#configuration-envvars-runtime
const RESERVED = new Set([
  "_HANDLER",
  "_X_AMZN_TRACE_ID",
  "AWS_DEFAULT_REGION",
  "AWS_REGION",
  "AWS_EXECUTION_ENV",
  "AWS_LAMBDA_FUNCTION_NAME",
  "AWS_LAMBDA_FUNCTION_MEMORY_SIZE",
  "AWS_LAMBDA_FUNCTION_VERSION",
  "AWS_LAMBDA_INITIALIZATION_TYPE",
  "AWS_LAMBDA_LOG_GROUP_NAME",
  "AWS_LAMBDA_LOG_STREAM_NAME",
  "AWS_ACCESS_KEY",
  "AWS_ACCESS_KEY_ID",
  "AWS_SECRET_ACCESS_KEY",
  "AWS_SESSION_TOKEN",
  "AWS_LAMBDA_RUNTIME_API",
  "LAMBDA_TASK_ROOT",
  "LAMBDA_RUNTIME_DIR",
]);

function checkEnvironment(variables: Readonly<Record<string, string>>): void {
  const reserved = Object.keys(variables).filter((name) => RESERVED.has(name));
  if (reserved.length > 0)
    throw invalidParameter(
      `Lambda was unable to configure your environment variables because the environment variables you have provided contains reserved keys that are currently not supported for modification. Reserved keys used in this request: ${reserved.join(", ")}`,
    );
  const measured = JSON.stringify(variables);
  if (Buffer.byteLength(measured) > MAX_ENVIRONMENT_BYTES)
    throw invalidParameter(
      `Lambda was unable to configure your environment variables because the environment variables you have provided exceeded the 4KB limit. String measured: ${measured}`,
    );
}

/** An empty ARN takes the dead-letter queue away. What AWS says of an ARN of another service is not known to us. */
function deadLetterConfig(config: { TargetArn?: string | undefined }): Configuration["DeadLetterConfig"] {
  if (!config.TargetArn) return undefined;
  if (!/^arn:aws[a-zA-Z-]*:(sqs|sns):/.test(config.TargetArn))
    throw invalidParameter(
      `The provided target ARN is invalid: ${config.TargetArn}. A dead letter is sent to SQS or SNS.`,
    );
  return { TargetArn: config.TargetArn };
}
