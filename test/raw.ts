// Bytes to a port and back, for what no HTTP client would send.
import { connect } from "node:net";

/** How long a server may be silent before we say that no more bytes will come. */
const PATIENCE_MS = 100;

/** Sends `bytes`; all that comes back until the server closes, or nothing has come for `idleMs`. Latin-1. */
export function exchange(endpoint: string, bytes: Uint8Array | string, idleMs = 300): Promise<string> {
  const { hostname, port } = new URL(endpoint);
  const { promise, resolve } = Promise.withResolvers<string>();
  const socket = connect(Number(port), hostname);
  let answer = "";
  const done = () => {
    clearTimeout(idle);
    clearTimeout(silence);
    socket.destroy();
    resolve(answer);
  };
  const idle = setTimeout(done, idleMs);
  // Not before: Node takes a half-closed connection for a client that went away.
  const silence = setTimeout(() => socket.end(), PATIENCE_MS);
  socket.on("data", (chunk) => {
    answer += chunk.toString("latin1");
    idle.refresh();
    silence.refresh();
  });
  socket.on("close", done);
  socket.on("error", done); // a reset is the end of the answer
  socket.write(bytes);
  return promise;
}

export interface RawAnswer {
  readonly status: number;
  readonly head: string;
  readonly body: string;
}

/** The first answer in the bytes; undefined where they are none. */
export function parseAnswer(text: string): RawAnswer | undefined {
  const found = /^HTTP\/1\.1 (\d{3}) [^\r\n]*\r\n([\s\S]*?)\r\n\r\n([\s\S]*)$/.exec(text);
  return found ? { status: Number(found[1]), head: found[2]!, body: found[3]! } : undefined;
}
