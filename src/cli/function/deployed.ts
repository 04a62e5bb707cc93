// What stands around a function, as resources of a template: its role, who may invoke it, what feeds it.
import { type Element, parseXml } from "../../wire/xml-text.ts";
import { callAws } from "../send/call.ts";
import type { Access } from "../signed.ts";
import { type FunctionConfiguration, functionPath, lambdaJson, lambdaJsonIfAny } from "./remote.ts";

export type Resources = Record<string, { readonly Type: string; readonly Properties: object }>;

/** By its logical id. What policies of the account say stands in the role itself: the account they go to has not got them. */
export async function roleResource(access: Access, arn: string): Promise<Resources> {
  const RoleName = arn.slice(arn.lastIndexOf("/") + 1);
  const iam = async (operation: string, form: Record<string, string>) =>
    parseXml(await callAws(access, { service: "iam", operation, form }));
  const trust = documentOf(await iam("GetRole", { RoleName }), "AssumeRolePolicyDocument");
  const names = texts(await iam("ListRolePolicies", { RoleName }), "member");
  const policies = await Promise.all(
    names.map(async (PolicyName) => ({
      PolicyName,
      PolicyDocument: documentOf(await iam("GetRolePolicy", { RoleName, PolicyName }), "PolicyDocument"),
    })),
  );
  const attached = texts(await iam("ListAttachedRolePolicies", { RoleName }), "PolicyArn");
  const managed = attached.filter((policy) => policy.startsWith("arn:aws:iam::aws:"));
  for (const PolicyArn of attached.filter((policy) => !managed.includes(policy))) {
    const VersionId = texts(await iam("GetPolicy", { PolicyArn }), "DefaultVersionId")[0]!;
    const PolicyDocument = documentOf(await iam("GetPolicyVersion", { PolicyArn, VersionId }), "Document");
    policies.push({ PolicyName: PolicyArn.slice(PolicyArn.lastIndexOf("/") + 1), PolicyDocument });
  }
  return {
    Role: {
      Type: "AWS::IAM::Role",
      Properties: {
        AssumeRolePolicyDocument: trust,
        ...(managed.length > 0 && { ManagedPolicyArns: managed }),
        ...(policies.length > 0 && { Policies: policies }),
      },
    },
  };
}

interface Statement {
  readonly Sid: string;
  readonly Effect: string;
  readonly Principal: "*" | { readonly Service?: string; readonly AWS?: string };
  readonly Action: string;
  readonly Condition?: Readonly<Record<string, Readonly<Record<string, string>>>>;
}

/** Of the function's policy: AddPermission's parameters, read back. */
export async function permissionResources(access: Access, name: string): Promise<Resources> {
  const found = await lambdaJsonIfAny<{ Policy: string }>(access, {
    method: "GET",
    path: functionPath(name, "/policy"),
  });
  const statements: Statement[] = found ? JSON.parse(found.Policy).Statement : [];
  return numbered("Permission", statements, ({ Principal, Action, Condition = {} }) => {
    const conditions = Object.assign({}, ...Object.values(Condition)) as Record<string, string>;
    const under = (key: string) =>
      Object.entries(conditions).find(([name]) => name.toLowerCase() === key.toLowerCase())?.[1];
    return {
      Type: "AWS::Lambda::Permission",
      Properties: definedOnly({
        FunctionName: { "Fn::GetAtt": ["Function", "Arn"] },
        Action,
        Principal: Principal === "*" ? "*" : (Principal.Service ?? Principal.AWS),
        SourceArn: under("AWS:SourceArn"),
        SourceAccount: under("AWS:SourceAccount"),
        PrincipalOrgID: under("aws:PrincipalOrgID"),
        FunctionUrlAuthType: under("lambda:FunctionUrlAuthType"),
      }),
    };
  });
}

/** EventBridge's rules that have the function as a target: each with that target alone. */
export async function ruleResources(access: Access, functionArn: string): Promise<Resources> {
  const events = async <T>(operation: string, input: object): Promise<T> =>
    JSON.parse(await callAws(access, { service: "events", operation, input }));
  const { RuleNames } = await events<{ RuleNames: string[] }>("ListRuleNamesByTarget", { TargetArn: functionArn });
  const rules = await Promise.all(
    RuleNames.map(async (Rule) => {
      const rule = await events<Record<string, string>>("DescribeRule", { Name: Rule });
      const { Targets } = await events<{ Targets: { Arn: string }[] }>("ListTargetsByRule", { Rule });
      return { rule, targets: Targets.filter(({ Arn }) => Arn === functionArn) };
    }),
  );
  return numbered("Rule", rules, ({ rule, targets }) => ({
    Type: "AWS::Events::Rule",
    Properties: definedOnly({
      Description: rule.Description,
      EventPattern: rule.EventPattern === undefined ? undefined : JSON.parse(rule.EventPattern),
      ScheduleExpression: rule.ScheduleExpression,
      State: rule.State,
      Targets: targets.map((target) => ({ ...target, Arn: { "Fn::GetAtt": ["Function", "Arn"] } })),
    }),
  }));
}

/** Queues and streams that Lambda reads for it. */
export async function mappingResources(access: Access, { FunctionName }: FunctionConfiguration): Promise<Resources> {
  const { EventSourceMappings } = await lambdaJson<{ EventSourceMappings: Record<string, unknown>[] }>(access, {
    method: "GET",
    path: "/2015-03-31/event-source-mappings",
    query: `FunctionName=${encodeURIComponent(FunctionName)}`,
  });
  return numbered("Mapping", EventSourceMappings, (mapping) => {
    const kept = Object.entries(mapping).filter(([name]) => !ANSWERED_ONLY.includes(name));
    return {
      Type: "AWS::Lambda::EventSourceMapping",
      Properties: { ...Object.fromEntries(kept), FunctionName: { Ref: "Function" } },
    };
  });
}

const ANSWERED_ONLY = [
  ...["UUID", "EventSourceMappingArn", "FunctionArn", "LastModified", "LastProcessingResult"],
  ...["State", "StateTransitionReason", "FilterCriteriaError"],
];

const numbered = <T>(name: string, all: readonly T[], make: (one: T) => Resources[string]): Resources =>
  Object.fromEntries(all.map((one, at) => [`${name}${at + 1}`, make(one)]));

export const definedOnly = <T extends object>(value: T): T =>
  Object.fromEntries(Object.entries(value).filter(([, member]) => member !== undefined)) as T;

/** Of every element of that name, however deep, without elements of its own. */
function texts(element: Element, name: string): string[] {
  const own = element.name === name && element.children.length === 0 ? [element.text] : [];
  return [...own, ...element.children.flatMap((child) => texts(child, name))];
}

/** IAM writes policies percent-encoded. */
const documentOf = (answer: Element, name: string): object => JSON.parse(decodeURIComponent(texts(answer, name)[0]!));
