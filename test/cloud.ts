// A cloud of a test's own, and the real SDK's clients for it.
import type { Aws, StartOptions } from "../src/aws.ts";
import { start } from "../src/aws.ts";

export interface TestCloud extends AsyncDisposable {
  readonly aws: Aws;
  readonly endpoint: string;
  /** A client with the root key (or `as`), that tries once, so that what a test sees is what was answered. */
  client<C>(type: new (config: ClientConfig) => C, as?: Key): C;
  settle(): Promise<void>;
  /** Moves the clock; what becomes due on the way has happened when it resolves. ms. */
  advance(ms: number): Promise<void>;
}

export interface Key {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  readonly sessionToken?: string;
}

export interface ClientConfig {
  endpoint: string;
  region: string;
  credentials: Key;
  maxAttempts: number;
  forcePathStyle: boolean;
  /** `stream-127.0.0.1` is no name. */
  disableHostPrefix: boolean;
}

export const ROOT: Key = { accessKeyId: "test", secretAccessKey: "test" };

/** The engine is SQLite, or a database of its own on the server that AWS_LIKE_TEST_POSTGRES names: `make test` runs the service tests on both. */
export async function startCloud(options: StartOptions = {}): Promise<TestCloud> {
  const aws = await start({ ephemeral: true, databaseUrl: await databaseUrl(options.dir), ...options });
  const clients: { destroy(): void }[] = [];
  return {
    aws,
    endpoint: aws.endpoint,
    client(type, as = ROOT) {
      const client = new type({
        endpoint: aws.endpoint,
        region: "us-east-1",
        credentials: as,
        maxAttempts: 1,
        forcePathStyle: true,
        disableHostPrefix: true,
      });
      clients.push(client as { destroy(): void });
      return client;
    },
    settle: () => aws.settle(),
    advance: (ms) => aws.clock({ advance: ms }),
    async [Symbol.asyncDispose]() {
      for (const client of clients) client.destroy();
      await aws[Symbol.asyncDispose]();
    },
  };
}

// A workspace that a test starts again keeps its database, as its db.sqlite would.
const databases = new Map<string, string>();

async function databaseUrl(dir: string | undefined): Promise<string> {
  if (!process.env.AWS_LIKE_TEST_POSTGRES) return "";
  const { startPostgres } = await import("../tools/postgres.ts");
  const known = dir === undefined ? undefined : databases.get(dir);
  const url = known ?? (await (await startPostgres())!.createDatabase());
  if (dir !== undefined) databases.set(dir, url);
  return url;
}
