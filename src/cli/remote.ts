// A running cloud, asked through its control API.
import { defaults } from "../config.ts";
import { type Environment, UserError } from "./command.ts";

/** Options that every command which talks to a running cloud takes. */
export const remoteOptions = { endpoint: { type: "string" } } as const;
export const remoteUsage = "[--endpoint URL]";

export const endpointOf = (given: string | undefined, environment: Environment): string =>
  (given ?? environment.AWS_ENDPOINT_URL ?? `http://localhost:${defaults.port}`).replace(/\/$/, "");

/** `GET` without a body, else `POST`. Throws UserError where no cloud answers, or it says no. */
export async function ask<T>(endpoint: string, path: string, environment: Environment, body?: unknown): Promise<T> {
  const key = environment.AWS_ACCESS_KEY_ID ?? defaults.rootAccessKeyId;
  const secret = environment.AWS_SECRET_ACCESS_KEY ?? defaults.rootSecretAccessKey;
  const headers = {
    authorization: `Basic ${Buffer.from(`${key}:${secret}`).toString("base64")}`,
    "content-type": "application/json",
  };
  const request = body === undefined ? { headers } : { method: "POST", headers, body: JSON.stringify(body) };
  const response = await fetch(`${endpoint}${path}`, request).catch((error: Error) => {
    throw new UserError(`no aws-like answers at ${endpoint} (${causeOf(error)}); start one with: aws-like up`);
  });
  const answer = (await response.json().catch(() => ({ error: `${endpoint} is not aws-like` }))) as T & {
    error?: string;
  };
  if (!response.ok) throw new UserError(answer.error ?? `${endpoint} answered ${response.status}`);
  return answer;
}

const causeOf = (error: Error): string => (error.cause as NodeJS.ErrnoException | undefined)?.code ?? error.message;
