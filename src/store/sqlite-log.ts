// How a commit becomes durable without holding up the event loop: SQLite writes its frames to the log (synchronous=NORMAL) and a thread syncs the
// log before anybody hears of the commit. As durable and as atomic as FULL, which does the same on the caller's thread: a torn commit has no valid
// checksum and vanishes, a checkpoint syncs the log before the database, and a log that begins anew syncs its header. https://sqlite.org/wal.html
import { closeSync, constants, fdatasync, fsyncSync, openSync } from "node:fs";
import { dirname } from "node:path";
import type { Connection } from "./sqlite-connection.ts";

/** Pages in the log from which on they are taken into the database: SQLite's own default. */
const CHECKPOINT_PAGES = 1000;

export class SqliteLog {
  readonly #writer: Connection;
  readonly #reader: Connection;
  readonly #fd: number;

  /** Both have the database open, so that its log is there. */
  constructor(file: string, { writer, reader }: { writer: Connection; reader: Connection }) {
    this.#writer = writer;
    this.#reader = reader;
    const directory = openSync(dirname(file), constants.O_RDONLY | constants.O_DIRECTORY);
    fsyncSync(directory);
    closeSync(directory);
    // SQLite has no locks on its log, which closing a descriptor of ours would give up.
    this.#fd = openSync(`${file}-wal`, constants.O_RDONLY);
    // What a process that was killed had written, and is seen from now on.
    fsyncSync(this.#fd);
    // One within a commit would find the reader's snapshot in its way, and the log would never begin anew.
    writer.exec("PRAGMA synchronous = NORMAL; PRAGMA wal_autocheckpoint = 0");
  }

  /** Before a commit: reads go on, and see nothing of it until it is durable. */
  hold(): void {
    this.#reader.command("BEGIN");
    this.#reader.one("SELECT 1 FROM sqlite_schema LIMIT 1");
  }

  /** Resolves when all that is committed is on the disk. */
  sync(): Promise<void> {
    return new Promise((resolve, reject) => fdatasync(this.#fd, (error) => (error ? reject(error) : resolve())));
  }

  /** Reads see what is committed. */
  release(): void {
    if (this.#reader.inTransaction) this.#reader.command("COMMIT");
    try {
      // NOOP (SQLite 3.51) counts only; an older one does it at once.
      const pages = this.#writer.one("PRAGMA wal_checkpoint(NOOP)")?.log as number;
      if (pages >= CHECKPOINT_PAGES) this.#writer.one("PRAGMA wal_checkpoint(PASSIVE)");
    } catch (error) {
      // The log has all of it, and the next commit tries again.
      process.stderr.write(`aws-like: the database's log could not be taken in: ${(error as Error).message}\n`);
    }
  }

  close(): void {
    closeSync(this.#fd);
  }
}
