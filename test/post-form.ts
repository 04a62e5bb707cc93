// Forms as a browser posts them to a bucket, signed as S3's documents say.
import { createHmac } from "node:crypto";
import { type Key, ROOT, type TestCloud } from "./cloud.ts";

export interface Form {
  readonly bucket: string;
  /** Before the file, in this order; what signs them is added. */
  readonly fields?: Record<string, string>;
  /** Further conditions; each field has one already, and so has the bucket. null: no policy, no signature. */
  readonly conditions?: readonly unknown[] | null;
  /** The whole policy, in the place of all that. */
  readonly policy?: string;
  readonly file?: string | Uint8Array | null;
  /** null: the file is posted as text. */
  readonly fileName?: string | null;
  readonly as?: Key;
  readonly version?: 2 | 4;
  /** Changes what is sent after it was signed. */
  readonly tamper?: (form: FormData) => void;
}

export interface Answer {
  readonly status: number;
  readonly headers: Headers;
  readonly text: string;
  /** `Code status Message` of an error. */
  readonly error: string;
}

export async function postForm(cloud: TestCloud, form: Form): Promise<Answer> {
  const body = new FormData();
  for (const [name, value] of Object.entries(signedFields(form))) body.append(name, value);
  const { file = "hello", fileName = "hello.txt" } = form;
  if (file !== null && fileName === null) body.append("file", file as string);
  else if (file !== null) body.append("file", new Blob([file as string], { type: "text/plain" }), fileName!);
  form.tamper?.(body);
  const answer = await fetch(`${cloud.endpoint}/${form.bucket}`, { method: "POST", body, redirect: "manual" });
  const text = await answer.text();
  const told = (name: string) => new RegExp(`<${name}>(.*?)</${name}>`, "s").exec(text)?.[1];
  const error = `${told("Code")} ${answer.status} ${told("Message")?.replaceAll("&quot;", '"').replaceAll("&amp;", "&")}`;
  return { status: answer.status, headers: answer.headers, text, error };
}

const hmac = (key: string | Buffer, text: string): Buffer => createHmac("sha256", key).update(text).digest();

function signedFields({ bucket, fields = {}, conditions = [], policy, as = ROOT, version = 4 }: Form) {
  if (conditions === null && policy === undefined) return fields;
  const date = new Date().toISOString().replace(/[-:]|\.\d+/g, "");
  const scope = `${date.slice(0, 8)}/us-east-1/s3/aws4_request`;
  const signing: Record<string, string> =
    version === 2
      ? {}
      : {
          "x-amz-algorithm": "AWS4-HMAC-SHA256",
          "x-amz-credential": `${as.accessKeyId}/${scope}`,
          "x-amz-date": date,
        };
  if (as.sessionToken !== undefined) signing["x-amz-security-token"] = as.sessionToken;
  const named = (conditions ?? []).flatMap((one) =>
    Array.isArray(one) ? [String(one[1])] : Object.keys(one as object),
  );
  const mentioned = new Set(named.map((name) => name.replace("$", "").toLowerCase()));
  const own = Object.entries({ ...fields, ...signing }).filter(
    ([name]) => !mentioned.has(name.toLowerCase()) && !name.startsWith("x-ignore-"),
  );
  const all = [{ bucket }, ...own.map(([name, value]) => ({ [name]: value })), ...(conditions ?? [])];
  const expiration = new Date(Date.now() + 60_000).toISOString();
  const document = Buffer.from(policy ?? JSON.stringify({ expiration, conditions: all })).toString("base64");
  if (version === 2) {
    const signature = createHmac("sha1", as.secretAccessKey).update(document).digest("base64");
    return { ...fields, ...signing, AWSAccessKeyId: as.accessKeyId, policy: document, signature };
  }
  const key = scope.split("/").reduce<string | Buffer>((above, part) => hmac(above, part), `AWS4${as.secretAccessKey}`);
  return { ...fields, ...signing, policy: document, "x-amz-signature": hmac(key, document).toString("hex") };
}
