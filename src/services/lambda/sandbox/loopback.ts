// AWS_LAMBDA_RUNTIME_API: host:port for a package's own `bootstrap`. The contract leaves no room for a secret in the path, and every
// process of this host can reach the port; so each worker has a port of its own, and a connection is taken only from the worker's uid,
// which the kernel tells in /proc/net/tcp. Where sandboxes share a uid (all rungs but A), they could speak for each other.
import { readFile } from "node:fs/promises";
import { createServer, type Socket } from "node:net";
import type { RuntimeApi, RuntimeServer } from "./runtime-api.ts";

const HOST = "127.0.0.1";

export interface Loopback {
  readonly address: string;
  close(): void;
}

export async function listenForRuntime(server: RuntimeServer, api: RuntimeApi, uid: () => number): Promise<Loopback> {
  const open = new Set<Socket>();
  const listener = createServer({ noDelay: true, pauseOnConnect: true }, (socket) => {
    open.add(socket);
    socket.once("close", () => open.delete(socket));
    socket.once("error", () => socket.destroy());
    peerUid(socket).then(
      (peer) => {
        if (peer !== uid()) return socket.destroy();
        socket.resume();
        server.adopt(socket, api, { inherited: false });
      },
      () => socket.destroy(),
    );
  });
  listener.listen(0, HOST);
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  listener.once("listening", resolve).once("error", reject);
  await promise;
  listener.unref();
  const { port } = listener.address() as { port: number };
  return {
    address: `${HOST}:${port}`,
    close() {
      listener.close();
      for (const socket of open) socket.destroy();
    },
  };
}

/** Whose process is at the other end of a loopback connection: the uid column of its line in /proc/net/tcp. */
async function peerUid(socket: Socket): Promise<number | undefined> {
  const theirs = `${LOOPBACK_HEX}:${hexPort(socket.remotePort!)}`;
  const ours = `${LOOPBACK_HEX}:${hexPort(socket.localPort!)}`;
  const table = await readFile("/proc/net/tcp", "latin1");
  for (const line of table.split("\n")) {
    const columns = line.trim().split(/\s+/);
    if (columns[1] === theirs && columns[2] === ours) return Number(columns[7]);
  }
  return undefined;
}

// 127.0.0.1 as the kernel prints it: one 32-bit word in the machine's own byte order.
const LOOPBACK_HEX = new Uint8Array(new Uint16Array([1]).buffer)[0] === 1 ? "0100007F" : "7F000001";
const hexPort = (port: number): string => port.toString(16).toUpperCase().padStart(4, "0");
