// The types of a published model: what `tools/model.ts` writes into services/<name>/model.json and what wire and validate read.
// A shape is named once; members refer to it by name. Nothing here knows a service.

export type Protocol = "restXml" | "restJson" | "awsJson1_0" | "awsJson1_1" | "query" | "rpcv2Cbor";

export interface Model {
  /** Our name of the service = the name of its folder: `s3`, `events`. */
  readonly service: string;
  readonly serviceId: string;
  /** `2006-03-01`: also the Version of the query protocol and part of Lambda's paths. */
  readonly apiVersion: string;
  /** The service's name in a SigV4 scope: `s3`, `monitoring`. */
  readonly signingName: string;
  /** What SDKs send first, then what else is accepted. */
  readonly protocols: readonly Protocol[];
  /** X-Amz-Target's part before the dot, and the service's name in an rpcv2Cbor path. */
  readonly target?: string;
  readonly xmlNamespace?: string;
  /** The service answers old query error codes in x-amzn-query-error. */
  readonly queryCompatible?: true;
  /** awsJson: what stands before a modelled error's name in `__type`; then errors of Coral's own have its prefix too. */
  readonly errorPrefix?: string;
  /** A wrong type "cannot be converted to String", where others say "can not be converted to a String". */
  readonly terse?: true;
  readonly operations: Readonly<Record<string, Operation>>;
  readonly shapes: Readonly<Record<string, Shape>>;
}

export interface Operation {
  readonly name: string;
  /** Names of structures; the empty structure where the operation has none. */
  readonly input: string;
  readonly output: string;
  readonly errors: readonly string[];
  /** REST protocols only. `uri` is the model's template: `/{Bucket}/{Key+}?tagging`. */
  readonly http?: { readonly method: string; readonly uri: string; readonly status: number };
  /** `data-`, `stream-`: what an SDK puts before a custom endpoint's host. */
  readonly hostPrefix?: string;
}

export type Shape = Structure | Union | List | MapShape | Simple;

export interface Structure extends Traits {
  readonly type: "structure";
  readonly members: Readonly<Record<string, Member>>;
  readonly required?: readonly string[];
  /** An error: its HTTP status, whose fault, and the code where it differs from the shape's name. */
  readonly error?: { readonly status: number; readonly fault: "client" | "server"; readonly code?: string };
}
/** Exactly one member is set. An event stream is a union with `eventStream`. */
export interface Union extends Traits {
  readonly type: "union";
  readonly members: Readonly<Record<string, Member>>;
  readonly eventStream?: true;
}
export interface List extends Traits, Constraints {
  readonly type: "list";
  readonly member: Member;
}
export interface MapShape extends Traits, Constraints {
  readonly type: "map";
  readonly key: Member;
  readonly value: Member;
}
export interface Simple extends Traits, Constraints {
  readonly type: "string" | "boolean" | "integer" | "long" | "float" | "double" | "timestamp" | "blob" | "document";
  /** A blob whose bytes are not held in memory: the request's or the answer's body. */
  readonly streaming?: true;
  readonly timestampFormat?: "date-time" | "http-date" | "epoch-seconds";
  readonly enum?: readonly string[];
  readonly pattern?: string;
}

/** Length of strings, blobs (bytes), lists and maps; range of numbers. */
export interface Constraints {
  readonly min?: number;
  readonly max?: number;
}

/** A member's own traits win over those of the shape that it refers to. */
export interface Member extends Traits {
  readonly shape: string;
}

export interface Traits {
  /** Where the member travels in a REST message; in the body where absent. */
  readonly location?: "label" | "query" | "queryParams" | "header" | "prefixHeaders" | "payload" | "statusCode";
  /** Name in that location: the header's, the query parameter's, the prefix. */
  readonly locationName?: string;
  readonly timestampFormat?: "date-time" | "http-date" | "epoch-seconds";
  readonly xmlName?: string;
  readonly xmlFlattened?: true;
  readonly xmlAttribute?: true;
  readonly xmlNamespace?: { readonly prefix?: string; readonly uri: string };
  readonly jsonName?: string;
  readonly sensitive?: true;
  readonly idempotencyToken?: true;
  /** Event streams: where a member of an event travels. */
  readonly event?: "header" | "payload";
  /** Also put into the host by SDKs (WriteGetObjectResponse's route). */
  readonly hostLabel?: true;
}
