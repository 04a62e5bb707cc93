// The workspace's template, kept true: deployed at start, after a reset, and whenever it changes.
import { existsSync, type FSWatcher, watch } from "node:fs";
import { readFile } from "node:fs/promises";
import { basename, dirname } from "node:path";
import type { Aws } from "../aws.ts";
import { deploy, type Report } from "./deploy.ts";
import { known } from "./late.ts";
import { TemplateError } from "./node.ts";
import { plan } from "./plan.ts";

export { TemplateError } from "./node.ts";

export interface Template extends AsyncDisposable {
  /** Reads the file and makes what it says. Without a file nothing is made. Throws TemplateFault with file and line. */
  deploy(): Promise<void>;
}

export interface TemplateOptions {
  /** Absolute: `/home/me/workspace/template.yaml`. It need not exist. */
  readonly file: string;
  readonly parameters: ReadonlyMap<string, string>;
  /** Told what was done, and what is wrong with a template that changed. */
  readonly say: (level: "info" | "warn" | "error", text: string) => void;
}

/** Ready for the terminal: `template.yaml:14: Resources.Files.Properties.Foo: aws-like does not understand this property`. */
export class TemplateFault extends Error {}

/** CloudFormation's stack has a name; the workspace is the only one here. */
const STACK = "workspace";
/** An editor writes in several steps. */
const SETTLE_MS = 50;

export async function openTemplate(aws: Aws, options: TemplateOptions): Promise<Template> {
  const { file, say } = options;
  let last: string | undefined;
  let turn: Promise<unknown> = Promise.resolve();
  let timer: NodeJS.Timeout | undefined;
  let closed = false;

  /** One deployment at a time. */
  const inTurn = (work: () => Promise<void>): Promise<void> => {
    const next = turn.then(work);
    turn = next.catch(() => undefined);
    return next;
  };
  const deployNow = async () => {
    last = existsSync(file) ? await readFile(file, "utf8") : undefined;
    if (last === undefined) return say("info", `there is no ${file}: nothing is made`);
    await deployText(aws, last, options);
  };
  const lookAgain = async () => {
    // Away for a moment is how editors save; away for good keeps the world as it is.
    if (closed || !existsSync(file)) return;
    const text = await readFile(file, "utf8");
    if (text === last) return;
    last = text;
    await deployText(aws, text, options).catch((error: Error) => {
      last = undefined; // Saved again without a change, it is tried again: what was missing may be a file beside it.
      say("error", error instanceof TemplateFault ? `${error.message}; what was made stays as it is` : error.stack!);
    });
  };

  aws.whenReset = () => inTurn(deployNow);
  const watcher: FSWatcher = watch(dirname(file), (_, name) => {
    if (name !== null && name !== basename(file)) return;
    clearTimeout(timer);
    timer = setTimeout(() => inTurn(lookAgain), SETTLE_MS);
  });
  return {
    deploy: () => inTurn(deployNow),
    async [Symbol.asyncDispose]() {
      closed = true;
      clearTimeout(timer);
      watcher.close();
      aws.whenReset = undefined;
      await turn;
    },
  };
}

async function deployText(aws: Aws, text: string, { file, parameters, say }: TemplateOptions): Promise<void> {
  const { account, region, dir } = aws.config;
  const place = { account, region, stack: STACK, endpoint: aws.endpoint, dir };
  const began = performance.now();
  try {
    const planned = plan(text, { place, parameters });
    const report = await deploy(planned, { call: aws.call, place });
    tell(report, { count: planned.resources.length, tookMs: performance.now() - began, say });
    for (const [name, value] of planned.outputs)
      say("info", `output ${name} = ${await known(value, aws.call, { line: 1, path: `Outputs.${name}` })}`);
  } catch (error) {
    if (!(error instanceof TemplateError)) throw error;
    const where = error.path ? `${error.path}: ` : "";
    throw new TemplateFault(`${basename(file)}:${error.line}: ${where}${error.message}`);
  }
}

interface Telling {
  readonly count: number;
  readonly tookMs: number;
  readonly say: TemplateOptions["say"];
}

function tell({ made, changed, removed, kept }: Report, { count, tookMs, say }: Telling): void {
  const parts = [
    ...(made.length > 0 ? [`made ${made.join(", ")}`] : []),
    ...(changed.length > 0 ? [`changed ${changed.join(", ")}`] : []),
    ...(removed.length > 0 ? [`removed ${removed.join(", ")}`] : []),
  ];
  say("info", `${count} resources: ${parts.join("; ") || "nothing to do"} (${Math.round(tookMs)} ms)`);
  for (const one of kept)
    say("warn", `${one} is no longer in the template, but kept: it holds something, or is to be retained`);
}
