// The functions that are measured, each in its language, and what they need around them.
import { IAM } from "@aws-sdk/client-iam";
import { type Lambda, waitUntilFunctionActive } from "@aws-sdk/client-lambda";
import { zipOf } from "../test/zip.ts";
import { ACCOUNT, type Host } from "./host.ts";

export interface Measured {
  readonly name: string;
  readonly runtime: "provided.al2023" | "nodejs24.x" | "python3.13";
  readonly handler: string;
  /** The first line says when it runs, in ms since the epoch, and for which event; the answer is the event. */
  readonly files: Readonly<Record<string, string>>;
  /** The interpreter alone, doing as little. */
  readonly bare: readonly string[];
}

export const functions: readonly Measured[] = [
  {
    name: "bash",
    runtime: "provided.al2023",
    handler: "lambda.handler",
    files: { "lambda.sh": 'handler() {\n  echo "FIRST $EPOCHREALTIME $1" >&2\n  echo "$1"\n}\n' },
    bare: ["/bin/bash", "-c", "echo 1"],
  },
  {
    name: "node",
    runtime: "nodejs24.x",
    handler: "index.handler",
    files: {
      "index.mjs":
        'const micros = () => Math.round((performance.timeOrigin + performance.now()) * 1000);\nexport const handler = async (event) => {\n  console.log("FIRST", micros(), JSON.stringify(event));\n  return event;\n};\n',
    },
    bare: [process.execPath, "-e", "console.log(1)"],
  },
  {
    name: "python",
    runtime: "python3.13",
    handler: "app.handler",
    files: {
      "app.py":
        'import json, time\ndef handler(event, context):\n    print("FIRST", time.time_ns() // 1000, json.dumps(event))\n    return event\n',
    },
    bare: ["/usr/bin/python3", "-c", "import json; print(1)"],
  },
];

/** What `FIRST` lines say: when, by the wall clock in ms, the handler began with an event that holds `mark`. */
export function firstLine(log: string, mark: string): number | undefined {
  const micros = new RegExp(`FIRST ([\\d.,]+) [^\\n]*${mark}\\b`).exec(log)?.[1];
  return micros === undefined ? undefined : Number(micros.replace(/[.,]/, "")) / 1000;
}

/** A role that they may have, and the functions. */
export async function createFunctions(host: Host, lambda: Lambda): Promise<void> {
  const iam = new IAM(host.client);
  const Statement = [{ Effect: "Allow", Principal: { Service: "lambda.amazonaws.com" }, Action: "sts:AssumeRole" }];
  await iam.createRole({
    RoleName: "function",
    AssumeRolePolicyDocument: JSON.stringify({ Version: "2012-10-17", Statement }),
  });
  iam.destroy();
  for (const { name, runtime, handler, files } of functions) {
    await lambda.createFunction({
      FunctionName: name,
      Runtime: runtime,
      Handler: handler,
      Role: `arn:aws:iam::${ACCOUNT}:role/function`,
      Code: { ZipFile: zipOf(files) },
      Timeout: 30,
    });
    await waitUntilFunctionActive(
      { client: lambda, maxWaitTime: 30, minDelay: 1, maxDelay: 1 },
      { FunctionName: name },
    );
  }
}
