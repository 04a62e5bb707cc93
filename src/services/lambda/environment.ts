// The environment variables that a function has from its service: the sandbox adds those that depend on its layout and on the Runtime API.
import type { Configuration } from "./configuration.ts";
import { loggingVariables } from "./logging.ts";

export interface Credentials {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  readonly sessionToken: string;
}

/**
 * https://docs.aws.amazon.com/lambda/latest/dg/configuration-envvars.html#configuration-envvars-runtime, and AWS's answers of 2026-01.
 * The owner's variables win over defaults (AWS_ENDPOINT_URL) and never over reserved names: those are refused at CreateFunction.
 */
export const environmentOf = (options: {
  readonly configuration: Configuration;
  readonly region: string;
  readonly endpoint: string;
  readonly credentials: Credentials;
  readonly initialization: "on-demand" | "provisioned-concurrency";
}): Record<string, string> => ({
  AWS_XRAY_CONTEXT_MISSING: "LOG_ERROR",
  AWS_XRAY_DAEMON_ADDRESS: "169.254.100.1:2000",
  _AWS_XRAY_DAEMON_ADDRESS: "169.254.100.1",
  _AWS_XRAY_DAEMON_PORT: "2000",
  // Ours: where this cloud answers. SDKs and the CLI follow it without a change to the function.
  AWS_ENDPOINT_URL: options.endpoint,
  ...options.configuration.Environment?.Variables,
  AWS_LAMBDA_INITIALIZATION_TYPE: options.initialization,
  ...loggingVariables(options.configuration.LoggingConfig),
  AWS_REGION: options.region,
  AWS_DEFAULT_REGION: options.region,
  AWS_ACCESS_KEY_ID: options.credentials.accessKeyId,
  AWS_SECRET_ACCESS_KEY: options.credentials.secretAccessKey,
  AWS_SESSION_TOKEN: options.credentials.sessionToken,
});
