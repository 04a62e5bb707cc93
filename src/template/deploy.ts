// Makes the world what the plan says: creates what is missing, updates what differs, removes what the template forgot. Done again, it
// changes nothing and calls nothing that could.
import { AwsError } from "../kernel/error.ts";
import type { Call, Place } from "./kind.ts";
import { kinds } from "./kinds.ts";
import { known } from "./late.ts";
import { TemplateError } from "./node.ts";
import type { Plan, Planned } from "./plan.ts";
import { type Deployed, readState, writeState } from "./state.ts";

export interface Report {
  /** Logical ids. */
  readonly made: string[];
  readonly changed: string[];
  readonly removed: string[];
  /** No longer in the template, but there: it holds something, or DeletionPolicy says so. */
  readonly kept: string[];
}

/** After each step it is written down what was made: an error, or a crash, leaves the rest for the next time. Throws TemplateError. */
export async function deploy(plan: Plan, { call, place }: { call: Call; place: Place }): Promise<Report> {
  const report: Report = { made: [], changed: [], removed: [], kept: [] };
  const state = new Map((await readState(place.dir)).map((one) => [keyOf(one), one]));
  for (const one of plan.resources) {
    const where = { line: one.line, path: `Resources.${one.id}` };
    const planned = { ...one, properties: await known(one.properties, call, where) };
    const before = state.get(keyOf(planned)) ?? [...state.values()].find((one) => sameThing(one, planned));
    const done = await withLine(planned, () => bring(planned, before, { call, place, report }));
    if (!done && before && keyOf(before) === keyOf(planned)) continue;
    if (before && keyOf(before) !== keyOf(planned)) state.delete(keyOf(before));
    state.set(keyOf(planned), written(planned));
    await writeState(place.dir, [...state.values()]);
  }
  const wanted = new Set(plan.resources.map(keyOf));
  for (const forgotten of [...state.values()].reverse().filter((one) => !wanted.has(keyOf(one)))) {
    await withLine({ ...forgotten, line: 1 }, () => remove(forgotten, { call, place, report }));
    state.delete(keyOf(forgotten));
    await writeState(place.dir, [...state.values()]);
  }
  return report;
}

interface Work {
  readonly call: Call;
  readonly place: Place;
  readonly report: Report;
}

/** A renamed thing is another thing; a thing with another logical id is still the same. */
const keyOf = ({ id, type, name }: Deployed | Planned): string => `${id} ${type} ${name}`;
const sameThing = (one: Deployed, { type, name }: Planned): boolean =>
  one.type === type && one.name === name && kinds[type]?.named !== undefined;

const written = ({ id, type, name, properties, directory, retain }: Planned): Deployed => ({
  ...{ id, type, name, properties, directory, retain },
});

/** Whether anything was done. */
async function bring(planned: Planned, before: Deployed | undefined, { call, place, report }: Work): Promise<boolean> {
  const { kind, id } = planned;
  if (!(await kind.exists(call, planned, place))) {
    await kind.create(call, planned, place);
    report.made.push(id);
    return true;
  }
  if (before && same(before.properties, planned.properties) && before.directory === planned.directory) return false;
  if (before && mustBeReplaced(before, planned)) {
    if (!(await kind.remove(call, before, place)))
      throw new TemplateError(
        planned.line,
        `Resources.${id}`,
        `${mustBeReplaced(before, planned)} cannot change while ${planned.name} holds something: empty it first, or give it another name`,
      );
    await kind.create(call, planned, place);
  } else await kind.update(call, planned, place, before);
  report.changed.push(id);
  return true;
}

function mustBeReplaced(before: Deployed, planned: Planned): string | undefined {
  if (before.directory !== planned.directory) return "Metadata.AwsLike.Directory";
  return planned.kind.fixed.find((property) => !same(before.properties[property], planned.properties[property]));
}

/** As it is written down: what is undefined is not there. */
const same = (one: unknown, other: unknown): boolean => JSON.stringify(one) === JSON.stringify(other);

async function remove(forgotten: Deployed, { call, place, report }: Work): Promise<void> {
  const kind = kinds[forgotten.type];
  if (!kind || !(await kind.exists(call, forgotten, place))) return;
  const gone = !forgotten.retain && (await kind.remove(call, forgotten, place));
  (gone ? report.removed : report.kept).push(`${forgotten.id} (${forgotten.name})`);
}

/** What a service refuses is the template's fault, as far as the template's author can see: the line is named. */
async function withLine<T>(
  { id, type, line }: { id: string; type: string; line: number },
  work: () => Promise<T>,
): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (!(error instanceof AwsError)) throw error;
    throw new TemplateError(line, `Resources.${id}`, `${type}: ${error.code}: ${error.message}`);
  }
}
