// Why a signature does not match: the one change between what was signed and what came that would explain it. Both sides make the same
// text of the request, so each change a client or a proxy is known to make can be tried on it. Nothing here is in the way of a good request.
import type { HttpRequest } from "../model/http.ts";
import { canonicalRequests, sha256Bytes, stringToSign } from "./canonical.ts";
import type { Claim, Terms } from "./claim.ts";
import { equal, signerOf } from "./signature.ts";

export interface Mismatch {
  /** Sentences; the first one is the reason, where one was found. */
  readonly reasons: readonly string[];
  /** What we made of the request, as it must be signed; for the journal, so without session tokens and encryption keys. */
  readonly canonicalRequest: string;
  readonly stringToSign: string;
}

type Signed = Pick<HttpRequest, "method" | "path" | "query" | "headers">;

/** What may have been signed instead of what came. */
interface Change {
  readonly reason: string;
  readonly request?: Partial<Signed>;
  readonly payloadHash?: string;
  readonly secret?: string;
  /** The path's rule: S3's, or that of all others. */
  readonly s3?: boolean;
}

const MAX_TEXT = 8_192;
const EMPTY = new Uint8Array();

export function explainMismatch(
  claimed: Claim,
  request: HttpRequest,
  options: Pick<Terms, "family"> & { secretAccessKey: string; body?: Uint8Array | undefined },
): Mismatch {
  const { secretAccessKey, family, body = EMPTY } = options;
  const payloadHash = claimed.payloadHash ?? sha256Bytes(body);
  const texts = (change: Partial<Change>) =>
    canonicalRequests(
      { ...requestOf(request), ...change.request },
      {
        headers: claimed.signedHeaders,
        payloadHash: change.payloadHash ?? payloadHash,
        s3: change.s3 ?? family === "s3",
      },
    );
  const given = Buffer.from(claimed.signature, "latin1");
  const explains = (change: Change) => {
    const { sign } = signerOf(change.secret ?? secretAccessKey, claimed);
    const signed = (text: string) => Buffer.from(sign(stringToSign(claimed.timestamp, claimed, text)), "latin1");
    // In constant time: what is signed otherwise is a request too.
    return texts(change).some((text) => equal(signed(text), given));
  };
  const found = changes(request, { claimed, family, secretAccessKey, body }).find(explains);
  const canonicalRequest = texts({})[0]!;
  return {
    reasons: [...(found ? [found.reason] : [UNKNOWN]), ...missing(claimed, request)],
    canonicalRequest: withoutSecrets(canonicalRequest).slice(0, MAX_TEXT),
    stringToSign: stringToSign(claimed.timestamp, claimed, canonicalRequest),
  };
}

const withoutSecrets = (canonicalRequest: string): string =>
  canonicalRequest
    .replace(/^(x-amz-(?:security-token|(?:copy-source-)?server-side-encryption-customer-key):).*$/gm, "$1...")
    .replace(/(X-Amz-Security-Token=)[^&\n]*/g, "$1...");

const UNKNOWN =
  "no usual change of the method, host, path, query or body explains it: most likely the client's secret is not this key's (a typo, a character lost in copying, the secret of another key)";

const requestOf = ({ method, path, query, headers }: HttpRequest): Signed => ({ method, path, query, headers });

/** In the order of how often it happens. */
function changes(
  request: HttpRequest,
  of: { claimed: Claim; family: Terms["family"]; secretAccessKey: string; body: Uint8Array },
): Change[] {
  const { claimed, family, secretAccessKey, body } = of;
  const { method, query, headers } = request;
  const secrets: [string, string][] = [
    [`${secretAccessKey}\n`, "has a line end at its end"],
    [`${secretAccessKey}\r`, "has a carriage return at its end (a file with Windows line ends?)"],
    [`${secretAccessKey} `, "has a space at its end"],
    [` ${secretAccessKey}`, "has a space at its beginning"],
    [`"${secretAccessKey}"`, "stands in quotes that are taken as part of it"],
    ["test", 'is "test", which is the root key\'s, and not that of this key'],
  ];
  return [
    ...secrets.map(([secret, what]): Change => ({ reason: `the secret that the client signed with ${what}`, secret })),
    ...hostsLike(headers.host ?? "").map(
      (host): Change => ({
        reason: `it was signed for the host ${host}, and came with Host: ${headers.host}: something on the way changed it`,
        request: { headers: { ...headers, host } },
      }),
    ),
    ...["GET", "HEAD", "PUT", "POST", "DELETE", "PATCH", "OPTIONS"]
      .filter((other) => other !== method)
      .map(
        (other): Change => ({
          reason: `it was signed for ${other}, and sent as ${method}: a presigned URL is good for one method only`,
          request: { method: other },
        }),
      ),
    {
      reason: "the query string was not signed, or was added afterwards",
      request: { query: claimed.kind === "header" ? "" : onlySignature(query) },
    },
    ...bodies(body, claimed).map(
      ([payloadHash, what]): Change => ({
        reason: `the body that was signed is not the one that came: ${what}`,
        payloadHash,
      }),
    ),
    {
      reason:
        family === "s3"
          ? "the path was encoded twice, as all services but S3 want it"
          : "the path was encoded once, as only S3 wants it",
      s3: family !== "s3",
    },
    {
      reason: "a / at the end of the path was added or lost after it was signed",
      request: { path: request.path.endsWith("/") ? request.path.slice(0, -1) : `${request.path}/` },
    },
  ];
}

/** The names of this machine, with and without the port. */
function hostsLike(host: string): string[] {
  const port = /:\d+$/.exec(host)?.[0] ?? "";
  const bare = host.slice(0, host.length - port.length);
  const names = [bare, "localhost", "127.0.0.1", "[::1]"];
  return [...new Set(names.flatMap((name) => [`${name}${port}`, name]))].filter((other) => other !== host);
}

const onlySignature = (query: string): string =>
  query
    .split("&")
    .filter((part) => part.startsWith("X-Amz-"))
    .join("&");

function bodies(body: Uint8Array, { payloadHash }: Claim): [hash: string, what: string][] {
  const text = Buffer.from(body);
  const line = Buffer.from("\n");
  const known: [string, string][] = [
    ["UNSIGNED-PAYLOAD", "it was signed as UNSIGNED-PAYLOAD"],
    [sha256Bytes(EMPTY), "an empty one was signed"],
  ];
  if (payloadHash !== undefined) return known;
  return [
    ...known,
    [sha256Bytes(Buffer.concat([text, line])), "a line end was lost at its end"],
    [sha256Bytes(text.at(-1) === line[0] ? text.subarray(0, -1) : text), "a line end was added at its end"],
  ];
}

/** Headers that a client's HTTP library or a proxy writes anew. */
const CHANGED_ON_THE_WAY = [
  "accept-encoding",
  "connection",
  "content-length",
  "expect",
  "transfer-encoding",
  "user-agent",
];

function missing({ signedHeaders }: Claim, { headers }: HttpRequest): string[] {
  const lost = signedHeaders.filter((name) => headers[name] === undefined);
  const unsafe = signedHeaders.filter((name) => CHANGED_ON_THE_WAY.includes(name) && headers[name] !== undefined);
  return [
    ...(lost.length > 0 ? [`these headers were signed and did not come: ${lost.join(", ")}`] : []),
    ...(unsafe.length > 0 ? [`these signed headers are often changed on the way: ${unsafe.join(", ")}`] : []),
  ];
}
