// One process, one workspace: two clouds on one db.sqlite would deliver each other's work.
import { createHash } from "node:crypto";
import { realpathSync } from "node:fs";
import { createServer } from "node:net";

/**
 * Holds the workspace until disposed, or until the process is gone however it ended: a socket in Linux's abstract namespace leaves no file
 * behind. Rejects with one clear sentence where another process holds it.
 */
export async function holdWorkspace(dir: string): Promise<AsyncDisposable> {
  const name = createHash("sha256").update(realpathSync(dir)).digest("hex").slice(0, 32);
  const server = createServer((socket) => socket.destroy());
  await new Promise<void>((resolve, reject) => {
    server.once("error", (error: NodeJS.ErrnoException) =>
      reject(error.code === "EADDRINUSE" ? new Error(`another aws-like runs in ${dir}; stop it first`) : error),
    );
    server.listen(`\0aws-like/${name}`, resolve);
  });
  server.unref();
  return { [Symbol.asyncDispose]: () => new Promise((resolve) => server.close(() => resolve())) };
}
