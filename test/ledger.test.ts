// At least once, under kill -9: the small form of tools/ledger.ts.
import { after, test } from "node:test";
import { startPostgres } from "../tools/postgres.ts";
import { keepLedger } from "./ledger.ts";

const MESSAGES = 320;
const KILLS = 1;

const postgres = await startPostgres();
after(() => postgres?.[Symbol.asyncDispose]());

for (const [seed, fifo] of [false, true].entries())
  for (const engine of ["SQLite", "PostgreSQL"])
    test(`${engine}: kill -9 loses no message of a ${fifo ? "FIFO" : "standard"} queue, and gives none to two hands`, {
      timeout: 90_000,
    }, async (t) => {
      const url = engine === "PostgreSQL" ? await postgres?.createDatabase() : undefined;
      if (engine === "PostgreSQL" && url === undefined) return t.skip("*** there is no PostgreSQL on this machine ***");
      const ledger = await keepLedger({
        messages: MESSAGES,
        kills: KILLS,
        seed,
        fifo,
        ...(url !== undefined && { databaseUrl: url }),
      });
      t.diagnostic(JSON.stringify(ledger));
    });
