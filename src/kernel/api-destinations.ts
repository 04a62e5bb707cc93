// EventBridge's API destinations, as rules and pipes invoke them: by no operation of AWS's, but under IAM (`events:InvokeApiDestination`).
// https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-api-destinations.html
import type { Context, Principal } from "./context.ts";
import type { Arn } from "./names.ts";
import { stepsOf, valueAt } from "./templates/json-path.ts";

/** One request. */
export interface ApiCall extends HttpParts {
  /** Mostly JSON. */
  readonly body: string;
  /** It did not succeed before: an access token is fetched anew. */
  readonly anew?: boolean;
  /** The body of what is answered is wanted. */
  readonly answered?: boolean;
}

/** HttpParameters, with what they take from the event. */
export interface HttpParts {
  readonly path: readonly string[];
  readonly headers: Readonly<Record<string, string>>;
  readonly query: Readonly<Record<string, string>>;
}

/** Resolves with the body of a 2xx, "" where it is not wanted. Throws a refusal (an AwsError) where the answer is final, `TooEarly`, or any Error. */
export const invokeApi = (ctx: Context, { to, as, call }: { to: Arn; as: Principal; call: ApiCall }): Promise<string> =>
  ctx.ask(to, call, as) as Promise<string>;

/** The endpoint said how long it wants to be left alone. */
export class TooEarly extends Error {
  readonly waitMs: number;

  constructor(text: string, waitMs: number) {
    super(text);
    this.name = "TooEarly";
    this.waitMs = waitMs;
  }
}

interface HttpParameters {
  readonly PathParameterValues?: readonly string[] | undefined;
  readonly HeaderParameters?: Readonly<Record<string, string>> | undefined;
  readonly QueryStringParameters?: Readonly<Record<string, string>> | undefined;
}

/** The first value that would be taken from the event, and is no path. */
export function httpFault(parameters: HttpParameters | undefined): string | undefined {
  const { PathParameterValues = [], HeaderParameters = {}, QueryStringParameters = {} } = parameters ?? {};
  const values = [...PathParameterValues, ...Object.values(HeaderParameters), ...Object.values(QueryStringParameters)];
  return values.find((value) => value.startsWith("$.") && !stepsOf(value));
}

/** A value that begins with `$.` is taken from the event. */
export function httpParts(parameters: HttpParameters | undefined, event: unknown): HttpParts {
  const { PathParameterValues = [], HeaderParameters = {}, QueryStringParameters = {} } = parameters ?? {};
  const filled = (value: string): string => {
    if (!value.startsWith("$.")) return value;
    const found = valueAt(event, value) ?? "";
    return typeof found === "string" ? found : JSON.stringify(found);
  };
  const all = (given: Readonly<Record<string, string>>) =>
    Object.fromEntries(Object.entries(given).map(([name, value]) => [name, filled(value)]));
  return {
    path: PathParameterValues.map(filled),
    headers: all(HeaderParameters),
    query: all(QueryStringParameters),
  };
}
