// Where in a policy's text its statements begin.
import { child, each, lineAt, scan } from "../kernel/policy/json.ts";

/** The line, from 1 on, on which the statement begins that has this Sid, or this place from 1 on. */
export function lineOf(text: string, statement: string): number | undefined {
  const all = each(child(scan(text), "Statement"));
  const found = all.find((one) => child(one, "Sid")?.value === statement) ?? all[Number(statement) - 1];
  return found && lineAt(text, found.start);
}
