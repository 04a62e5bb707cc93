// A function as it deploys on AWS: its zip, and a SAM template with its role, what invokes it and what feeds it.
import { existsSync } from "node:fs";
import { mkdir, readFile, stat, writeFile } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { stringify } from "yaml";
import { type Command, print, UserError } from "./command.ts";
import {
  definedOnly,
  mappingResources,
  permissionResources,
  type Resources,
  roleResource,
  ruleResources,
} from "./function/deployed.ts";
import {
  type FunctionConfiguration,
  functionPath,
  lambdaJson,
  lambdaJsonIfAny,
  unqualified,
} from "./function/remote.ts";
import { type Entry, entriesOf, zip } from "./function/zip.ts";
import { endpointOf, remoteOptions, remoteUsage } from "./remote.ts";
import { type Access, accessOf } from "./signed.ts";

export const command: Command = {
  summary: "writes the zip and the SAM template that deploy a function on AWS",
  usage: `FUNCTION [DIR] ${remoteUsage}`,
  details: [
    "Into DIR (default: the function's name): FUNCTION.zip and template.yaml, for `sam deploy` or `aws cloudformation package` and `deploy`.",
    "",
    "With the function go its role with all that its policies say, its permissions, event source mappings, the rules of the default bus that",
    "invoke it, and how it is invoked asynchronously. ARNs of this account and region follow the stack. A bash handler gets a bootstrap.",
    "Not in it: buckets, queues, tables and topics that it names, versions, aliases, layers. A bucket's notification belongs to the bucket.",
  ].join("\n"),
  async run(args, environment) {
    const options = { args: [...args], options: remoteOptions, allowPositionals: true } as const;
    const { values, positionals } = parseArgs(options);
    const [name, given, ...more] = positionals;
    if (name === undefined || more.length > 0) throw new UserError("say one function, and where to");
    const access = accessOf(endpointOf(values.endpoint, environment), environment);
    const found = await lambdaJson<Found>(access, { method: "GET", path: functionPath(name) });
    const { FunctionName } = found.Configuration;
    const dir = given ?? FunctionName;
    const files = { code: join(dir, `${FunctionName}.zip`), template: join(dir, "template.yaml") };
    for (const file of Object.values(files))
      if (existsSync(file)) throw new UserError(`${file} is there already; nothing is written over`);
    const code = await archiveOf(found);
    const template = await templateOf(access, found);
    await mkdir(dir, { recursive: true });
    await writeFile(files.code, code);
    await writeFile(
      files.template,
      stringify(template, { lineWidth: 0, aliasDuplicateObjects: false, version: "1.1" }),
    );
    for (const file of Object.values(files)) print(file);
  },
};

interface Found {
  readonly Configuration: FunctionConfiguration;
  readonly Code: { readonly Location: string };
  readonly Tags?: Readonly<Record<string, string>>;
}

/** As it was uploaded; of live code, what lies there now. A bash handler needs a program that calls it: AWS has none. */
async function archiveOf({ Configuration, Code }: Found): Promise<Buffer<ArrayBuffer>> {
  if (!Code.Location.startsWith("file:")) {
    const answer = await fetch(Code.Location);
    if (!answer.ok) throw new UserError(`${Code.Location} answered ${answer.status}`);
    const bytes = Buffer.from(await answer.arrayBuffer());
    const { readZip } = await import("../services/lambda/zip.ts");
    const files = readZip(bytes).filter(({ kind }) => kind !== "directory");
    if (!lacksBootstrap(Configuration, files)) return bytes;
    const entries = files.map((file) => ({
      path: file.path,
      data: Buffer.from(file.read()),
      mode: (file.kind === "symlink" ? 0o120000 : 0o100000) | (file.mode || 0o644),
    }));
    return zip([...entries, await bootstrap()]);
  }
  const path = fileURLToPath(Code.Location);
  if (!existsSync(path)) throw new UserError(`${path} is not on this machine: export where the cloud runs`);
  const all = (await stat(path)).isDirectory()
    ? await entriesOf(path)
    : (await entriesOf(dirname(path))).filter((entry) => entry.path === basename(path));
  return zip(lacksBootstrap(Configuration, all) ? [...all, await bootstrap()] : all);
}

const lacksBootstrap = ({ Runtime }: FunctionConfiguration, files: readonly { readonly path: string }[]): boolean =>
  Runtime.startsWith("provided") && !files.some(({ path }) => path === "bootstrap");

const bootstrap = async (): Promise<Entry> => ({
  path: "bootstrap",
  data: await readFile(new URL("function/aws-bootstrap.sh", import.meta.url)),
  mode: 0o100755,
});

interface InvokeConfig {
  readonly MaximumRetryAttempts?: number;
  readonly MaximumEventAgeInSeconds?: number;
  readonly DestinationConfig?: Readonly<Record<string, { readonly Destination?: string }>>;
}

async function templateOf(access: Access, { Configuration, Tags }: Found): Promise<object> {
  const { FunctionName, DeadLetterConfig, EphemeralStorage, LoggingConfig, Layers } = Configuration;
  if (Layers?.length) throw new UserError(`${FunctionName} has layers: they are not exported`);
  const { Description, Runtime, Handler, MemorySize, Timeout, Environment, Architectures } = Configuration;
  const functionArn = unqualified(Configuration.FunctionArn);
  const invoke = await lambdaJsonIfAny<InvokeConfig>(access, {
    method: "GET",
    path: `/2019-09-25/functions/${encodeURIComponent(FunctionName)}/event-invoke-config`,
  });
  const deadLetter = DeadLetterConfig?.TargetArn;
  const resources: Resources = {
    Function: {
      Type: "AWS::Serverless::Function",
      Properties: definedOnly({
        FunctionName,
        Description: Description || undefined,
        Runtime,
        Handler,
        CodeUri: `${FunctionName}.zip`,
        Role: { "Fn::GetAtt": ["Role", "Arn"] },
        MemorySize,
        Timeout,
        Architectures,
        EphemeralStorage: EphemeralStorage.Size === 512 ? undefined : EphemeralStorage,
        Environment,
        LoggingConfig: LoggingConfig.LogFormat === "JSON" ? LoggingConfig : undefined,
        Tags,
        DeadLetterQueue: deadLetter && { Type: deadLetter.split(":")[2]!.toUpperCase(), TargetArn: deadLetter },
        EventInvokeConfig: invoke && invokeConfig(invoke),
      }),
    },
    ...(await roleResource(access, Configuration.Role)),
    ...(await permissionResources(access, FunctionName)),
    ...(await mappingResources(access, Configuration)),
    ...(await ruleResources(access, functionArn)),
  };
  const [, , , region, account] = functionArn.split(":");
  return {
    AWSTemplateFormatVersion: "2010-09-09",
    Transform: "AWS::Serverless-2016-10-31",
    Resources: ofAnyStack(resources, { region: region!, account: account! }),
  };
}

function invokeConfig({
  MaximumRetryAttempts,
  MaximumEventAgeInSeconds,
  DestinationConfig = {},
}: InvokeConfig): object {
  const destinations = Object.entries(DestinationConfig).flatMap(([when, { Destination }]) =>
    Destination === undefined ? [] : [[when, { Type: typeOf(Destination), Destination }] as const],
  );
  return definedOnly({
    MaximumRetryAttempts,
    MaximumEventAgeInSeconds,
    DestinationConfig: destinations.length > 0 ? Object.fromEntries(destinations) : undefined,
  });
}

const DESTINATIONS: Readonly<Record<string, string>> = {
  sqs: "SQS",
  sns: "SNS",
  lambda: "Lambda",
  events: "EventBridge",
  s3: "S3",
};
const typeOf = (arn: string): string => DESTINATIONS[arn.split(":")[2]!]!;

/** ARNs and account ids of here become those of wherever the stack is made. */
function ofAnyStack(value: unknown, of: { region: string; account: string }): unknown {
  if (Array.isArray(value)) return value.map((one) => ofAnyStack(one, of));
  if (typeof value === "object" && value !== null)
    return Object.fromEntries(Object.entries(value).map(([name, one]) => [name, ofAnyStack(one, of)]));
  if (value === of.account) return { Ref: "AWS::AccountId" };
  if (typeof value !== "string" || !value.includes("arn:aws:")) return value;
  const text = value
    .replaceAll("${", "${!")
    .replace(/arn:aws:([^:]*):([^:]*):([^:]*):/g, (whole, service, region, account) =>
      region === of.region || account === of.account
        ? `arn:aws:${service}:${region === of.region ? REGION : region}:${account === of.account ? ACCOUNT : account}:`
        : whole,
    );
  return text.includes(REGION) || text.includes(ACCOUNT) ? { "Fn::Sub": text } : value;
}

// biome-ignore lint/suspicious/noTemplateCurlyInString: CloudFormation's own
const REGION = "${AWS::Region}";
// biome-ignore lint/suspicious/noTemplateCurlyInString: CloudFormation's own
const ACCOUNT = "${AWS::AccountId}";
