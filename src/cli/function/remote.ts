// Lambda's API, as far as the commands need it.
import { UserError } from "../command.ts";
import type { Access } from "../signed.ts";
import { type Asked, signedFetch } from "../signed-fetch.ts";

export interface FunctionConfiguration {
  readonly FunctionName: string;
  readonly FunctionArn: string;
  readonly Runtime: string;
  readonly Handler: string;
  readonly Role: string;
  readonly MemorySize: number;
  readonly Timeout: number;
  readonly Description: string;
  readonly Version: string;
  readonly CodeSize: number;
  readonly LastModified: string;
  readonly Architectures: readonly string[];
  readonly EphemeralStorage: { readonly Size: number };
  readonly LoggingConfig: Readonly<Record<string, string>>;
  readonly Environment?: { readonly Variables: Readonly<Record<string, string>> };
  readonly DeadLetterConfig?: { readonly TargetArn?: string };
  readonly Layers?: readonly { readonly Arn: string }[];
}

/** `NAME`, `NAME:QUALIFIER`, or an ARN of either. */
export const functionPath = (name: string, more = ""): string =>
  `/2015-03-31/functions/${encodeURIComponent(name)}${more}`;

/** The answer. Throws UserError with Lambda's own code and words. */
export async function lambda(access: Access, asked: Omit<Asked, "service">): Promise<Response> {
  const answer = await signedFetch(access, { service: "lambda", ...asked });
  if (answer.ok) return answer;
  const text = await answer.text();
  const { message, Message } = (text.startsWith("{") ? JSON.parse(text) : {}) as Record<string, string | undefined>;
  const code = answer.headers.get("x-amzn-errortype")?.split(":")[0] ?? answer.status;
  throw new Refused(`${code}: ${message ?? Message ?? `HTTP ${answer.status}`}`, answer.status);
}

export class Refused extends UserError {
  readonly status: number;

  constructor(message: string, status: number) {
    super(message);
    this.status = status;
  }
}

export const lambdaJson = async <T>(access: Access, asked: Omit<Asked, "service">): Promise<T> =>
  (await (await lambda(access, asked)).json()) as T;

/** Undefined where Lambda says 404. */
export const lambdaJsonIfAny = <T>(access: Access, asked: Omit<Asked, "service">): Promise<T | undefined> =>
  lambdaJson<T>(access, asked).catch((error) => {
    if (error instanceof Refused && error.status === 404) return undefined;
    throw error;
  });

export const configurationOf = (access: Access, name: string): Promise<FunctionConfiguration> =>
  lambdaJson(access, { method: "GET", path: functionPath(name, "/configuration") });

/** The ARN of the function itself, without a qualifier. */
export const unqualified = (arn: string): string => arn.split(":").slice(0, 7).join(":");
