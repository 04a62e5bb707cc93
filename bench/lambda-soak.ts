// The soak of functions that fail: `node bench/lambda-soak.ts [INVOCATIONS]`, 20,000 by default. Exit status 1 where anything is lost or left.
import { startCloudWithRole } from "../test/lambda.ts";
import { soak } from "../test/soak.ts";

const count = Number(process.argv[2] ?? 20_000);
const { wrong, lost, left, seconds } = await soak(count, {
  start: startCloudWithRole,
  said: (text) => console.log(text),
});
console.log(`${count} invocations in ${seconds.toFixed(0)} s: ${(count / seconds).toFixed(0)} a second`);
for (const [what, list] of Object.entries({ wrong, lost, left })) {
  console.log(`${what}: ${list.length}`);
  for (const entry of list.slice(0, 20)) console.log(`  ${entry}`);
}
process.exitCode = wrong.length + lost.length + left.length > 0 ? 1 : 0;
