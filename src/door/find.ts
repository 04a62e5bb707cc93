// Which service a request means, and in which protocol it asks. Reads the head, and the parameters of a form; no model is
// parsed for it. In this order: an rpcv2Cbor path, S3's host, the target, Action and Version, the credential's scope, the path.
import type { HttpRequest } from "../model/http.ts";
import type { Model, Protocol } from "../model/model.ts";

export interface Found {
  readonly service: string;
  readonly protocol: Protocol;
  /** As the service's model sees it: a bucket named by the host stands in the path. Signatures are over the original. */
  readonly request: HttpRequest;
}

export interface FindOptions {
  /** The parameters of a form post (`isForm`), read beforehand. */
  readonly form?: URLSearchParams;
  /** Names under which this cloud is reached: `x.localhost` is then the bucket x. Default: localhost and LocalStack's. */
  readonly hosts?: readonly string[];
}

/** The few facts of a model that are needed before it is read; `find.test.ts` holds them against the models. */
interface Traits {
  readonly signing: string;
  readonly target?: string;
  /** Of the query protocol. */
  readonly version?: string;
  readonly rest?: "restXml" | "restJson";
}

export const SERVICES: Readonly<Record<string, Traits>> = {
  apigateway: { signing: "apigateway", rest: "restJson" },
  apigatewayv2: { signing: "apigateway", rest: "restJson" },
  cloudwatch: { signing: "monitoring", target: "GraniteServiceVersion20100801", version: "2010-08-01" },
  dynamodb: { signing: "dynamodb", target: "DynamoDB_20120810" },
  dynamodbstreams: { signing: "dynamodb", target: "DynamoDBStreams_20120810" },
  events: { signing: "events", target: "AWSEvents" },
  iam: { signing: "iam", version: "2010-05-08" },
  lambda: { signing: "lambda", rest: "restJson" },
  logs: { signing: "logs", target: "Logs_20140328" },
  organizations: { signing: "organizations", target: "AWSOrganizationsV20161128" },
  pipes: { signing: "pipes", rest: "restJson" },
  s3: { signing: "s3", rest: "restXml" },
  scheduler: { signing: "scheduler", rest: "restJson" },
  sns: { signing: "sns", version: "2010-03-31" },
  sqs: { signing: "sqs", target: "AmazonSQS", version: "2012-11-05" },
  ssm: { signing: "ssm", target: "AmazonSSM" },
  sts: { signing: "sts", version: "2011-06-15" },
};

/** Names that parts of a service sign with. */
const ALIASES: ReadonlyMap<string, string> = new Map([
  ["s3express", "s3"],
  ["s3-object-lambda", "s3"],
]);
const HOSTS = ["localhost", "localhost.localstack.cloud"];
const names = Object.keys(SERVICES);

/** A request whose parameters stand in its body: the door reads them before it asks `find`. */
export function isForm(request: HttpRequest): boolean {
  const type = request.headers["content-type"] ?? "";
  // curl says so of any POST: query services are at the root, or at a queue's URL, and what is S3's is a document.
  return (
    request.method === "POST" &&
    type.startsWith("application/x-www-form-urlencoded") &&
    (request.path === "/" || QUEUE_URL.test(request.path)) &&
    scopeOf(request) !== "s3"
  );
}

/** Undefined: none of `models`. Then `spoken` says in which protocol to answer. */
export function find(
  request: HttpRequest,
  models: ReadonlyMap<string, () => Model>,
  options: FindOptions = {},
): Found | undefined {
  const parameters = parametersOf(request, options.form);
  const service = serviceOf(request, parameters);
  if (service === undefined || !models.has(service)) return undefined;
  return {
    service,
    protocol: protocolOf(SERVICES[service]!, spoken(request, options.form)),
    request: service === "s3" ? pathStyle(request, options.hosts ?? HOSTS) : request,
  };
}

/** Who sends neither target nor Action is told so in the service's own protocol. */
function protocolOf(service: Traits, asked: Protocol): Protocol {
  if (service.rest) return service.rest;
  if (asked !== "restXml" && asked !== "restJson") return asked;
  return service.target ? "awsJson1_0" : "query";
}

/** The protocol by the request alone. */
export function spoken(request: HttpRequest, form?: URLSearchParams): Protocol {
  const type = request.headers["content-type"] ?? "";
  if (request.headers["smithy-protocol"] === "rpc-v2-cbor" || RPC.test(request.path)) return "rpcv2Cbor";
  if (request.headers["x-amz-target"] !== undefined) return type.endsWith("1.1") ? "awsJson1_1" : "awsJson1_0";
  if (parametersOf(request, form).has("Action")) return "query";
  const scope = scopeOf(request);
  const rest = names.find((name) => SERVICES[name]!.signing === scope && SERVICES[name]!.rest);
  if (rest) return SERVICES[rest]!.rest!;
  return type.startsWith("application/json") || LAMBDA.test(request.path) ? "restJson" : "restXml";
}

/** What an unknown service's errors are written with. */
export const noService: Model = {
  service: "",
  serviceId: "",
  apiVersion: "",
  signingName: "",
  protocols: ["restXml"],
  operations: {},
  shapes: {},
};

const RPC = /^\/service\/([^/]+)\/operation\/[^/]+$/;
const QUEUE_URL = /^\/\d{12}\/[^/]+\/?$/;
const LAMBDA =
  /^\/20\d\d-\d\d-\d\d\/(functions|layers|event-source-mappings|tags|account-settings|code-signing-configs|capacity-providers|durable-executions)(\/|$)/;
const SCHEDULER = /^\/(schedules|schedule-groups)(\/|$)/;
const S3_CONTROL = /^\/v20180820\//;
/** bucket.s3.localhost, bucket.s3.eu-west-1.amazonaws.com, bucket.s3-eu-west-1..., s3.dualstack..., bucket.s3express-use1-az4.us-east-1...; not s3-website. */
const S3_HOST =
  /^(?:(.+)\.)?s3(?:express-(?:control|[a-z0-9]+(?:-[a-z0-9]+)*-az\d+)|(?:\.dualstack)?(?:[.-][a-z]{2}(?:-[a-z]+)+-\d)?)\./;
/** SNS's notifications carry these as links, which name neither version nor host. */
const LINKS = ["ConfirmSubscription", "Unsubscribe"];
const QUEUE_HOST = /^(?:sqs\.|(?:[a-z0-9-]+\.)?queue\.)/;

const NONE: Pick<URLSearchParams, "get" | "has"> = new URLSearchParams();

function parametersOf(request: HttpRequest, form: URLSearchParams | undefined): typeof NONE {
  if (form?.has("Action")) return form;
  return request.query.includes("Action=") ? new URLSearchParams(request.query) : NONE;
}

function serviceOf(request: HttpRequest, parameters: typeof NONE): string | undefined {
  const host = hostOf(request);
  const cbor = RPC.exec(request.path);
  if (cbor) return names.find((name) => SERVICES[name]!.target === cbor[1]);
  if (S3_HOST.test(host)) return "s3";
  const target = request.headers["x-amz-target"];
  if (target !== undefined) return names.find((name) => SERVICES[name]!.target === target.split(".")[0]);
  const scope = scopeOf(request);
  if (parameters.has("Action")) {
    const version = parameters.get("Version");
    const named = names.find((name) => SERVICES[name]!.version !== undefined && SERVICES[name]!.version === version);
    if (named) return named;
    if (scope === undefined && (QUEUE_URL.test(request.path) || QUEUE_HOST.test(host))) return "sqs";
    if (scope === undefined && request.path === "/" && LINKS.includes(parameters.get("Action") ?? "")) return "sns";
  }
  return scope === undefined ? unsigned(request, host) : signed(request, scope);
}

function signed(request: HttpRequest, scope: string): string | undefined {
  if (scope === "apigateway") return /^\/v2(\/|$)/.test(request.path) ? "apigatewayv2" : "apigateway";
  if (scope === "s3" && S3_CONTROL.test(request.path)) return undefined;
  return names.find((name) => SERVICES[name]!.signing === scope);
}

function unsigned({ path, headers }: HttpRequest, host: string): string | undefined {
  // A form for a bucket is signed within.
  if (/^multipart\/form-data\b/i.test(headers["content-type"] ?? "")) return "s3";
  if (LAMBDA.test(path)) return "lambda";
  if (SCHEDULER.test(path)) return "scheduler";
  if (S3_CONTROL.test(path)) return undefined;
  const label = host.split(".")[0];
  return names.find((name) => SERVICES[name]!.signing === label && host !== label) ?? "s3";
}

function hostOf(request: HttpRequest): string {
  return (request.headers.host ?? "").toLowerCase().replace(/:\d*$/, "");
}

/** The service in the credential's scope: of the header, of a presigned URL, or S3's of old (`AWS key:signature`). */
function scopeOf(request: HttpRequest): string | undefined {
  const header = request.headers.authorization ?? "";
  if (/^AWS [^ ]+:/.test(header)) return "s3";
  const credential =
    /^AWS4-[\w-]+ .*?Credential=([^,\s]+)/.exec(header)?.[1] ??
    (/(?:^|&)X-Amz-Credential=/i.test(request.query)
      ? (new URLSearchParams(request.query).get("X-Amz-Credential") ?? "")
      : undefined);
  if (credential === undefined) return /(?:^|&)AWSAccessKeyId=/.test(request.query) ? "s3" : undefined;
  // KEY/date/region/service/aws4_request; the asymmetric form has no region.
  const named = credential.split("/").at(-2);
  return named && (ALIASES.get(named) ?? named);
}

/** A bucket that the host names is put before the path. */
function pathStyle(request: HttpRequest, hosts: readonly string[]): HttpRequest {
  const host = hostOf(request);
  const bucket = S3_HOST.exec(host)?.[1] ?? underOwnName(host, hosts);
  if (bucket !== undefined) return { ...request, path: `/${bucket}${request.path}` };
  const doubled = TWO_SLASHES.exec(request.path);
  return doubled ? { ...request, path: `/${doubled[1]}/${doubled[2]}` } : request;
}

/** The SDK for JavaScript puts two slashes behind a directory bucket where its endpoint is an address: AWS has no such paths. */
const TWO_SLASHES = /^\/([^/]+--x-s3)\/\/(.*)$/s;

function underOwnName(host: string, hosts: readonly string[]): string | undefined {
  const base = hosts.filter((own) => host.endsWith(`.${own}`)).sort((a, b) => b.length - a.length)[0];
  const bucket = base && host.slice(0, -base.length - 1);
  return bucket === "s3" || bucket === "" || bucket?.startsWith("s3.") ? undefined : bucket;
}
