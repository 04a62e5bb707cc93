// Where S3 departs from its own model. Each has its reason beside it, and a test.
import { type HttpAnswer, newShortRequestId, type Quirks } from "../../kernel/mod.ts";
import { dress, preflight } from "./cors.ts";
import { errors, headersOf } from "./errors.ts";
import { extendedIdOf } from "./events.ts";
import { admit, answerToForm, requestOfForm } from "./post-object.ts";
import { isAccepted, withRequest } from "./request.ts";

const NAMESPACE = "http://s3.amazonaws.com/doc/2006-03-01/";

export const quirks: Quirks = {
  requestId: newShortRequestId,

  preflight,
  dress,

  form: requestOfForm,

  // What is posted to a bucket, and is no operation, was meant for a browser's form.
  route(request, modelled) {
    const route = modelled();
    // GET / is asked of two endpoints on AWS: what it was signed for tells which.
    if (route?.operation === "ListBuckets" && SIGNED_EXPRESS.test(request.headers.authorization ?? request.query))
      return { ...route, operation: "ListDirectoryBuckets" };
    if (!route && request.method === "POST" && request.query === "" && /^\/[^/]+\/?$/.test(request.path))
      throw errors.preconditionFailed("Bucket POST must be of the enclosure-type multipart/form-data");
    return route;
  },

  // Handlers need the peer's address, trailers and raw headers.
  input: (_operation, input, request, body) =>
    withRequest(request.form ? admit(input as object, request.form) : (input as object), request, body),

  output(operation, output, answer, request) {
    // ExpiresString is the SDKs' invention for an Expires that is no date: on the wire there is the header as it was put.
    const { expiresstring, ...modelled } = answer.headers;
    const headers = {
      ...modelled,
      ...extended(answer),
      ...(expiresstring !== undefined && { expires: expiresstring }),
    };
    // A part or a range is a 206; the model knows 200 only.
    const status = isAccepted(output) ? 202 : output?.ContentRange === undefined ? answer.status : 206;
    if (operation === "GetBucketLocation") return { status, headers, body: location(output) };
    if (operation === "GetBucketPolicy")
      return { ...answer, status, headers: { ...headers, "content-type": "application/json" } };
    if (operation === "HeadBucket")
      return { ...answer, status, headers: { ...headers, "content-type": "application/xml" } };
    return request.form ? answerToForm({ ...answer, headers }, request) : { ...answer, status, headers };
  },

  error(_operation, error, answer, request) {
    const headers = { ...answer.headers, ...headersOf(error) };
    // A client waits for the body that a Content-Length of a 304 would announce.
    if (error.status === 304) {
      const { "content-length": _, "content-type": __, ...rest } = headers;
      return { status: 304, headers: rest };
    }
    // HEAD has no body, so no code: clients make one of the status.
    if (request.method === "HEAD") {
      const { "content-length": _, ...rest } = headers;
      return { status: answer.status, headers: rest };
    }
    return { ...answer, headers };
  },

  /** A policy's Deny is a 403 before a wrong value is a 400: handlers judge values. What is missing altogether is an XML that does not fit. */
  invalid: (operation, violations) =>
    // A header of GetObjectAttributes has words of its own.
    operation !== "GetObjectAttributes" && violations.some((text) => text.endsWith("Member must not be null"))
      ? operation.endsWith("Acl")
        ? errors.malformedAcl()
        : errors.malformedXml()
      : null,
};

const SIGNED_EXPRESS = /Credential=[^,&\s]+(?:\/|%2F)s3express(?:\/|%2F)aws4_request/;

const extended = ({ headers }: HttpAnswer): Record<string, string> => ({
  "x-amz-id-2": extendedIdOf(headers["x-amz-request-id"] ?? ""),
});

/** The answer is the element alone; us-east-1 is an empty one. https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetBucketLocation.html */
function location(output: { LocationConstraint?: string }): string {
  const head = '<?xml version="1.0" encoding="UTF-8"?>\n';
  const { LocationConstraint: of } = output;
  return of === undefined
    ? `${head}<LocationConstraint xmlns="${NAMESPACE}"/>`
    : `${head}<LocationConstraint xmlns="${NAMESPACE}">${of}</LocationConstraint>`;
}
