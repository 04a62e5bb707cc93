// SimulateCustomPolicy and SimulatePrincipalPolicy: what would be decided, by the very engine that decides.
// https://docs.aws.amazon.com/IAM/latest/APIReference/API_SimulatePrincipalPolicy.html
import {
  type Arn,
  type Caller,
  type Context,
  type Controls,
  defineOperations,
  evaluate,
  type Input,
  identityPolicyFault,
  type PolicySet,
  parseArn,
  policySet,
  type Question,
  resourcePolicyFault,
} from "../../kernel/mod.ts";
import { errors } from "./errors.ts";
import { pageOf } from "./paging.ts";
import { type Place, placeOf } from "./positions.ts";
import { contextOf, missingOf } from "./simulation-context.ts";
import { checkedHandling } from "./simulation-scenarios.ts";
import { type Entity, entityOf, onEntity, policiesOf } from "./sources.ts";

export const simulation = defineOperations("iam", {
  SimulateCustomPolicy: {
    access: () => ({ action: "iam:SimulateCustomPolicy", resource: "*" }),
    async handle(ctx, input) {
      const sources = inputSources(input.PolicyInputList);
      const caller = input.CallerArn === undefined ? undefined : await callerOf(ctx, input.CallerArn);
      return answer(ctx, input, { sources, caller, boundary: inputBoundary(input), controls: inputControls(input) });
    },
  },

  SimulatePrincipalPolicy: {
    access: onEntity("SimulatePrincipalPolicy"),
    async handle(ctx, input) {
      const entity = await entityOf(ctx, input.PolicySourceArn!);
      const held = await policiesOf(ctx, entity);
      const sources = [...held.sources, ...inputSources(input.PolicyInputList)];
      const named = input.CallerArn ?? (entity.kind === "group" ? undefined : entity.arn);
      const caller = named === undefined ? undefined : await callerOf(ctx, named);
      const boundary = inputBoundary(input) ?? held.boundary;
      const controls = await ctx.controls(entity.account);
      return answer(ctx, input, { sources, caller, boundary, controls });
    },
  },
});

type Asked = Omit<Input<"iam", "SimulateCustomPolicy">, "PolicyInputList">;

/** A policy of the simulation: `id` is what its matched statements name. */
export interface Source {
  readonly id: string;
  readonly document: string;
}

interface Parties {
  readonly sources: readonly Source[];
  readonly caller: Entity | undefined;
  readonly boundary: string | undefined;
  readonly controls: Controls | undefined;
}

/** Throws InvalidInput of what is no policy. */
function inputSources(list: readonly string[] = []): Source[] {
  return list.map((document, at) => {
    const id = `PolicyInputList.${at + 1}`;
    const fault = identityPolicyFault(document);
    if (fault) throw errors.invalid(`Invalid policy in ${id}: ${fault}`);
    return { id, document };
  });
}

function inputBoundary({ PermissionsBoundaryPolicyInputList: list = [] }: Asked): string | undefined {
  const fault = list.map((document) => identityPolicyFault(document)).find((one) => one !== undefined);
  if (fault) throw errors.invalid(`Invalid policy in PermissionsBoundaryPolicyInputList: ${fault}`);
  return list[0];
}

/** A level of the organization each, from its root to the account. */
function inputControls({ OrderedOrganizationPolicyInputList: levels }: Asked): Controls | undefined {
  return levels?.map(({ ServiceControlPolicyInputList: list = [] }, level) =>
    list.map((document, at) => {
      const name = `OrderedOrganizationPolicyInputList.${level + 1}.${at + 1}`;
      const fault = identityPolicyFault(document);
      if (fault) throw errors.invalid(`Invalid policy in ${name}: ${fault}`);
      return { name, document };
    }),
  );
}

async function callerOf(ctx: Context, arn: Arn): Promise<Entity> {
  const entity = await entityOf(ctx, arn);
  if (entity.kind === "group") throw errors.invalid(`CallerArn ${arn} must be a user or a role.`);
  return entity;
}

/** One result an action; a page holds as many as were asked for. */
async function answer(ctx: Context, input: Asked, parties: Parties) {
  const { ActionNames = [], ResourceArns, ResourcePolicy } = input;
  const page = pageOf(input);
  for (const action of ActionNames)
    if (!/^[\w-]+:\w+$/.test(action)) throw errors.invalid(`Invalid Action Name ${action}`);
  const fault = ResourcePolicy === undefined ? undefined : resourcePolicyFault(ResourcePolicy);
  if (fault) throw errors.invalid(`Invalid resource policy: ${fault}`);
  if (ResourcePolicy !== undefined && !parties.caller)
    throw errors.invalid("CallerArn is required when a ResourcePolicy is specified.");
  const resources = ResourceArns?.length ? ResourceArns : ["*"];
  for (const resource of resources)
    if (resource !== "*" && !parseArn(resource)) throw errors.invalid(`Invalid resource ARN: ${resource}`);
  checkedHandling(input.ResourceHandlingOption, resources);
  const world = worldOf(ctx, input, parties);
  const from = Number(page.after);
  if (Number.isNaN(from)) throw errors.badMarker();
  const shown = ActionNames.slice(from, from + page.limit - 1);
  const next = from + shown.length;
  const IsTruncated = next < ActionNames.length;
  return {
    EvaluationResults: shown.map((action) => resultOf(world, action, resources)),
    IsTruncated,
    ...(IsTruncated && { Marker: Buffer.from(String(next)).toString("base64url") }),
  };
}

/** What is the same for every action and resource. */
interface World extends Parties {
  readonly identityPolicies: PolicySet;
  readonly resourcePolicy: PolicySet | undefined;
  readonly boundarySet: PolicySet | undefined;
  readonly controlSets: readonly PolicySet[] | undefined;
  readonly keys: Question["keys"];
  readonly who: Caller;
  readonly account: string;
  readonly owner: string | undefined;
  readonly texts: ReadonlyMap<string, string>;
}

const RESOURCE_POLICY = "ResourcePolicy";

function worldOf(ctx: Context, input: Asked, parties: Parties): World {
  const { sources, caller, boundary, controls } = parties;
  const account = caller?.account ?? ctx.account;
  const owner = input.ResourceOwner === undefined ? undefined : parseArn(input.ResourceOwner)?.account;
  if (input.ResourceOwner !== undefined && !owner)
    throw errors.invalid(`Invalid ResourceOwner: ${input.ResourceOwner}`);
  const given = input.ResourcePolicy;
  const named = sources.map(({ id, document }) => ({ name: id, document }));
  return {
    ...parties,
    identityPolicies: policySet("identity-based policy", named),
    resourcePolicy:
      given === undefined
        ? undefined
        : policySet("resource-based policy", [{ name: RESOURCE_POLICY, document: given }]),
    boundarySet:
      boundary === undefined
        ? undefined
        : policySet("permissions boundary", [{ name: "boundary", document: boundary }]),
    controlSets: controls?.map((level) => policySet("service control policy", level)),
    keys: contextOf(ctx, { caller, account, entries: input.ContextEntries ?? [] }),
    who: principalOf(caller, account),
    account,
    owner,
    texts: new Map([
      ...sources.map(({ id, document }): [string, string] => [id, document]),
      ...(given === undefined ? [] : [[RESOURCE_POLICY, given] as const]),
    ]),
  };
}

/** Without a caller: somebody of the account whom no resource policy names. */
function principalOf(caller: Entity | undefined, account: string): Caller {
  if (!caller) return { kind: "user", account };
  const { kind, arn, id } = caller;
  if (kind !== "role") return { kind: "user", account, arn, id };
  return { kind: "session", account, roleArn: arn, id: `${id}:simulation` };
}

type Effect = "allowed" | "explicitDeny" | "implicitDeny";
const SEVERITY: Readonly<Record<Effect, number>> = { allowed: 0, implicitDeny: 1, explicitDeny: 2 };
const worst = (effects: readonly Effect[]): Effect =>
  effects.reduce((worst, one) => (SEVERITY[one] > SEVERITY[worst] ? one : worst), "allowed");

/** The strictest decision of all resources stands at the top; each of its own below. */
function resultOf(world: World, action: string, resources: readonly string[]) {
  const results = resources.map((resource) => one(world, action, resource));
  const decision = worst(results.map(({ decision }) => decision));
  const decisive = results.filter((result) => result.decision === decision);
  const wide = resources.length === 1 && resources[0] === "*";
  const details = mergedDetails(results.map(({ details }) => details));
  return {
    EvalActionName: action,
    EvalResourceName: resources.length === 1 ? resources[0]! : "*",
    EvalDecision: decision,
    MatchedStatements: unique(decisive.flatMap(({ matched }) => matched)),
    MissingContextValues: [...new Set(results.flatMap(({ missing }) => missing))],
    ...organizationsOf(world, results),
    ...boundaryOf(results.map(({ bounded }) => bounded)),
    ...(!wide && { EvalDecisionDetails: details }),
    ...(!wide && {
      ResourceSpecificResults: results.map(({ resource, decision, matched, missing, details, bounded }) => ({
        EvalResourceName: resource,
        EvalResourceDecision: decision,
        MatchedStatements: matched,
        MissingContextValues: missing,
        ...(Object.keys(details).length > 0 && { EvalDecisionDetails: details }),
        ...boundaryOf([bounded]),
      })),
    }),
  };
}

const organizationsOf = ({ controls }: World, results: readonly { controlled: boolean }[]) =>
  controls ? { OrganizationsDecisionDetail: { AllowedByOrganizations: results.every((one) => one.controlled) } } : {};

const boundaryOf = (bounded: readonly (boolean | undefined)[]) =>
  bounded[0] === undefined
    ? {}
    : { PermissionsBoundaryDecisionDetail: { AllowedByPermissionsBoundary: bounded.every((one) => one) } };

function mergedDetails(all: readonly Readonly<Record<string, Effect>>[]): Record<string, Effect> {
  const kinds = new Set(all.flatMap((details) => Object.keys(details)));
  return Object.fromEntries([...kinds].map((kind) => [kind, worst(all.flatMap((details) => details[kind] ?? []))]));
}

function one(world: World, action: string, resource: string) {
  const { identityPolicies, resourcePolicy, boundarySet: boundary, controlSets: controls, keys, who, account } = world;
  const owner = parseArn(resource)?.account;
  const sameAccount = (owner && /^\d{12}$/.test(owner) ? owner : (world.owner ?? account)) === account;
  const about = { caller: who, action, resource, keys, sameAccount };
  const ask = (question: Partial<Question>): Effect => effectOf({ ...about, identityPolicies: NONE, ...question });
  const question: Question = { ...about, identityPolicies, resourcePolicy, boundary, controls };
  const decision = effectOf(question);
  // What the boundary or the organization says is told elsewhere.
  const lines = evaluate({ ...question, boundary: undefined, controls: undefined }).trace;
  const deciding = lines.filter(
    ({ applies, effect }) =>
      applies && decision !== "implicitDeny" && (effect === "Deny") === (decision === "explicitDeny"),
  );
  return {
    resource,
    decision,
    matched: deciding.map((line) => statementOf(world, line)),
    missing: missingOf(lines, { texts: world.texts, keys }),
    controlled: !controls || ask({ identityPolicies: EVERYTHING, controls, sameAccount: true }) === "allowed",
    bounded: boundary && ask({ identityPolicies: boundary, sameAccount: true }) === "allowed",
    details: sameAccount
      ? {}
      : ({
          "IAM Policy": ask({ identityPolicies, sameAccount: true }),
          "Resource Policy": ask({ identityPolicies: EVERYTHING, resourcePolicy }),
        } as Record<string, Effect>),
  };
}

const NONE = policySet("identity-based policy", []);
const EVERYTHING = policySet("identity-based policy", [
  {
    name: "everything",
    document: '{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"*","Resource":"*"}}',
  },
]);

function effectOf(question: Question): Effect {
  const { allowed, explicit } = evaluate(question);
  return allowed ? "allowed" : explicit ? "explicitDeny" : "implicitDeny";
}

interface Matched {
  readonly SourcePolicyId: string;
  readonly SourcePolicyType: never;
  readonly StartPosition: Place;
  readonly EndPosition: Place;
}

/** AWS says `IAM Policy` here, where its own models have user, group, role. Seen on AWS. */
function statementOf({ texts }: World, { policy, statement }: { policy: string; statement: string }): Matched {
  const { start, end } = placeOf(texts.get(policy)!, statement);
  return {
    SourcePolicyId: policy,
    SourcePolicyType: (policy === RESOURCE_POLICY ? "Resource Policy" : "IAM Policy") as never,
    StartPosition: start,
    EndPosition: end,
  };
}

const unique = (statements: readonly Matched[]): Matched[] => [
  ...new Map(statements.map((one) => [JSON.stringify(one), one])).values(),
];
