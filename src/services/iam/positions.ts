// Where a statement stands in its policy's text, as IAM's simulator tells it: both places are just after a brace. Seen on AWS.
import { child, each, scan } from "../../kernel/mod.ts";

export interface Place {
  /** From 1 on. */
  readonly Line: number;
  readonly Column: number;
}

/** `statement` is its Sid, or its number from 1 on, as a decision's trace names it. */
export function placeOf(document: string, statement: string): { start: Place; end: Place } {
  const { start, end } = statementOf(document, statement) ?? { start: 0, end: document.length };
  return { start: at(document, start + 1), end: at(document, end) };
}

/** The statement's own text. */
export function textOf(document: string, statement: string): string {
  const { start, end } = statementOf(document, statement) ?? { start: 0, end: 0 };
  return document.slice(start, end);
}

function statementOf(document: string, statement: string) {
  const nodes = each(child(scan(document), "Statement"));
  return nodes.find((node) => child(node, "Sid")?.value === statement) ?? nodes[Number(statement) - 1];
}

function at(text: string, offset: number): Place {
  const before = text.slice(0, offset);
  const line = before.lastIndexOf("\n");
  return { Line: before.split("\n").length, Column: offset - line };
}
