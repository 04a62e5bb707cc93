// The functions of templates. https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/intrinsic-function-reference.html
import { type Call, call, type Node, TemplateError } from "./node.ts";

export interface Scope {
  readonly parameters: ReadonlyMap<string, Node>;
  readonly conditions: ReadonlyMap<string, Node>;
  readonly place: Place;
  /**
   * The value of a resource: `attribute` is absent for Ref. Without it, what speaks of resources is left as it is: SAM is expanded so.
   * Throws TemplateError where there is no such resource or attribute.
   */
  resource?(id: string, attribute: string | undefined, from: { readonly line: number; readonly path: string }): string;
}

export interface Place {
  readonly account: string;
  readonly region: string;
  readonly stack: string;
}

type At = { readonly path: string; readonly scope: Scope };

/** Undefined where it is AWS::NoValue. */
export function resolve(given: Node, at: At): Node | undefined {
  if (given.kind === "call") return resolveCall(given, at);
  if (given.kind === "list") return { ...given, items: resolveAll(given.items, at) };
  if (given.kind === "scalar") return given;
  const fields = new Map<string, Node>();
  for (const [name, one] of given.fields) {
    const value = resolve(one, { ...at, path: `${at.path}.${name}` });
    if (value) fields.set(name, value);
  }
  return { ...given, fields };
}

/** Whether a named condition holds. */
export function holds(name: string, line: number, at: At): boolean {
  const condition = at.scope.conditions.get(name);
  if (!condition) throw new TemplateError(line, at.path, `there is no condition ${name}`);
  const path = `Conditions.${name}`;
  const resource = (id: string, _attribute: string | undefined, from: { line: number }) => {
    throw new TemplateError(from.line, path, `there is no parameter ${id}; conditions know no resources`);
  };
  return truth(condition, { scope: { ...at.scope, resource }, path });
}

const resolveAll = (items: readonly Node[], { path, scope }: At): Node[] =>
  items.flatMap((item, i) => resolve(item, { scope, path: `${path}[${i}]` }) ?? []);

function resolveCall(given: Call, at: At): Node | undefined {
  const { line, name, argument } = given;
  if (name === "Fn::If") {
    const [condition, yes, no] = arguments_(given, 3, at);
    return resolve(holds(textOf(condition!, at), line, at) ? yes! : no!, at);
  }
  if (name === "Ref") return ref(textOf(argument, at), line, at);
  if (!at.scope.resource) return { ...given, argument: resolve(argument, at) ?? argument };
  const operation = functions[name];
  if (!operation) throw new TemplateError(line, at.path, `${name} does not belong here`);
  return operation(given, at);
}

const functions: Readonly<Record<string, (given: Call, at: At) => Node>> = {
  "Fn::GetAtt": (given, at) => {
    const [id, attribute] = arguments_(given, 2, at).map((one) => textOf(resolveTo(one, at), at));
    return text(given.line, at.scope.resource!(id!, attribute!, { line: given.line, path: at.path }));
  },
  "Fn::Sub": (given, at) => {
    const [pattern, variables] = given.argument.kind === "list" ? arguments_(given, 2, at) : [given.argument];
    const own = variables?.kind === "fields" ? variables.fields : new Map<string, Node>();
    const value = textOf(pattern!, at).replace(/\$\{([^}]*)\}/g, (_, name: string) => {
      if (name.startsWith("!")) return `\${${name.slice(1)}}`;
      const known = own.get(name.trim());
      if (known) return textOf(resolveTo(known, at), at);
      const dot = name.indexOf(".");
      if (dot < 0) return textOf(resolveTo(call(given.line, "Ref", name.trim()), at), at);
      return at.scope.resource!(name.slice(0, dot).trim(), name.slice(dot + 1).trim(), {
        line: given.line,
        path: at.path,
      });
    });
    return text(given.line, value);
  },
  "Fn::Join": (given, at) => {
    const [delimiter, list] = arguments_(given, 2, at);
    return text(
      given.line,
      listOf(list!, at)
        .map((one) => textOf(one, at))
        .join(textOf(delimiter!, at)),
    );
  },
  "Fn::Select": (given, at) => {
    const [index, list] = arguments_(given, 2, at);
    const items = listOf(list!, at);
    const number = Number(textOf(resolveTo(index!, at), at));
    const found = items[number];
    if (!found)
      throw new TemplateError(given.line, at.path, `Fn::Select: there is no ${number} in ${items.length} values`);
    return found;
  },
  "Fn::Split": (given, at) => {
    const [delimiter, source] = arguments_(given, 2, at).map((one) => textOf(resolveTo(one, at), at));
    return { kind: "list", line: given.line, items: source!.split(delimiter!).map((one) => text(given.line, one)) };
  },
};

function ref(name: string, line: number, at: At): Node | undefined {
  if (name === "AWS::NoValue") return undefined;
  const pseudo = pseudoParameter(name, at.scope.place);
  if (pseudo !== undefined) return text(line, pseudo);
  if (name.startsWith("AWS::")) throw new TemplateError(line, at.path, `aws-like does not understand Ref ${name}`);
  const parameter = at.scope.parameters.get(name);
  if (parameter) return { ...parameter, line };
  if (!at.scope.resource) return call(line, "Ref", name);
  return text(line, at.scope.resource(name, undefined, { line, path: at.path }));
}

function pseudoParameter(name: string, { account, region, stack }: Place): string | undefined {
  if (name === "AWS::AccountId") return account;
  if (name === "AWS::Region") return region;
  if (name === "AWS::Partition") return "aws";
  if (name === "AWS::URLSuffix") return "amazonaws.com";
  if (name === "AWS::StackName") return stack;
  return undefined;
}

function truth(given: Node, at: At): boolean {
  if (given.kind === "fields" && given.fields.size === 1 && given.fields.has("Condition"))
    return holds(textOf(given.fields.get("Condition")!, at), given.line, at);
  if (given.kind !== "call") throw new TemplateError(given.line, at.path, "here belongs a condition");
  const each = () => (given.argument.kind === "list" ? given.argument.items : []).map((one) => truth(one, at));
  switch (given.name) {
    case "Condition":
      return holds(textOf(given.argument, at), given.line, at);
    case "Fn::Equals": {
      const [one, other] = arguments_(given, 2, at).map((value) => textOf(resolveTo(value, at), at));
      return one === other;
    }
    case "Fn::Not":
      return !each()[0];
    case "Fn::And":
      return each().every(Boolean);
    case "Fn::Or":
      return each().some(Boolean);
    default:
      throw new TemplateError(given.line, at.path, `${given.name} is no condition`);
  }
}

function arguments_(given: Call, count: number, { path }: At): readonly Node[] {
  if (given.argument.kind !== "list" || given.argument.items.length !== count)
    throw new TemplateError(given.line, path, `${given.name} takes a list of ${count}`);
  return given.argument.items;
}

function resolveTo(given: Node, at: At): Node {
  const value = resolve(given, at);
  if (!value) throw new TemplateError(given.line, at.path, "AWS::NoValue does not belong here");
  return value;
}

function listOf(given: Node, at: At): readonly Node[] {
  const value = resolveTo(given, at);
  if (value.kind !== "list") throw new TemplateError(given.line, at.path, "here belongs a list");
  return value.items;
}

function textOf(given: Node, { path }: At): string {
  if (given.kind !== "scalar" || given.value === null)
    throw new TemplateError(
      given.line,
      path,
      given.kind === "call" ? `${given.name} does not belong here` : "here belongs a text",
    );
  return given.text;
}

const text = (line: number, value: string): Node => ({ kind: "scalar", line, value, text: value });
