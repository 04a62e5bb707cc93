// Requests as the real SDK writes and signs them, caught before they are sent: they are sent again and again, so that no client is measured.

interface Client {
  readonly middlewareStack: {
    add(middleware: unknown, options: { step: string; priority: string; name: string; override: boolean }): void;
    remove(name: string): boolean;
  };
}

interface Caught {
  readonly method: string;
  readonly path: string;
  readonly query?: Readonly<Record<string, string>>;
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: string | Uint8Array;
}

const NAME = "catchSigned";

/** The bytes of the request that each call of `send` would have sent. A signature is good for 5 minutes at least. */
export async function signed<C>(client: C, many: number, send: (client: C, i: number) => Promise<unknown>) {
  const requests: Buffer[] = [];
  const { middlewareStack } = client as Client;
  const take = () => async (args: { request: Caught }) => {
    requests.push(bytesOf(args.request));
    return { output: { $metadata: {} }, response: {} };
  };
  middlewareStack.add(take, { step: "finalizeRequest", priority: "low", name: NAME, override: true });
  for (let i = 0; i < many; i++) await send(client, i);
  middlewareStack.remove(NAME);
  return requests;
}

function bytesOf({ method, path, query = {}, headers, body = "" }: Caught): Buffer {
  const content = typeof body === "string" ? Buffer.from(body) : Buffer.from(body.buffer, body.byteOffset, body.length);
  const parameters = new URLSearchParams(query).toString();
  // `Expect` is not signed; a client that does not wait for the interim answer need not ask for it.
  const lines = Object.entries({ ...headers, "content-length": String(content.length) })
    .filter(([name]) => name.toLowerCase() !== "expect")
    .map(([name, value]) => `${name}: ${value}\r\n`);
  return Buffer.concat([
    Buffer.from(`${method} ${path}${parameters && `?${parameters}`} HTTP/1.1\r\n${lines.join("")}\r\n`),
    content,
  ]);
}
