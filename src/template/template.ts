// The sections of a template. What is not understood is an error, never ignored.
// https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/template-anatomy.html
import { type Fields, field, fieldsOf, isNull, itemsOf, type Node, TemplateError } from "./node.ts";
import { readNodes } from "./read.ts";

export interface Template {
  /** SAM's types and Globals are understood. */
  readonly serverless: boolean;
  /** With their values: what was given, or their default. */
  readonly parameters: ReadonlyMap<string, Node>;
  readonly conditions: ReadonlyMap<string, Node>;
  readonly globals: Node | undefined;
  readonly resources: ReadonlyMap<string, Resource>;
  readonly outputs: ReadonlyMap<string, Node>;
}

export interface Resource {
  readonly id: string;
  readonly line: number;
  readonly type: string;
  readonly properties: Fields;
  readonly dependsOn: readonly string[];
  readonly condition?: string | undefined;
  /** `Metadata: AwsLike: Directory`, relative to the workspace: `input`. */
  readonly directory?: string | undefined;
  /** DeletionPolicy: what is there stays when the template no longer has it. */
  readonly retain: boolean;
}

const SECTIONS = [
  "AWSTemplateFormatVersion",
  "Transform",
  "Description",
  "Metadata",
  "Parameters",
  "Conditions",
  "Globals",
  "Resources",
  "Outputs",
];
const ATTRIBUTES = [
  "Type",
  "Properties",
  "DependsOn",
  "Metadata",
  "Condition",
  "DeletionPolicy",
  "UpdateReplacePolicy",
];
export const TRANSFORM = "AWS::Serverless-2016-10-31";

/** Throws TemplateError. `given`: values of parameters. */
export function parseTemplate(text: string, given: ReadonlyMap<string, string>): Template {
  const root = readNodes(text);
  only(root, SECTIONS, "section");
  const version = field(root, "AWSTemplateFormatVersion");
  if (version && textOf(version, "AWSTemplateFormatVersion") !== "2010-09-09")
    throw new TemplateError(version.line, "AWSTemplateFormatVersion", "the only version is 2010-09-09");
  const serverless = isServerless(field(root, "Transform"));
  const globals = field(root, "Globals");
  if (globals && !serverless) throw new TemplateError(globals.line, "Globals", `Globals need Transform: ${TRANSFORM}`);
  const resources = field(root, "Resources");
  if (!resources || section(resources, "Resources").length === 0)
    throw new TemplateError(root.line, "Resources", "a template has at least one resource");
  return {
    serverless,
    parameters: parametersOf(field(root, "Parameters"), given),
    conditions: new Map(section(field(root, "Conditions"), "Conditions")),
    globals,
    resources: new Map(section(resources, "Resources").map(([id, one]) => [id, resourceOf(id, one)])),
    outputs: new Map(section(field(root, "Outputs"), "Outputs").map(([id, one]) => [id, outputOf(id, one)])),
  };
}

function isServerless(transform: Node | undefined): boolean {
  for (const one of itemsOf(transform))
    if (textOf(one, "Transform") !== TRANSFORM)
      throw new TemplateError(one.line, "Transform", `aws-like understands no transform but ${TRANSFORM}`);
  return transform !== undefined;
}

function resourceOf(id: string, given: Node): Resource {
  const path = `Resources.${id}`;
  if (!/^[A-Za-z0-9]+$/.test(id)) throw new TemplateError(given.line, path, "a logical id has only letters and digits");
  only(given, ATTRIBUTES, "attribute", path);
  const type = field(given, "Type");
  if (!type) throw new TemplateError(given.line, path, "a resource has a Type");
  const properties = field(given, "Properties");
  if (properties && properties.kind !== "fields" && !isNull(properties))
    throw new TemplateError(properties.line, `${path}.Properties`, "Properties are names with values");
  const condition = field(given, "Condition");
  const policy = field(given, "DeletionPolicy");
  if (policy && !["Delete", "Retain", "RetainExceptOnCreate"].includes(textOf(policy, `${path}.DeletionPolicy`)))
    throw new TemplateError(policy.line, `${path}.DeletionPolicy`, "aws-like understands Delete and Retain");
  return {
    id,
    line: given.line,
    type: textOf(type, `${path}.Type`),
    properties: properties?.kind === "fields" ? properties : { kind: "fields", line: given.line, fields: new Map() },
    dependsOn: itemsOf(field(given, "DependsOn")).map((one) => textOf(one, `${path}.DependsOn`)),
    condition: condition && textOf(condition, `${path}.Condition`),
    directory: directoryOf(field(field(given, "Metadata"), "AwsLike"), `${path}.Metadata.AwsLike`),
    retain: policy !== undefined && textOf(policy, path) !== "Delete",
  };
}

function directoryOf(awsLike: Node | undefined, path: string): string | undefined {
  if (!awsLike) return undefined;
  only(awsLike, ["Directory"], "key", path);
  const directory = field(awsLike, "Directory");
  if (!directory) return undefined;
  const given = textOf(directory, `${path}.Directory`);
  const clean = given.replace(/^(\.\/)+|\/+$/g, "");
  if (clean === "" || given.startsWith("/") || clean.split("/").includes(".."))
    throw new TemplateError(directory.line, `${path}.Directory`, `${given} is no directory within the workspace`);
  return clean;
}

function outputOf(id: string, given: Node): Node {
  const path = `Outputs.${id}`;
  only(given, ["Description", "Value", "Export", "Condition"], "key", path);
  const unsupported = field(given, "Export") ?? field(given, "Condition");
  if (unsupported)
    throw new TemplateError(unsupported.line, path, "aws-like understands no Export and no Condition here");
  const value = field(given, "Value");
  if (!value) throw new TemplateError(given.line, path, "an output has a Value");
  return value;
}

const PARAMETER_TYPES = ["String", "Number", "CommaDelimitedList"];
const PARAMETER_KEYS = [
  ...["Type", "Default", "AllowedValues", "AllowedPattern", "Description", "ConstraintDescription", "NoEcho"],
  ...["MinLength", "MaxLength", "MinValue", "MaxValue"],
];

function parametersOf(given: Node | undefined, values: ReadonlyMap<string, string>): Map<string, Node> {
  const parameters = new Map(section(given, "Parameters"));
  for (const name of values.keys())
    if (!parameters.has(name)) throw new TemplateError(given?.line ?? 1, "Parameters", `there is no parameter ${name}`);
  return new Map([...parameters].map(([name, one]) => [name, parameterOf(name, one, values.get(name))]));
}

function parameterOf(name: string, given: Node, value: string | undefined): Node {
  const path = `Parameters.${name}`;
  only(given, PARAMETER_KEYS, "key", path);
  const typeNode = field(given, "Type");
  const type = typeNode ? textOf(typeNode, `${path}.Type`) : "";
  if (!PARAMETER_TYPES.includes(type))
    throw new TemplateError(typeNode?.line ?? given.line, path, `a parameter's Type is ${PARAMETER_TYPES.join(", ")}`);
  const fallback = field(given, "Default");
  const text = value ?? (fallback && textOf(fallback, `${path}.Default`));
  if (text === undefined) throw new TemplateError(given.line, path, `it has no Default: say --parameter ${name}=VALUE`);
  check(text, { name, type, given, path });
  const { line } = given;
  if (type !== "CommaDelimitedList") return scalar(line, text);
  return { kind: "list", line, items: text.split(",").map((part) => scalar(line, part.trim())) };
}

const scalar = (line: number, text: string): Node => ({ kind: "scalar", line, value: text, text });

function check(
  text: string,
  { name, type, given, path }: { name: string; type: string; given: Node; path: string },
): void {
  const limit = (key: string): number | undefined => {
    const found = field(given, key);
    return found && Number(textOf(found, `${path}.${key}`));
  };
  const refuse = (why: string): never => {
    throw new TemplateError(given.line, path, `${name} is "${text}": ${why}`);
  };
  const allowed = itemsOf(field(given, "AllowedValues")).map((one) => textOf(one, `${path}.AllowedValues`));
  if (type === "Number" && (text.trim() === "" || !Number.isFinite(Number(text)))) refuse("that is no number");
  if (allowed.length > 0 && !allowed.includes(text)) refuse(`allowed are ${allowed.join(", ")}`);
  const pattern = field(given, "AllowedPattern");
  if (pattern && !new RegExp(`^(?:${textOf(pattern, path)})$`).test(text)) refuse("it does not match AllowedPattern");
  const size = type === "Number" ? Number(text) : text.length;
  const [min, max] = type === "Number" ? ["MinValue", "MaxValue"] : ["MinLength", "MaxLength"];
  if (size < (limit(min!) ?? Number.NEGATIVE_INFINITY)) refuse(`${min} is ${limit(min!)}`);
  if (size > (limit(max!) ?? Number.POSITIVE_INFINITY)) refuse(`${max} is ${limit(max!)}`);
}

function section(given: Node | undefined, name: string): [string, Node][] {
  if (!given || isNull(given)) return [];
  if (given.kind !== "fields") throw new TemplateError(given.line, name, `${name} are names with values`);
  return fieldsOf(given);
}

function only(given: Node, known: readonly string[], what: string, path = ""): void {
  if (given.kind !== "fields") throw new TemplateError(given.line, path, "here belong names with values");
  for (const [name, value] of given.fields)
    if (!known.includes(name))
      throw new TemplateError(value.line, path ? `${path}.${name}` : name, `aws-like does not understand this ${what}`);
}

function textOf(given: Node, path: string): string {
  if (given.kind !== "scalar" || given.value === null) throw new TemplateError(given.line, path, "here belongs a text");
  return given.text;
}
