// A process that dies in the middle of a change: `node test/crash-step.ts DIR SCENARIO STEP`. Before file operation number STEP of the change (from 1) it is
// killed, as in a power cut; it prints `done` where the change was answered before that, and `ready` where STEP is 0 and nothing was to be changed. STEP
// `seat`: before a file is given its name in the bucket's directory. (Steps have no fixed numbers: a side folder is made where there is none by chance.)
import fs from "node:fs";
import promises from "node:fs/promises";
import { syncBuiltinESMExports } from "node:module";

/** What changes names. Of the rest a crash of the process shows nothing. */
const STEPS = ["rename", "link", "rm", "rmdir", "mkdir", "copyFile"] as const;

const [dir, name, text] = process.argv.slice(2);
const step = text === "seat" ? Number.POSITIVE_INFINITY : Number(text);
let [counting, count] = [false, 0];

type Calls = Record<string, (...args: unknown[]) => unknown>;

function countCalls(module: unknown, operation: string): void {
  const original = (module as Calls)[operation]!;
  (module as Calls)[operation] = (...args) => {
    const seats = text === "seat" && String(args[1]).startsWith(`${dir}/buckets/`);
    if (counting && (++count === step || seats)) process.kill(process.pid, "SIGKILL");
    return original(...args);
  };
}
for (const operation of STEPS) countCalls(promises, operation);
countCalls(fs, "renameSync");
syncBuiltinESMExports();

const { start } = await import("../src/aws.ts");
const { bucketOf, callerOf, scenarios } = await import("./crash-scenarios.ts");
const aws = await start({ dir: dir!, port: 0, output: "quiet" });
const s3 = callerOf(aws, bucketOf(name!));
const scenario = scenarios[name!]!;
await s3.start(scenario);
const change = await scenario.prepare(s3);
// What came before has ended, also what happens after an answer: only the change is counted.
await aws.settle();
counting = true;
if (step > 0) await change();
process.stdout.write(step > 0 ? "done" : "ready", () => process.kill(process.pid, "SIGKILL"));
