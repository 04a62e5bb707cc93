// Gives a compiled statement its parameters.
import { errors } from "../errors.ts";
import { type Bindings, bindCondition, bindUpdate } from "../expression/bind.ts";
import { type AttributeValue, type Item, soundValue, typeOf } from "../value.ts";
import { type Compiled, parameterName } from "./compile.ts";
import type { Statement } from "./statement.ts";

/** Of sound parameters. */
export function bindStatement(compiled: Compiled, parameters: readonly AttributeValue[]): Statement {
  if (parameters.length !== compiled.parameters)
    throw errors.validation("Number of parameters in request and statement don't match.");
  for (const [index, sentence] of compiled.sets)
    if (!["SS", "NS", "BS"].includes(typeOf(parameters[index]!))) throw errors.validation(sentence);
  const values: Item = {
    ...compiled.literals,
    ...Object.fromEntries(parameters.map((value, index) => [parameterName(index), value])),
  };
  const bindings: Bindings = { names: compiled.names, values, usedNames: new Set(), usedValues: new Set() };
  const { statement } = compiled;
  if (statement.kind === "insert")
    return {
      ...statement,
      members: statement.members.map(([name, value]) => [name, { ...value, value: values[value.name]! }] as const),
    };
  const where = statement.where && bindCondition(statement.where, "", bindings);
  if (statement.kind === "update") return { ...statement, where, update: bindUpdate(statement.update, "", bindings) };
  if (statement.kind !== "select" || !statement.columns) return { ...statement, where };
  const columns = statement.columns.map(({ name, path: { parts } }) => ({
    name,
    path: {
      kind: "path" as const,
      parts: parts.map((part) => (typeof part === "number" ? part : compiled.names[part]!)),
    },
  }));
  return { ...statement, where, columns };
}

/** They are looked at before the statement is read. */
export const soundParameters = ({
  Parameters = [],
}: {
  readonly Parameters?: readonly AttributeValue[] | undefined;
}): readonly AttributeValue[] => Parameters.map((value) => soundValue(value));
