// The large ledger: `node tools/ledger.ts [--messages 50000] [--kills 20] [--seed 1] [--fifo] [--postgres]`. It fails where a message is lost, comes
// again after its delete was answered, is in two hands within its visibility, or out of order in its group.
import { parseArgs } from "node:util";
import { keepLedger } from "../test/ledger.ts";
import { startPostgres } from "./postgres.ts";

const { values } = parseArgs({
  options: {
    messages: { type: "string", default: "50000" },
    kills: { type: "string", default: "20" },
    seed: { type: "string", default: "1" },
    fifo: { type: "boolean", default: false },
    postgres: { type: "boolean", default: false },
  },
});

await using postgres = values.postgres ? await startPostgres() : undefined;
if (values.postgres && !postgres) throw new Error("there is no PostgreSQL on this machine");
const began = performance.now();
const ledger = await keepLedger({
  messages: Number(values.messages),
  kills: Number(values.kills),
  seed: Number(values.seed),
  fifo: values.fifo,
  ...(postgres && { databaseUrl: await postgres.createDatabase() }),
  say: console.log,
});
console.log(`kept, in ${((performance.now() - began) / 1000).toFixed(0)} s:`, JSON.stringify(ledger));
