// Makes dist/, what the npm package carries: Node strips no types under node_modules. Tests and benchmarks stay out.
import { execFileSync } from "node:child_process";
import { cpSync, globSync, rmSync } from "node:fs";
import { join } from "node:path";

const root = join(import.meta.dirname, "..");
rmSync(join(root, "dist"), { recursive: true, force: true });
execFileSync(process.execPath, [join(root, "node_modules/typescript/bin/tsc"), "-p", "tsconfig.build.json"], {
  cwd: root,
  stdio: "inherit",
});
// What is read beside a module at run time: models, bootstraps, data.
for (const file of globSync("src/**/*.{json,sh,py,mjs}", { cwd: root }))
  cpSync(join(root, file), join(root, "dist", file), { recursive: true, force: true });
