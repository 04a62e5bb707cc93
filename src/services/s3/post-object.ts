// A form that a browser posts to a bucket is a PutObject: its fields are the headers, its file is the body, and the answer is one for browsers.
// https://docs.aws.amazon.com/AmazonS3/latest/API/RESTObjectPOST.html
import { Readable } from "node:stream";
import { AwsError, type HttpAnswer, type HttpRequest, type PostedForm } from "../../kernel/mod.ts";
import { errors } from "./errors.ts";
import { checkPolicy, type Range } from "./post-policy.ts";
import { tagsFromXml } from "./post-tagging.ts";

/** Headers of the post that decisions and logs are made with. */
const KEPT = ["host", "user-agent", "referer", "origin"];
/** Fields that are headers of PutObject under another name or none. */
const PLAIN = new Map(
  "cache-control content-disposition content-encoding content-language content-md5 content-type expires"
    .split(" ")
    .map((name) => [name, name] as const)
    .concat([["acl", "x-amz-acl"]]),
);
/** What a form may say of its object, and no more: a field `x-amz-copy-source` makes no copy. */
const OF_THE_OBJECT =
  /^x-amz-(meta-.+|acl|grant-.+|storage-class|tagging|website-redirect-location|server-side-encryption.*|checksum-.+|sdk-checksum-algorithm|object-lock-.+|expected-bucket-owner)$/;
/** A field holds what no header can: that could never be told again. Of metadata the rest is encoded. */
const CONTROL = /[^\P{Cc}\t]/u;
const LINE_END = /[\r\n]/;

/** The PutObject that the form means, with its fields after `${filename}` was replaced. */
export function requestOfForm(request: HttpRequest): HttpRequest {
  const form = expanded(request.form!);
  const key = form.fields.get("key");
  if (key === undefined)
    throw errors.invalidArgument(
      "Bucket POST must contain a field named 'key'.  If it is specified, please check the order of the fields.",
      "key",
      "",
    );
  if (key === "") throw errors.invalidArgument("User key must have a length greater than 0.", "key", "");
  const bucket = request.path.replace(/\/$/, "");
  return {
    ...request,
    method: "PUT",
    path: `${bucket}/${encodeURIComponent(key)}`,
    headers: headersOf(request, form),
    form,
  };
}

/** All fields know the file's name; where it was posted without one, they keep the variable. */
function expanded({ fields, fileName }: PostedForm): PostedForm {
  if (fileName === undefined) return { fields };
  return {
    fields: new Map([...fields].map(([name, value]) => [name, value.replace(/\$\{filename\}/g, () => fileName)])),
    fileName,
  };
}

function headersOf({ headers }: HttpRequest, { fields }: PostedForm): Record<string, string> {
  const own = KEPT.flatMap((name) => (headers[name] === undefined ? [] : [[name, headers[name]] as const]));
  const told = [...fields].flatMap(([name, value]): [string, string][] => {
    if (value === "") return [];
    if (name === "tagging") return [["x-amz-tagging", tagsFromXml(value)]];
    const header = PLAIN.get(name) ?? (OF_THE_OBJECT.test(name) ? name : undefined);
    if (header === undefined) return [];
    const meta = header.startsWith("x-amz-meta-");
    if ((meta ? LINE_END : CONTROL).test(value)) throw errors.invalidArgument("Invalid header value", name, value);
    return [[header, latin1(meta ? literal(value) : value)]];
  });
  return Object.fromEntries([...own, ...told]);
}

/** Text as the bytes of a header. */
const latin1 = (text: string): string => Buffer.from(text).toString("latin1");

/** In a form, what looks like an encoded word is none: recorded on AWS. */
const literal = (value: string): string =>
  value.includes("=?") ? `=?UTF-8?B?${Buffer.from(value).toString("base64")}?=` : value;

interface Admitted {
  readonly Bucket?: string | undefined;
  readonly Body?: unknown;
}

/** The input of PutObject, where the policy admits the form; the file fails as it is read where it is too large or too small. */
export function admit(input: Admitted, form: PostedForm): object {
  const range = checkPolicy(form, input.Bucket!);
  if (!range) return input;
  return { ...input, Body: Readable.from(within(input.Body as Readable, range), { objectMode: false }) };
}

async function* within(body: Readable, { min, max }: Range): AsyncGenerator<Uint8Array> {
  let size = 0;
  for await (const chunk of body as AsyncIterable<Uint8Array>) {
    size += chunk.length;
    // How large it is altogether is part of the answer.
    if (size <= max) yield chunk;
  }
  if (size > max) throw errors.entityTooLarge(size, max);
  if (size < min)
    throw new AwsError("EntityTooSmall", 400, "Your proposed upload is smaller than the minimum allowed size", {
      ProposedSize: String(size),
      MinSizeAllowed: String(min),
    });
}

/** 204, 200, 201 with a document, or a redirection: as the form asked. `answer` is PutObject's. */
export function answerToForm(answer: HttpAnswer, { headers: asked, path, form }: HttpRequest): HttpAnswer {
  const fields = form!.fields;
  const etag = answer.headers.etag ?? "";
  const bucket = path.split("/")[1]!;
  const key = fields.get("key")!;
  const redirect = URL.parse(fields.get("success_action_redirect") ?? fields.get("redirect") ?? "");
  if (redirect && /^https?:$/.test(redirect.protocol)) {
    for (const [name, value] of Object.entries({ bucket, key, etag })) redirect.searchParams.append(name, value);
    return { status: 303, headers: { ...answer.headers, location: redirect.href } };
  }
  const host = asked.host ?? "";
  const location = `http://${host}${host.startsWith(`${bucket}.`) ? "" : `/${bucket}`}/${encodeURIComponent(key)}`;
  const headers = { ...answer.headers, location };
  const status = Number(fields.get("success_action_status"));
  if (status !== 201) return { status: status === 200 ? 200 : 204, headers };
  const members = { Location: location, Bucket: bucket, Key: key, ETag: etag };
  const inner = Object.entries(members).map(([name, text]) => `<${name}>${escaped(text)}</${name}>`);
  const body = `<?xml version="1.0" encoding="UTF-8"?>\n<PostResponse>${inner.join("")}</PostResponse>`;
  return { status, headers: { ...headers, "content-type": "application/xml" }, body };
}

const escaped = (text: string): string =>
  text.replace(/[&<>]/g, (character) => ({ "&": "&amp;", "<": "&lt;", ">": "&gt;" })[character]!);
