// A member of an answer that lies in the store as JSON already, in the form of the wire: it goes out as it is, and is read only where somebody asks
// for its value.

export class Verbatim {
  readonly json: string;
  readonly #read: (json: string) => unknown;

  constructor(json: string, read: (json: string) => unknown) {
    this.json = json;
    this.#read = read;
  }

  get value(): unknown {
    return this.#read(this.json);
  }
}

/** In the place of a member of an operation's output: the SDK-shaped value is `read` of it. */
export const verbatim = <T>(json: string, read: (json: string) => T): T => new Verbatim(json, read) as T;

/** The output as its type says it is: for who calls from within, and for protocols that are not JSON. */
export function withValues(output: unknown): unknown {
  const fields = (output ?? {}) as Record<string, unknown>;
  let whole = output;
  for (const name in fields) {
    const value = fields[name];
    if (!(value instanceof Verbatim)) continue;
    if (whole === output) whole = { ...fields };
    (whole as Record<string, unknown>)[name] = value.value;
  }
  return whole;
}

/** What a writer made of the output's other members, and its verbatim ones between them. */
export function stringify(
  output: Record<string, unknown>,
  write: (fields: Record<string, unknown>) => unknown,
): string {
  let plain: Record<string, unknown> | undefined;
  let json = "";
  for (const name in output) {
    const value = output[name];
    if (!(value instanceof Verbatim)) continue;
    plain ??= { ...output };
    delete plain[name];
    json += `${json && ","}${JSON.stringify(name)}:${value.json}`;
  }
  const rest = JSON.stringify(write(plain ?? output));
  if (json === "") return rest;
  return rest === "{}" ? `{${json}}` : `{${json},${rest.slice(1)}`;
}
