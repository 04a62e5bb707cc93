// Where in a policy's text its statements begin. The text was parsed before: what is scanned here is sound JSON, or nothing is said.

/** The line, from 1 on, on which the statement begins that has this Sid, or this place from 1 on. */
export function lineOf(text: string, statement: string): number | undefined {
  const all = statements(text);
  if (!all) return undefined;
  const found = all.find(({ sid }) => sid === statement) ?? all[Number(statement) - 1];
  return found && text.slice(0, found.at).split("\n").length;
}

interface Found {
  readonly at: number;
  readonly sid: string | undefined;
}

function statements(text: string): Found[] | undefined {
  let json: { Statement?: unknown };
  try {
    json = JSON.parse(text) as { Statement?: unknown };
  } catch {
    return undefined; // the decision has said that it cannot be read
  }
  const list = Array.isArray(json.Statement) ? json.Statement : [json.Statement];
  const offsets = offsetsOf(text, Array.isArray(json.Statement) ? 2 : 1);
  return list.map((one, at) => ({ at: offsets[at] ?? 0, sid: (one as { Sid?: string } | undefined)?.Sid }));
}

/** Where the objects begin that stand `depth` deep under the top object's member "Statement". */
function offsetsOf(text: string, depth: number): number[] {
  const found: number[] = [];
  let level = 0;
  let member = "";
  for (const token of text.matchAll(/"(?:[^"\\]|\\.)*"(?<name>\s*:)?|[{}[\]]/g)) {
    const [whole] = token;
    if (whole === "{" || whole === "[") {
      if (whole === "{" && level === depth && member === "Statement") found.push(token.index);
      level++;
    } else if (whole === "}" || whole === "]") level--;
    else if (token.groups?.name !== undefined && level === 1)
      member = JSON.parse(whole.slice(0, whole.lastIndexOf('"') + 1)) as string;
  }
  return found;
}
