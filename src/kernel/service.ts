// What a service is: a published model, a record of operations, and the access each demands. Everything else is written once.
import type { HttpAnswer, HttpRequest } from "../model/http.ts";
import type { Model, Protocol } from "../model/model.ts";
import type { Migration, Tx } from "../store/store.ts";
import type { Context, Principal, Provider, Work } from "./context.ts";
import type { AwsError } from "./error.ts";
import type { Arn } from "./names.ts";
import type { Input, OperationName, Output, ServiceName } from "./types.ts";

/** What a caller must be allowed to do. `action` is `s3:PutObject`. */
export interface Access {
  readonly action: string;
  readonly resource: Arn;
  /**
   * The service's own condition keys, `aws:RequestTag/...` and `aws:TagKeys` among them. A function is called only where a policy that is asked
   * wants one of them, and is given all that are wanted, in lower case: for what costs something to know.
   */
  readonly conditions?: Conditions | ((wanted: ReadonlySet<string>) => Conditions | Promise<Conditions>);
  /** Of whom it is demanded, where that is not who signed: the holder of an identity provider's token. */
  readonly of?: Provider;
}

export type Conditions = Readonly<Record<string, string | readonly string[]>>;

/** Of a resource, or of a request. */
export type Tags = Readonly<Record<string, string>>;

/** `[]`: whoever is authenticated may. `"public"`: no signature is needed either. */
export type Demand = Access | readonly Access[] | "public";

/** One operation. `access` looks at the input only as far as it must: it is not yet known to be sound beyond the model. */
export interface Handler<S extends ServiceName, Op extends OperationName<S>> {
  access(ctx: Context, input: Input<S, Op>): Demand | Promise<Demand>;
  handle(ctx: Context, input: Input<S, Op>): Promise<Output<S, Op>>;
}

export type Operations<S extends ServiceName> = { readonly [Op in OperationName<S>]?: Handler<S, Op> };

/** The operations of one noun. It only gives the literal its type: an operation AWS has not, or one without access, does not compile. */
export const defineOperations = <S extends ServiceName>(_service: S, operations: Operations<S>): Operations<S> =>
  operations;

export interface Service<S extends ServiceName = ServiceName> {
  readonly name: S;
  /** Reads model.json at first use: `loadModel(import.meta.url)`. */
  readonly model: () => Model;
  readonly migrations?: readonly Migration[];
  readonly operations: Operations<S>;
  readonly quirks?: Quirks;
  readonly sites?: readonly Site[];
  /** The policy attached to one of this service's resources, as JSON text, as far as it binds who asks for `access`. */
  resourcePolicy?(ctx: Context, resource: Arn, access: Access): string | undefined | Promise<string | undefined>;
  /** The account that owns a resource whose ARN does not say it: S3's buckets and objects. Undefined: there is no such resource. */
  resourceOwner?(ctx: Context, resource: Arn, access: Access): string | undefined | Promise<string | undefined>;
  /** What the resource gives besides its policy, as policies: S3's ACLs. Asked where no policy allows and none denies. */
  grants?(ctx: Context, access: Access): readonly NamedPolicy[] | Promise<readonly NamedPolicy[]>;
  /** Tags of a resource: aws:ResourceTag/KEY. Asked only where a policy wants one. Undefined: there is no such resource. */
  resourceTags?(ctx: Context, resource: Arn): Tags | undefined | Promise<Tags | undefined>;
  /** iam, sts, organizations, s3 (its directory buckets' sessions): who an access key is, what a principal may do, what an account may do at most. */
  readonly identity?: Identity;
  /** Brings something to one of my ARNs. A throw means: again, as the work's `retry` says. */
  deliver?(ctx: Context, work: Work): Promise<void>;
  /** The last delivery failed: what becomes of it, in the transaction that forgets it. */
  giveUp?(ctx: Context, tx: Tx, work: Work, error: unknown): Promise<void>;
  /** For who invokes one of my resources without an operation. */
  readonly answering?: Answering;
  /** For who polls one of my resources. */
  watch?(ctx: Context, resource: Arn): Promise<Watch>;
  /** A request over HTTP was answered: for access logs. It neither waits nor throws. */
  answered?(ctx: Context, of: Answered): void;
  /** Directories of the workspace, relative to it, that the user gave to this service: a snapshot has them too. */
  directories?(ctx: Context): Promise<readonly string[]>;
  /** Compares what the store says with what is really there: `aws-like fsck`. Also asked of a cloud whose services were not started. */
  check?(ctx: Context, options: CheckOptions): AsyncIterable<Checked>;
  /** Watchers and pools. Stopped in reverse order. */
  start?(ctx: Context): Promise<Running>;
}

/** What services ask of a resource though AWS has no operation for it: to invoke an API destination. */
export interface Answering {
  /** What whoever asks must be allowed to do: decided first, as an operation's is. */
  access(resource: Arn): Access;
  /** Input and answer are this service's own. Throws what an operation would. */
  answer(ctx: Context, resource: Arn, input: unknown): Promise<unknown>;
}

/** Begun before somebody looks whether there is something; ended when it is no longer waited for. */
export interface Watch extends Disposable {
  /** Resolves when there may be something new. */
  readonly changed: Promise<void>;
  /** When something is to be had by the clock alone (a hidden message that shows again). ms since the epoch, later than now. */
  nextDue(): Promise<number | undefined>;
}

export interface CheckOptions {
  /** Mends what can be mended. */
  readonly repair: boolean;
  /** Requests are answered meanwhile: what is young may be under way. */
  readonly running: boolean;
}

/** What was looked at since the last one, or what is wrong. */
export type Checked =
  | { readonly objects: number; readonly bytes: number }
  | {
      /** What it is about: `s3://bucket/key`. */
      readonly subject: string;
      readonly problem: string;
      /** What a repair does, or did; absent where nothing can be done. */
      readonly remedy?: string;
      readonly repaired: boolean;
    };

/** A request as it came, and what became of it. */
export interface Answered {
  readonly request: HttpRequest;
  readonly operation: string;
  /** What stood in the path, not yet decoded. */
  readonly labels: Readonly<Record<string, string>>;
  readonly answer: HttpAnswer;
  /** Of the error that it was answered with. */
  readonly code: string | undefined;
  readonly tookMs: number;
}

export interface Running extends AsyncDisposable {
  /** Resolves when all that has been seen so far is in the store (a watcher's files, a pool's invocations). */
  settled?(): Promise<void>;
  /** When something is to happen here by the clock that is no Work. ms since the epoch. */
  nextDue?(): number | undefined;
}

// The register holds services of every name; an operation is looked up by the name that the wire found.
// biome-ignore lint/suspicious/noExplicitAny: see above
export type AnyService = Omit<Service<any>, "operations"> & {
  readonly operations: Readonly<Record<string, Handler<never, never> | undefined>>;
};

export const defineService = <S extends ServiceName>(service: Service<S>): AnyService =>
  service as unknown as AnyService;

/** What the wire found: the operation, and what stood in the path and the query. */
export interface Route {
  readonly operation: string;
  readonly protocol: Protocol;
  readonly labels: Readonly<Record<string, string>>;
  readonly query?: URLSearchParams;
  readonly form?: URLSearchParams;
}

/** Where AWS departs from its own model. Each wraps what the wire did. */
export interface Quirks {
  /** Request ids of another form than a UUID. */
  requestId?(): string;
  /** Answers OPTIONS: a browser asks, without a signature, whether a page of another origin may. */
  preflight?(ctx: Context, request: HttpRequest): Promise<HttpAnswer>;
  /** What every answer to a browser's page has besides, refusals too. Asked where the request names its origin. */
  dress?(ctx: Context, request: HttpRequest, answer: HttpAnswer): HttpAnswer | Promise<HttpAnswer>;
  /** The operation that a request means, where the model's own routing is not enough. */
  route?(request: HttpRequest, modelled: () => Route | undefined): Route | undefined;
  /** A form that was posted to a bucket, as the request that it means. Its signature is verified afterwards. */
  form?(request: HttpRequest): HttpRequest;
  /** `body`: the bytes, where the operation takes them whole. */
  // biome-ignore lint/suspicious/noExplicitAny: any operation's input
  input?(operation: string, input: any, request: HttpRequest, body: Uint8Array | undefined): unknown;
  // biome-ignore lint/suspicious/noExplicitAny: any operation's output
  output?(operation: string, output: any, answer: HttpAnswer, request: HttpRequest): HttpAnswer;
  error?(operation: string | undefined, error: AwsError, answer: HttpAnswer, request: HttpRequest): HttpAnswer;
  /**
   * The error for input that breaks the model's constraints; `violations` are AWS's sentences, one each. null: none, the handler judges by itself,
   * after the caller was authorized.
   */
  invalid?(operation: string, violations: readonly string[]): AwsError | null | undefined;
}

/** Plain HTTP that is no AWS operation: execute-api, function URLs, websites. */
export interface Site {
  /** What its requests are called in the journal, each of which is told there. */
  readonly name?: string;
  matches(request: HttpRequest): boolean;
  /** `ctx` is nobody's, and is of the cloud's own account and region. */
  handle(ctx: Context, request: HttpRequest, gate: Gate): Promise<HttpAnswer>;
}

/** For a site that IAM guards: steps 2 and 5 of an operation. */
export interface Gate {
  /** The request's body. Throws RequestEntityTooLarge (413) beyond `limit` bytes. */
  read(limit: number): Promise<Uint8Array>;
  /** Who signed the request for this service; anonymous where nobody did. `body`: its bytes. Throws what AWS says of a claim that is wrong. */
  enter(body: Uint8Array): Promise<{ readonly ctx: Context; readonly accessKeyId?: string }>;
  /** Throws AccessDenied unless each is allowed to `ctx.principal`. A resource's policy may allow them to who signed nothing. */
  authorize(ctx: Context, demand: readonly Access[]): Promise<void>;
}

export interface Identity {
  /** undefined: not a key of mine. "badToken": mine, but not with this token. */
  credential?(
    ctx: Context,
    of: {
      readonly accessKeyId: string;
      readonly sessionToken?: string | undefined;
      /** It came as the token of a directory bucket's session. */
      readonly express?: true | undefined;
    },
  ): Credential | "badToken" | undefined | Promise<Credential | "badToken" | undefined>;
  /** Of a user, a role session or a federated user; undefined where the principal is not this service's. The same object as long as nothing changed. */
  policies?(ctx: Context, principal: Principal): Held | Promise<Held> | undefined;
  /** Service control policies over an account, a list for each level; undefined: none. The same object as long as nothing changed. */
  controls?(ctx: Context, account: string): Controls | Promise<Controls | undefined> | undefined;
  /** The organization that an account belongs to: aws:PrincipalOrgID, aws:ResourceOrgPaths and their like. Asked only where a policy wants one. */
  organization?(ctx: Context, account: string): Organization | Promise<Organization | undefined> | undefined;
  /** Whether `code` is what the device shows now, and is the caller's: a code is good once. undefined: no caller of mine. */
  mfa?(ctx: Context, of: { readonly serialNumber: string; readonly code: string }): Promise<boolean> | undefined;
  /** An authenticated request: for "last used". Awaited before the request is handled, so it writes seldom. */
  used?(ctx: Context, use: Use): void | Promise<void>;
}

/** What a principal holds. */
export interface Held {
  /** Inline, attached, and of its groups. */
  readonly policies: readonly NamedPolicy[];
  readonly boundary?: NamedPolicy | undefined;
  /** The user or role was deleted: no resource's policy means those who still act as it. */
  readonly gone?: true;
  /** A user's: aws:PrincipalTag/KEY. A session brings its own. */
  readonly tags?: Readonly<Record<string, string>> | undefined;
}

export type Controls = readonly (readonly NamedPolicy[])[];

export interface Organization {
  /** o-... */
  readonly id: string;
  /** `o-.../r-.../ou-.../`: of an account there is one. */
  readonly paths: readonly string[];
}

export interface Use {
  readonly accessKeyId: string;
  readonly principal: Principal;
  /** The signing name: `s3`. */
  readonly service: string;
  readonly region: string;
}

export interface Credential {
  readonly secretAccessKey: string;
  /** Temporary credentials: their token was demanded, and is theirs. A key without must be sent without. */
  readonly temporary?: true;
  readonly principal: Principal;
  /** ms since the epoch, on the clock. */
  readonly expires?: number;
}

export interface NamedPolicy {
  /** For the trace: the policy's name or ARN. */
  readonly name: string;
  readonly document: string;
}
