// The door's own refusals, in each family's words.
import { AwsError } from "../kernel/error.ts";
import type { HttpRequest } from "../model/http.ts";
import { sentence } from "../model/validate.ts";
import type { Family } from "./signature.ts";

/** Not AWS's: this cloud has no such operation yet, and says so rather than pretend. */
export const notImplemented = (service: string, operation: string): AwsError =>
  new AwsError("NotImplemented", 501, `aws-like does not implement ${service} ${operation} yet.`);

export function unknownOperation(family: Family, request: HttpRequest, form: URLSearchParams | undefined): AwsError {
  switch (family) {
    case "s3":
      return new AwsError("MethodNotAllowed", 405, "The specified method is not allowed against this resource.", {
        Method: request.method,
        ResourceType: "OBJECT",
      });
    case "query": {
      const [action, version] = [form?.get("Action"), form?.get("Version")];
      return action
        ? new AwsError(
            "InvalidAction",
            400,
            `Could not find operation ${action} for version ${version ?? "NO_VERSION_SPECIFIED"}`,
          )
        : new AwsError("MissingAction", 400, "The request must contain the parameter Action");
    }
    case "json":
      return new AwsError("UnknownOperationException", 400, "");
    case "rest":
      return new AwsError("UnknownOperationException", 404, "");
  }
}

export const invalid = (family: Family, violations: readonly string[]): AwsError =>
  family === "s3"
    ? new AwsError("InvalidArgument", 400, "Invalid Argument")
    : new AwsError(family === "query" ? "ValidationError" : "ValidationException", 400, sentence(violations));

export const internalError = (family: Family): AwsError =>
  family === "s3"
    ? new AwsError("InternalError", 500, "We encountered an internal error. Please try again.")
    : new AwsError(
        family === "query" ? "InternalFailure" : "InternalServerError",
        500,
        "The request processing has failed because of an unknown error, exception or failure.",
      );

export const incompleteBody = (): AwsError =>
  new AwsError(
    "IncompleteBody",
    400,
    "You did not provide the number of bytes specified by the Content-Length HTTP header.",
  );
