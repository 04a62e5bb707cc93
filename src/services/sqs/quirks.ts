// Where SQS departs from its own model.
import { type HttpAnswer, type Quirks, withoutNulls } from "../../kernel/mod.ts";
import { errors } from "./errors.ts";

/** Errors that the model does not have: their names in JSON, where the query protocol's are others (recorded). */
const JSON_NAMES: Readonly<Record<string, string>> = {
  InvalidParameterValue: "InvalidParameterValueException",
  MissingParameter: "MissingRequiredParameterException",
  AccessDenied: "AccessDeniedException",
};

export const quirks: Quirks = {
  /** A form that is posted to a queue's URL need not name the queue again. */
  input(_operation, input, request) {
    const named = input.QueueUrl !== undefined || !/^\/\d{12}\/[^/]+\/?$/.test(request.path);
    return withoutNulls(named ? input : { ...input, QueueUrl: request.path });
  },

  /** What is missing is said in SQS's own words; unknown attributes are for the handler to name. */
  invalid(_operation, violations) {
    for (const violation of violations) {
      const missing = /^Value null at '(.+)' failed to satisfy constraint: Member must not be null$/.exec(violation);
      if (missing) return errors.missing(parameterName(missing[1]!));
    }
    return null;
  },

  error(_operation, error, answer) {
    const isJson = answer.headers["content-type"]?.includes("json");
    return isJson ? namedForJson(error.code, answer) : withDetail(error.code, answer);
  },
};

/** `entries.1.member.receiptHandle` is Entries.1.ReceiptHandle. */
const parameterName = (path: string): string =>
  path
    .split(".")
    .filter((part) => part !== "member")
    .map((part) => part[0]!.toUpperCase() + part.slice(1))
    .join(".");

function namedForJson(code: string, answer: HttpAnswer): HttpAnswer {
  const name = JSON_NAMES[code];
  if (name === undefined) return answer;
  const { __type: _, ...rest } = JSON.parse(String(answer.body)) as Record<string, unknown>;
  return { ...answer, body: JSON.stringify({ __type: `com.amazon.coral.service#${name}`, ...rest }) };
}

/** The query protocol's errors have an empty Detail, and call a queue by the name of its time (recorded). */
function withDetail(code: string, answer: HttpAnswer): HttpAnswer {
  let body = String(answer.body).replace("</Error>", "<Detail/></Error>");
  if (code === "QueueDoesNotExist")
    body = body.replace("queue does not exist.", "queue does not exist for this wsdl version.");
  return { ...answer, body };
}
