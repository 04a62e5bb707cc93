// What a function answered, read.

/** Of a failure. */
export function readError(payload: Uint8Array): { errorType: string; errorMessage: string } {
  const error = readJson(payload) as { errorType?: unknown; errorMessage?: unknown } | null;
  return {
    errorType: typeof error?.errorType === "string" ? error.errorType : "Error",
    errorMessage: typeof error?.errorMessage === "string" ? error.errorMessage : JSON.stringify(error),
  };
}

/** A function may answer what is no JSON: then its text. */
export function readJson(payload: Uint8Array): unknown {
  const text = Buffer.from(payload).toString("utf8");
  try {
    return text === "" ? null : JSON.parse(text);
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
    return text;
  }
}
