// The runtimes that AWS has, which of them this host can run, and what AWS says of the others.
import { createHash } from "node:crypto";
import type { AwsError } from "../../kernel/mod.ts";
import { errors, invalidParameter } from "./errors.ts";

// In the order in which AWS lists them in its error (recorded 2025-11).
const SUPPORTED = [
  "nodejs20.x",
  "python3.14",
  "provided.al2023",
  "python3.12",
  "python3.13",
  "nodejs24.x",
  "nodejs22.x",
  "java25",
  "python3.10",
  "python3.11",
  "java21",
  "ruby4.0",
  "ruby3.3",
  "ruby3.4",
  "ruby3.2",
  "python3.8",
  "python3.9",
  "java17",
  "nodejs16.x",
  "dotnet10",
  "dotnet8",
  "java11",
  "dotnet6",
  "nodejs18.x",
  "provided.al2",
  "java8.al2",
];

// AWS has ended them: its own sentence, not the list.
const DEPRECATED =
  /^(nodejs|nodejs(4\.3(-edge)?|6\.10|8\.10|10\.x|12\.x|14\.x)|java8|python(2\.7|3\.6|3\.7)|dotnetcore[123]\.[01]|go1\.x|ruby2\.[57]|provided)$/;

const RUNNABLE = /^(provided\.|nodejs|python)/;

/** Throws AWS's error for a runtime that it does not take, ours for one that it takes and we do not run. */
export function checkRuntime(runtime: string): void {
  if (DEPRECATED.test(runtime))
    throw invalidParameter(
      `The runtime parameter of ${runtime} is no longer supported for creating or updating AWS Lambda functions. We recommend you use a supported runtime while creating or updating functions.`,
    );
  if (!SUPPORTED.includes(runtime)) throw unknownRuntime(runtime);
  if (!RUNNABLE.test(runtime)) throw errors.unsupported(`Runtime ${runtime}`);
}

export const unknownRuntime = (runtime: string): AwsError =>
  invalidParameter(
    `Value ${runtime} at 'runtime' failed to satisfy constraint: Member must satisfy enum value set: [${SUPPORTED.join(", ")}] or be a valid ARN`,
  );

/** AWS names the build of a runtime by a hash. Ours is the host's interpreter, so the hash is of the runtime's name alone. */
export const runtimeVersionArn = (region: string, runtime: string): string =>
  `arn:aws:lambda:${region}::runtime:${createHash("sha256").update(runtime).digest("hex")}`;
