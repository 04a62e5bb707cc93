// AWS::IAM::Role and AWS::IAM::Policy. https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/AWS_IAM.html
import { type Call, defineKind, goneTags, type Subject, unless } from "./kind.ts";
import { listOf, record, type Value } from "./shape.ts";

const roleShape = record(
  {
    RoleName: "text",
    Path: "text",
    Description: "text",
    AssumeRolePolicyDocument: "json",
    MaxSessionDuration: "number",
    ManagedPolicyArns: listOf("text"),
    Policies: listOf(record({ PolicyName: "text", PolicyDocument: "json" }, ["PolicyName", "PolicyDocument"])),
    Tags: listOf(record({ Key: "text", Value: "text" }, ["Key", "Value"])),
  },
  ["AssumeRolePolicyDocument"],
);
type Role = Subject<Value<typeof roleShape>>;

export const role = defineKind<typeof roleShape>({
  shape: roleShape,
  named: "RoleName",
  longestName: 64,
  fixed: ["Path"],
  identify: (name, { account }, property) => ({
    ref: name,
    attributes: { Arn: `arn:aws:iam::${account}:role${property("Path") ?? "/"}${name}` },
  }),
  exists: async (call, { name }) =>
    (await unless(call("iam", "GetRole", { RoleName: name }), "NoSuchEntity", "NoSuchEntityException")) !== undefined,
  async create(call, subject) {
    const { AssumeRolePolicyDocument: trust, Path, Description, MaxSessionDuration, Tags } = subject.properties;
    await call("iam", "CreateRole", {
      RoleName: subject.name,
      AssumeRolePolicyDocument: JSON.stringify(trust),
      ...(Path !== undefined && { Path }),
      ...(Description !== undefined && { Description }),
      ...(MaxSessionDuration !== undefined && { MaxSessionDuration }),
      ...(Tags?.length && { Tags }),
    });
    await putPolicies(call, subject, undefined);
  },
  async update(call, subject, _place, before) {
    const { name: RoleName, properties: is } = subject;
    const PolicyDocument = JSON.stringify(is.AssumeRolePolicyDocument);
    await call("iam", "UpdateAssumeRolePolicy", { RoleName, PolicyDocument });
    await call("iam", "UpdateRole", {
      RoleName,
      Description: is.Description ?? "",
      MaxSessionDuration: is.MaxSessionDuration ?? 3600,
    });
    await putPolicies(call, subject, before);
    const gone = goneTags(before?.properties.Tags, is.Tags);
    if (gone.length > 0) await call("iam", "UntagRole", { RoleName, TagKeys: gone });
    if (is.Tags?.length) await call("iam", "TagRole", { RoleName, Tags: is.Tags });
  },
  async remove(call, { name: RoleName }) {
    for (const { PolicyArn } of (await call("iam", "ListAttachedRolePolicies", { RoleName })).AttachedPolicies ?? [])
      await call("iam", "DetachRolePolicy", { RoleName, PolicyArn });
    for (const PolicyName of (await call("iam", "ListRolePolicies", { RoleName })).PolicyNames ?? [])
      await call("iam", "DeleteRolePolicy", { RoleName, PolicyName });
    await call("iam", "DeleteRole", { RoleName });
    return true;
  },
});

/** Policies that others attached to the role stay: only what this template said, and no longer says, goes. */
async function putPolicies(call: Call, subject: Role, before: Role | undefined): Promise<void> {
  const { name: RoleName, properties: is } = subject;
  const was = before?.properties;
  for (const PolicyArn of was?.ManagedPolicyArns ?? [])
    if (!is.ManagedPolicyArns?.includes(PolicyArn))
      await unless(call("iam", "DetachRolePolicy", { RoleName, PolicyArn }), "NoSuchEntity", "NoSuchEntityException");
  for (const { PolicyName } of was?.Policies ?? [])
    if (!is.Policies?.some((policy) => policy.PolicyName === PolicyName))
      await unless(call("iam", "DeleteRolePolicy", { RoleName, PolicyName }), "NoSuchEntity", "NoSuchEntityException");
  for (const PolicyArn of is.ManagedPolicyArns ?? []) await call("iam", "AttachRolePolicy", { RoleName, PolicyArn });
  for (const { PolicyName, PolicyDocument } of is.Policies ?? [])
    await call("iam", "PutRolePolicy", { RoleName, PolicyName, PolicyDocument: JSON.stringify(PolicyDocument) });
}

const policyShape = record({ PolicyName: "text", PolicyDocument: "json", Roles: listOf("text") }, [
  "PolicyName",
  "PolicyDocument",
  "Roles",
]);
type Policy = Subject<Value<typeof policyShape>>;

/** An inline policy of each of its roles. */
export const policy = defineKind<typeof policyShape>({
  shape: policyShape,
  named: "PolicyName",
  longestName: 128,
  fixed: [],
  identify: (name) => ({ ref: name, attributes: {} }),
  async exists(call, { name: PolicyName, properties }) {
    for (const RoleName of properties.Roles)
      if (
        !(await unless(call("iam", "GetRolePolicy", { RoleName, PolicyName }), "NoSuchEntity", "NoSuchEntityException"))
      )
        return false;
    return true;
  },
  create: putPolicy,
  async update(call, subject, _place, before) {
    const gone = (before?.properties.Roles ?? []).filter((one) => !subject.properties.Roles.includes(one));
    await removePolicy(call, subject.name, gone);
    await putPolicy(call, subject);
  },
  async remove(call, { name, properties }) {
    await removePolicy(call, name, properties.Roles);
    return true;
  },
});

async function putPolicy(call: Call, { name, properties }: Policy): Promise<void> {
  const PolicyDocument = JSON.stringify(properties.PolicyDocument);
  for (const RoleName of properties.Roles)
    await call("iam", "PutRolePolicy", { RoleName, PolicyName: name, PolicyDocument });
}

async function removePolicy(call: Call, PolicyName: string, roles: readonly string[]): Promise<void> {
  for (const RoleName of roles)
    await unless(call("iam", "DeleteRolePolicy", { RoleName, PolicyName }), "NoSuchEntity", "NoSuchEntityException");
}
