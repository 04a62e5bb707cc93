// What a handler needs of the HTTP request besides the modelled input: it travels with the input under a symbol of ours. Absent in internal calls.
import type { HttpRequest } from "../../kernel/mod.ts";
import { errors } from "./errors.ts";

const request = Symbol("request");
const wholeBody = Symbol("whole body");

export const withRequest = <T extends object>(input: T, of: HttpRequest, body: Uint8Array | undefined): T => ({
  ...input,
  [request]: of,
  [wholeBody]: body,
});

export const requestOf = (input: object): HttpRequest | undefined => (input as { [request]?: HttpRequest })[request];

/** The bytes of a body that did not stream. */
export const wholeBodyOf = (input: object): Uint8Array | undefined =>
  (input as { [wholeBody]?: Uint8Array })[wholeBody];

const acceptedMark = Symbol("accepted");

/** An answer that is a 202: what was asked will be done. */
export const accepted = <T extends object>(output: T): T => ({ ...output, [acceptedMark]: true });

export const isAccepted = (output: object | undefined): boolean => output !== undefined && acceptedMark in output;

/** The peer's address: `sourceIPAddress` of an event. */
export const originOf = (input: object): { address: string } => ({ address: requestOf(input)?.from ?? "127.0.0.1" });

/** A header as it was sent, in latin-1. */
export const headerOf = (input: object, name: string): string | undefined => requestOf(input)?.headers[name];

/** A trailer of an aws-chunked body: known when the body has been read. */
export const trailerOf = (input: object, name: string): string | undefined => requestOf(input)?.trailers?.[name];

/** Whether it is the file of a form that a browser posted. */
export const isPosted = (input: object): boolean => requestOf(input)?.form !== undefined;

/** The length that the body will have when its framing is taken off. Undefined in internal calls and of a form's file. Throws MissingContentLength. */
export function bodyLengthOf(input: { ContentLength?: number | undefined }): number | undefined {
  const length = saidLength(input);
  if (length === undefined && requestOf(input) && !isPosted(input)) throw errors.missingContentLength();
  return length;
}

function saidLength(input: { ContentLength?: number | undefined }): number | undefined {
  const decoded = headerOf(input, "x-amz-decoded-content-length");
  if (decoded !== undefined && /^\d+$/.test(decoded)) return Number(decoded);
  return headerOf(input, "content-encoding")?.includes("aws-chunked") ? undefined : input.ContentLength;
}
