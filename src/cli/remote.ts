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
  const answer = await openAnswer(endpoint, path, environment, body);
  return (await answer.json().catch(() => {
    throw notOurs(endpoint);
  })) as T;
}

/** The same, its body not yet read. */
export async function openAnswer(
  endpoint: string,
  path: string,
  environment: Environment,
  body?: unknown,
): Promise<Response> {
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
  if (response.ok) return response;
  const { error } = (await response.json().catch(() => {
    throw notOurs(endpoint);
  })) as { error?: string };
  throw new UserError(error ?? `${endpoint} answered ${response.status}`);
}

const notOurs = (endpoint: string) => new UserError(`${endpoint} is not aws-like`);
const causeOf = (error: Error): string => (error.cause as NodeJS.ErrnoException | undefined)?.code ?? error.message;
