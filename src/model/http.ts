// An HTTP message as the door hands it on and takes it back: raw where S3 needs it raw, lower-case names throughout.
import type { Readable } from "node:stream";

export interface HttpRequest {
  readonly method: string;
  /** As on the wire: not decoded, without the query. */
  readonly path: string;
  /** As on the wire, without `?`. */
  readonly query: string;
  /** Names in lower case; several headers of one name joined by `,` (as they are signed, and as S3 keeps metadata); values as latin-1. */
  readonly headers: Readonly<Record<string, string>>;
  /** The bytes of the entity: aws-chunked framing is already removed and checked. */
  readonly body: Readable;
  /** Of an aws-chunked body, by lower-case name: complete when the body has ended. */
  readonly trailers?: Readonly<Record<string, string>>;
  /** Of a form that was posted to a bucket: then the body is its file. */
  readonly form?: PostedForm;
  /** The peer's address. */
  readonly from: string;
}

/** What came before the file. */
export interface PostedForm {
  /** By lower-case name; text. */
  readonly fields: ReadonlyMap<string, string>;
  /** Without a path; undefined where the file was posted without a name. */
  readonly fileName?: string;
}

export interface HttpAnswer {
  readonly status: number;
  readonly headers: Record<string, string>;
  /** A Set-Cookie header each. */
  readonly cookies?: readonly string[];
  readonly body?: Uint8Array | string | Readable;
}
