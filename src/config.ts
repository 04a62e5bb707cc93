// What a user may choose. Each field is one line of meaning, printed by `aws-like up --help`.

export interface Account {
  /** 12 digits. */
  readonly id: string;
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  /** 64 hexadecimal digits: the account's name in S3's ACLs. */
  readonly canonicalId?: string;
  /** What organizations calls it, and S3 shows as the owner of its buckets. */
  readonly name?: string;
  readonly email?: string;
}

export interface Config {
  /** The workspace: db.sqlite, logs/, buckets/ and template.yaml live here. Absolute. */
  readonly dir: string;
  /** TCP port of the API; 0 takes any free one. */
  readonly port: number;
  /** Address to listen on. Beyond loopback a root secret of one's own is demanded. */
  readonly host: string;
  /** Empty for db.sqlite in the workspace, or postgres://... */
  readonly databaseUrl: string;
  /** Region of a request that names none, and of what the template makes. */
  readonly region: string;
  /** Account of the root key, and of what the template makes. */
  readonly account: string;
  readonly rootAccessKeyId: string;
  readonly rootSecretAccessKey: string;
  /** Encrypts secrets in the store: 64 hexadecimal digits. Default: the workspace's own, `.aws-like/store.key`, made at first need. */
  readonly storeKey?: string;
  /** Further accounts, from --accounts FILE. */
  readonly accounts: readonly Account[];
  /** No signatures, everyone root: for suites written against lax emulators. */
  readonly relaxed: boolean;
  /** How long a file that was found, not reported as finished, must stay unchanged. ms. */
  readonly settleMs: number;
  /** `full`: what was answered survives power loss. `fast`: it survives the process, and the disk is not waited for. */
  readonly durability: "full" | "fast";
  /** `secure`: a new bucket has no ACLs and no public access, as AWS's since April 2023. `classic`: as before, with ACLs and nothing blocked. */
  readonly bucketDefaults: "secure" | "classic";
  /** `none`: what AWS takes seconds or minutes for is there at once. `real`: it takes as long as there, on the clock, and may be watched. */
  readonly delays: "none" | "real";
  /** `auto` takes the strongest sandbox that this host allows. */
  readonly sandbox: "auto" | "bwrap" | "unshare" | "landlock" | "none";
  /** What a function has of the processors: all of them, or, as on AWS, in proportion to its memory (where the host has cgroups). */
  readonly cpu: "host" | "aws";
  /** What the terminal shows: `quiet` nothing but warnings. */
  readonly output: "terminal" | "quiet";
}

export const defaults: Omit<Config, "dir"> = {
  port: 4566,
  host: "127.0.0.1",
  databaseUrl: "",
  region: "us-east-1",
  account: "000000000000",
  rootAccessKeyId: "test",
  rootSecretAccessKey: "test",
  accounts: [],
  relaxed: false,
  settleMs: 50,
  durability: "full",
  bucketDefaults: "secure",
  delays: "none",
  sandbox: "auto",
  cpu: "host",
  output: "terminal",
};

/** Why a cloud would be open to others who know what everybody knows; undefined where it is not. */
export function openTo(
  config: Pick<Config, "host" | "rootSecretAccessKey" | "relaxed" | "accounts">,
): string | undefined {
  const { host, rootSecretAccessKey, relaxed, accounts } = config;
  if (host === "localhost" || host === "::1" || /^127(\.\d+){3}$/.test(host)) return undefined;
  if (relaxed) return `${host} is open to others: --relaxed, which makes everyone root, is for loopback only`;
  // It is every account's: a key of 12 digits is that account's root.
  if (rootSecretAccessKey === defaults.rootSecretAccessKey)
    return `${host} is open to others: set AWS_LIKE_ROOT_SECRET to a secret of your own first`;
  const known = accounts.find(({ secretAccessKey }) => secretAccessKey === defaults.rootSecretAccessKey);
  return (
    known &&
    `${host} is open to others: account ${known.id} has the secret that everybody knows; give it one of its own`
  );
}
