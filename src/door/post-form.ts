// A form that a browser posts to a bucket: its fields are read, its file streams. What comes after the file is passed over, as on S3.
// https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-HTTPPOSTForms.html
import { Readable } from "node:stream";
import { AwsError } from "../kernel/error.ts";
import type { HttpRequest, PostedForm } from "../model/http.ts";
import type { Found } from "./find.ts";

/** All that precedes the file. https://docs.aws.amazon.com/AmazonS3/latest/API/RESTObjectPOST.html */
const FIELDS_LIMIT = 20 * 1024;

const errors = {
  malformed: () =>
    new AwsError("MalformedPOSTRequest", 400, "The body of your POST request is not well-formed multipart/form-data."),
  fieldsTooLarge: () =>
    new AwsError(
      "MaxPostPreDataLengthExceededError",
      400,
      "Your POST request fields preceding the upload file were too large.",
    ),
  noFile: () =>
    new AwsError("InvalidArgument", 400, "POST requires exactly one file upload per request.", {
      ArgumentName: "file",
      ArgumentValue: "0",
    }),
  noLength: () => new AwsError("MissingContentLength", 411, "You must provide the Content-Length HTTP header."),
};

/** A post to a bucket that is no operation of the model. */
export const isPostedForm = ({ service, request: { method, path, query, headers } }: Found): boolean =>
  service === "s3" &&
  method === "POST" &&
  query === "" &&
  /^\/[^/]+\/?$/.test(path) &&
  /^multipart\/form-data\b/i.test(headers["content-type"] ?? "");

/** The request with its `form`, whose body is the file. Throws MalformedPOSTRequest and its like; a file that is cut short fails as it is read. */
export async function openForm(request: HttpRequest): Promise<HttpRequest> {
  if (request.headers["content-length"] === undefined) throw errors.noLength();
  const boundary = /;\s*boundary=(?:"([^"]{1,70})"|([^\s;"]{1,70}))/i.exec(request.headers["content-type"]!);
  if (!boundary) throw errors.malformed();
  const parts = new Parts(request.body, Buffer.from(`\r\n--${boundary[1] ?? boundary[2]}`, "latin1"));
  const fields = new Map<string, string>();
  for (;;) {
    const head = await parts.next();
    if (head === undefined) throw errors.noFile();
    const { name, fileName } = disposition(head);
    if (name === "file") {
      const form: PostedForm = { fields, ...(fileName !== undefined && { fileName }) };
      return { ...request, body: Readable.from(parts.stream(), { objectMode: false }), form };
    }
    const value = await parts.value();
    if (!fields.has(name)) fields.set(name, value);
  }
}

/** The bytes of a body between delimiters, read no further than they are asked for. */
class Parts {
  readonly #chunks: AsyncIterator<Buffer>;
  readonly #delimiter: Buffer;
  // The first delimiter has no line before it.
  #held: Buffer = Buffer.from("\r\n");
  #taken = 0;

  constructor(body: Readable, delimiter: Buffer) {
    this.#chunks = body[Symbol.asyncIterator]();
    this.#delimiter = delimiter;
  }

  /** The headers of the next part; undefined at the end. */
  async next(): Promise<string | undefined> {
    await this.#until(this.#delimiter);
    const after = await this.#take(2);
    if (after === "--") return undefined;
    if (after !== "\r\n") throw errors.malformed();
    return (await this.#until(BLANK_LINE)).toString("utf8");
  }

  /** The whole of this part, as text. */
  async value(): Promise<string> {
    const found = await this.#find(this.#delimiter);
    const value = this.#held.toString("utf8", 0, found);
    this.#drop(found);
    return value;
  }

  /** The bytes of this part as they come; what follows it is read and dropped, so that the answer can be. */
  async *stream(): AsyncGenerator<Buffer> {
    for (;;) {
      const found = this.#held.indexOf(this.#delimiter);
      const sure = found < 0 ? this.#held.length - this.#delimiter.length : found;
      if (sure > 0) yield this.#held.subarray(0, sure);
      if (found >= 0) break;
      if (sure > 0) this.#held = this.#held.subarray(sure);
      await this.#more();
    }
    this.#held = EMPTY;
    while (!(await this.#chunks.next()).done);
  }

  async #until(mark: Buffer): Promise<Buffer> {
    const found = await this.#find(mark);
    const before = this.#held.subarray(0, found);
    this.#drop(found + mark.length);
    return before;
  }

  /** Where `mark` begins in what is held. */
  async #find(mark: Buffer): Promise<number> {
    for (;;) {
      const found = this.#held.indexOf(mark);
      if (this.#taken + (found < 0 ? this.#held.length : found) > FIELDS_LIMIT) throw errors.fieldsTooLarge();
      if (found >= 0) return found;
      await this.#more();
    }
  }

  async #take(length: number): Promise<string> {
    while (this.#held.length < length) await this.#more();
    const taken = this.#held.toString("latin1", 0, length);
    this.#drop(length);
    return taken;
  }

  #drop(length: number): void {
    this.#held = this.#held.subarray(length);
    this.#taken += length;
  }

  async #more(): Promise<void> {
    const { done, value } = await this.#chunks.next();
    if (done) throw errors.malformed();
    this.#held = this.#held.length === 0 ? value : Buffer.concat([this.#held, value]);
  }
}

const BLANK_LINE = Buffer.from("\r\n\r\n");
const EMPTY = Buffer.alloc(0);

/** `Content-Disposition: form-data; name="file"; filename="cat.jpg"`: the name in lower case; of a path only what follows the last slash. */
function disposition(head: string): { name: string; fileName?: string | undefined } {
  const line = /^content-disposition:\s*form-data\s*;(.*)$/im.exec(head)?.[1];
  const name = line && parameter(line, "name");
  if (!name) throw errors.malformed();
  const path = parameter(line, "filename");
  return { name: name.toLowerCase(), ...(path !== undefined && { fileName: path.split(/[/\\]/).at(-1)! }) };
}

function parameter(line: string, name: string): string | undefined {
  const found = new RegExp(`(?:^|;)\\s*${name}=(?:"((?:\\\\"|[^"])*)"|([^\\s;]*))`, "i").exec(line);
  // Browsers write a quote as %22, others as \".
  return (found?.[1]?.replaceAll('\\"', '"').replaceAll("%22", '"') ?? found?.[2])?.trim();
}
