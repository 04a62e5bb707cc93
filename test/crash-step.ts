// A process that dies in the middle of a change: `node test/crash-step.ts DIR SCENARIO STEP`. Before file operation number STEP of the change (from 1) it is
// killed, as in a power cut; it prints `done` where the change was answered before that, and `ready` where STEP is 0 and nothing was to be changed.
import promises from "node:fs/promises";
import { syncBuiltinESMExports } from "node:module";

/** What changes names. Of the rest a crash of the process shows nothing. */
const STEPS = ["rename", "link", "rm", "rmdir", "mkdir", "copyFile"] as const;

const [dir, name, text] = process.argv.slice(2);
const step = Number(text);
let [counting, count] = [false, 0];

const module = promises as unknown as Record<string, (...args: unknown[]) => unknown>;
for (const operation of STEPS) {
  const original = module[operation]!;
  module[operation] = (...args) => {
    if (counting && ++count === step) process.kill(process.pid, "SIGKILL");
    return original(...args);
  };
}
syncBuiltinESMExports();

const { start } = await import("../src/aws.ts");
const { callerOf, scenarios } = await import("./crash-scenarios.ts");
const aws = await start({ dir: dir!, port: 0, output: "quiet" });
const s3 = callerOf(aws);
const scenario = scenarios[name!]!;
await s3.start(scenario);
const change = await scenario.prepare(s3);
// What came before has ended, also what happens after an answer: only the change is counted.
await aws.settle();
counting = true;
if (step > 0) await change();
process.stdout.write(step > 0 ? "done" : "ready", () => process.kill(process.pid, "SIGKILL"));
