// The types of handlers, drawn from the SDK's own: an operation that AWS does not have, or a wrong output, does not compile.
// Clients are devDependencies; only their types are used, nothing of them is loaded.
import type { Readable } from "node:stream";

export interface Clients {
  apigateway: typeof import("@aws-sdk/client-api-gateway");
  apigatewayv2: typeof import("@aws-sdk/client-apigatewayv2");
  cloudwatch: typeof import("@aws-sdk/client-cloudwatch");
  dynamodb: typeof import("@aws-sdk/client-dynamodb");
  dynamodbstreams: typeof import("@aws-sdk/client-dynamodb-streams");
  events: typeof import("@aws-sdk/client-eventbridge");
  iam: typeof import("@aws-sdk/client-iam");
  lambda: typeof import("@aws-sdk/client-lambda");
  logs: typeof import("@aws-sdk/client-cloudwatch-logs");
  organizations: typeof import("@aws-sdk/client-organizations");
  pipes: typeof import("@aws-sdk/client-pipes");
  s3: typeof import("@aws-sdk/client-s3");
  scheduler: typeof import("@aws-sdk/client-scheduler");
  sns: typeof import("@aws-sdk/client-sns");
  sqs: typeof import("@aws-sdk/client-sqs");
  ssm: typeof import("@aws-sdk/client-ssm");
  sts: typeof import("@aws-sdk/client-sts");
}

export type ServiceName = keyof Clients;

export type OperationName<S extends ServiceName> = {
  [K in keyof Clients[S] & string]: K extends `$${string}` ? never : K extends `${infer Op}Command` ? Op : never;
}[keyof Clients[S] & string];

type CommandOf<S extends ServiceName, Op extends string> = `${Op}Command` extends keyof Clients[S]
  ? Clients[S][`${Op}Command`] extends abstract new (
      // biome-ignore lint/suspicious/noExplicitAny: a constructor is matched by its instance
      ...args: any
    ) => infer C
    ? C
    : never
  : never;

/** What a handler is given: timestamps are Date, blobs Uint8Array, a streamed body a Readable. */
export type Input<S extends ServiceName, Op extends OperationName<S>> =
  CommandOf<S, Op> extends { readonly input: infer I } ? Plain<I> : never;

/** What a handler answers. A streamed body may be bytes, or a Readable that is read once. */
export type Output<S extends ServiceName, Op extends OperationName<S>> =
  CommandOf<S, Op> extends {
    // biome-ignore lint/suspicious/noExplicitAny: the output is matched where the middleware returns it
    resolveMiddleware(...args: any): (...args: any) => Promise<{ output: infer O }>;
  }
    ? Plain<O>
    : never;

type Plain<T> = { [K in keyof T as K extends "$metadata" ? never : K]: PlainMember<T[K]> };
type PlainMember<T> = PlainValue<Exclude<T, undefined>> | Extract<T, undefined>;
// An ArrayBuffer is accepted for a blob in memory, but not for a streamed one: that tells them apart.
type PlainValue<T> = [T] extends [{ transformToByteArray(): unknown }]
  ? Readable | Uint8Array
  : Uint8Array extends T
    ? ArrayBuffer extends T
      ? Uint8Array
      : Readable extends T
        ? Readable
        : Uint8Array
    : [T] extends [Uint8Array]
      ? Uint8Array
      : T;
