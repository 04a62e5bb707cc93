// The same on 5,000,000 items, and how much slower that is. Takes two minutes and 4 GB. `node bench/dynamodb-large.ts [DIR]`
import { measured, tableOf } from "./dynamodb.ts";
import { runAlone, type Table, whole } from "./table.ts";

const SMALL = 1000;
const LARGE = 5_000_000;

export async function measure(dir: string): Promise<Table[]> {
  const small = await measured(dir, SMALL);
  const large = await measured(dir, LARGE);
  const rows = small.rows.map(({ what, compared: { ours } }, i) => {
    const theirs = large.rows[i]!.compared.ours;
    const slower = theirs.cpuMicros / ours.cpuMicros;
    return [
      what,
      whole(ours.cpuMicros),
      whole(theirs.cpuMicros),
      slower.toFixed(2),
      (ours.perSecond / theirs.perSecond).toFixed(2),
    ];
  });
  return [
    tableOf(large),
    {
      title: `DynamoDB, ${whole(LARGE)} items beside ${whole(SMALL)}`,
      note: `CPU time of the server a request, µs, and how many times slower it is. The prepared statement takes ${large.statement.toFixed(1)} µs for ${small.statement.toFixed(1)}. Aim: at most 1.3 times.`,
      head: ["", `CPU µs, ${whole(SMALL)}`, `CPU µs, ${whole(LARGE)}`, "CPU, times", "time, times"],
      rows,
    },
  ];
}

if (import.meta.main) await runAlone(measure);
