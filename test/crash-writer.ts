// A process that dies in the middle of its writes: `node test/crash-writer.ts URL MODE`. It prints what was committed, at once.
import { writeSync } from "node:fs";
import { openStore } from "../src/store/open.ts";
import type { Store, Tx } from "../src/store/store.ts";

const WRITERS = 8;

const die = () => process.kill(process.pid, "SIGKILL");

const say = (number: number) => writeSync(1, `${number}\n`);

/** Two rows that belong together. */
async function pair(tx: Tx, number: number, between: () => void = () => undefined): Promise<void> {
  await tx.run("INSERT INTO pair (number, half) VALUES (:number, 1)", { number });
  between();
  await tx.run("INSERT INTO pair (number, half) VALUES (:number, 2)", { number });
}

const modes: Record<string, (store: Store) => Promise<unknown>> = {
  /** Number 1 is committed, 2 is cut off between its statements. */
  async between(store) {
    await store.write((tx) => pair(tx, 1));
    say(1);
    await store.write((tx) => pair(tx, 2, die));
  },
  async afterCommit(store) {
    await store.write((tx) => pair(tx, 1));
    say(1);
    die();
  },
  /** Writes until somebody kills it. */
  async onAndOn(store) {
    let last = 0;
    const write = async () => {
      for (;;) {
        const number = ++last;
        await store.write((tx) => pair(tx, number));
        say(number);
      }
    };
    await Promise.all(Array.from({ length: WRITERS }, write));
  },
};

const [url, mode] = process.argv.slice(2);
await modes[mode!]!(await openStore(url!, ""));
