// What a request says of the object that it makes, what of it is kept, and what is refused because it would have no effect.
import { DEFAULT_CONTENT_TYPE } from "./content-types.ts";
import { defaultClass, isDirectoryBucket } from "./directory-names.ts";
import { errors } from "./errors.ts";
import { MAX_KEY } from "./keys.ts";
import { metadataFrom, metadataTo } from "./metadata.ts";
import { headerOf } from "./request.ts";
import type { ContentHeaders } from "./tables.ts";

export interface ObjectHeaders {
  readonly Bucket?: string | undefined;
  readonly Key?: string | undefined;
  readonly CacheControl?: string | undefined;
  readonly ContentDisposition?: string | undefined;
  readonly ContentEncoding?: string | undefined;
  readonly ContentLanguage?: string | undefined;
  readonly ContentType?: string | undefined;
  readonly Expires?: Date | undefined;
  readonly Metadata?: Record<string, string> | undefined;
  readonly StorageClass?: string | undefined;
  readonly WebsiteRedirectLocation?: string | undefined;
}

// Everything here changes what AWS does, and would change nothing here.
const REFUSED = [
  "WriteOffsetBytes",
  "ObjectLockEventHold",
  "ObjectLockEventHoldDurationDays",
  "ObjectLockEventHoldDurationYears",
  "AnnotationDirective",
] as const;

const STORAGE_CLASSES = [
  "STANDARD",
  "REDUCED_REDUNDANCY",
  "STANDARD_IA",
  "ONEZONE_IA",
  "INTELLIGENT_TIERING",
  "GLACIER",
  "GLACIER_IR",
  "DEEP_ARCHIVE",
];

const MAX_METADATA = 2048;

export function refuseWithoutEffect(input: ObjectHeaders): void {
  for (const name of REFUSED)
    if ((input as Record<string, unknown>)[name] !== undefined) throw errors.notImplemented(name);
}

/** Refuses what S3 refuses of a key and its storage class. */
export function checkObject(input: ObjectHeaders): void {
  refuseWithoutEffect(input);
  if (Buffer.byteLength(input.Key!) > MAX_KEY) throw errors.keyTooLong(input.Key!);
  const classes = isDirectoryBucket(input.Bucket) ? [defaultClass(input.Bucket)] : STORAGE_CLASSES;
  if (input.StorageClass !== undefined && !classes.includes(input.StorageClass))
    throw errors.invalidStorageClass(input.StorageClass);
  if (input.WebsiteRedirectLocation !== undefined && !/^(https?:\/\/|\/)/.test(input.WebsiteRedirectLocation))
    throw errors.invalidRedirect();
}

/** The columns `headers`, `metadata` and `storage_class`. */
export function kept(input: ObjectHeaders): { headers: string; metadata: string | null; storage_class: string } {
  const encodings = input.ContentEncoding?.split(",").map((one) => one.trim());
  const headers: ContentHeaders = {
    ...text("CacheControl", input.CacheControl),
    ...text("ContentDisposition", input.ContentDisposition),
    // aws-chunked is how the body travelled, not what it is.
    ...text("ContentEncoding", encodings?.filter((one) => one !== "aws-chunked").join(",")),
    ...text("ContentLanguage", input.ContentLanguage),
    ContentType: input.ContentType || DEFAULT_CONTENT_TYPE,
    ...text("ExpiresString", headerOf(input, "expires") ?? input.Expires?.toUTCString()),
    ...text("WebsiteRedirectLocation", input.WebsiteRedirectLocation),
  };
  return {
    headers: JSON.stringify(headers),
    metadata: metadataOf(input.Metadata),
    storage_class: input.StorageClass ?? defaultClass(input.Bucket),
  };
}

const text = (name: keyof ContentHeaders, value: string | undefined): ContentHeaders =>
  value ? { [name]: value } : {};

function metadataOf(metadata: Record<string, string> | undefined): string | null {
  const entries = Object.entries(metadata ?? {}).map(
    ([name, value]) => [name.toLowerCase(), metadataFrom(value)] as const,
  );
  const size = entries.reduce((sum, [name, value]) => sum + Buffer.byteLength(name) + Buffer.byteLength(value), 0);
  if (size > MAX_METADATA) throw errors.metadataTooLarge(size);
  return entries.length > 0 ? JSON.stringify(Object.fromEntries(entries)) : null;
}

/** Content headers of a row, as members of an answer. */
export function contentHeaders(json: string | null): ContentHeaders & { Expires?: Date } {
  const headers = json === null ? {} : (JSON.parse(json) as ContentHeaders);
  if (headers.ExpiresString === undefined) return headers;
  const date = new Date(headers.ExpiresString);
  return Number.isNaN(date.getTime()) ? headers : { ...headers, Expires: date };
}

/** User metadata of a row, as headers. */
export const metadataHeaders = (json: string | null): Record<string, string> =>
  json === null
    ? {}
    : Object.fromEntries(
        Object.entries(JSON.parse(json) as Record<string, string>).map(([name, value]) => [name, metadataTo(value)]),
      );
