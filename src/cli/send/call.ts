// One signed call of a service that takes JSON or a form.
import { UserError } from "../command.ts";
import type { Access } from "../signed.ts";
import { signedFetch } from "../signed-fetch.ts";

export type Call = { readonly service: keyof typeof SPOKEN; readonly operation: string } & (
  | { readonly input: object }
  | { readonly form: Readonly<Record<string, string | undefined>> }
);

/** The target's prefix of JSON, or the version of a form. */
const SPOKEN = {
  sqs: { target: "AmazonSQS", type: "application/x-amz-json-1.0" },
  events: { target: "AWSEvents", type: "application/x-amz-json-1.1" },
  iam: { version: "2010-05-08" },
  sns: { version: "2010-03-31" },
  sts: { version: "2011-06-15" },
} as const;

/** The answer's body. Throws UserError with the service's own code and words, or where nobody answers. */
export async function callAws(access: Access, call: Call): Promise<string> {
  const answer = await signedFetch(access, { service: call.service, method: "POST", path: "/", ...request(call) });
  const text = await answer.text();
  if (!answer.ok) throw new UserError(sentenceOf(answer.status, text));
  return text;
}

function request(call: Call): { body: string; headers: Record<string, string> } {
  const spoken = SPOKEN[call.service];
  if ("input" in call && "target" in spoken)
    return {
      body: JSON.stringify(call.input),
      headers: { "content-type": spoken.type, "x-amz-target": `${spoken.target}.${call.operation}` },
    };
  if (!("form" in call) || !("version" in spoken)) throw new Error(`${call.service} does not speak so`);
  const form = new URLSearchParams({ Action: call.operation, Version: spoken.version });
  for (const [name, value] of Object.entries(call.form)) if (value !== undefined) form.set(name, value);
  return { body: form.toString(), headers: { "content-type": "application/x-www-form-urlencoded; charset=utf-8" } };
}

function sentenceOf(status: number, text: string): string {
  if (text.startsWith("{")) {
    const { __type, message, Message } = JSON.parse(text) as Readonly<Record<string, string | undefined>>;
    return `${__type?.split("#").at(-1) ?? status}: ${message ?? Message ?? `HTTP ${status}`}`;
  }
  const part = (name: string) => new RegExp(`<${name}>([^<]*)</${name}>`).exec(text)?.[1];
  return `${part("Code") ?? status}: ${part("Message") ?? `HTTP ${status}`}`;
}
