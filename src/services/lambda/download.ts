// GetFunction's Code.Location: a URL that gives the archive to whoever has it, for ten minutes, as on AWS.
import { createHmac, timingSafeEqual } from "node:crypto";
import { createReadStream } from "node:fs";
import { stat } from "node:fs/promises";
import { pathToFileURL } from "node:url";
import type { Context, HttpAnswer, HttpRequest, Site } from "../../kernel/mod.ts";
import { codeZip } from "./code.ts";
import type { FunctionRow } from "./configuration.ts";
import { runtimeOf } from "./runtime.ts";

const PREFIX = "/_lambda/code/";
const VALID_MS = 600_000;

// The key is the process's own: a URL lives no longer than what signed it.
const sign = (ctx: Context, name: string, expires: number): string =>
  createHmac("sha256", runtimeOf(ctx).secret).update(`${name}\n${expires}`).digest("hex");

/** Of live code: where it lies. */
export function codeLocation(ctx: Context, row: FunctionRow): string {
  return row.live === null ? locationOf(ctx, row.code_sha256) : pathToFileURL(row.live).href;
}

/** Of a staged archive: a function's or a layer's. */
export function locationOf(ctx: Context, sha256: string): string {
  const name = Buffer.from(sha256, "base64").toString("hex");
  const expires = ctx.now + VALID_MS;
  return `${ctx.endpoint}${PREFIX}${name}?Expires=${expires}&Signature=${sign(ctx, name, expires)}`;
}

export const download: Site = {
  matches: (request) => request.method === "GET" && request.path.startsWith(PREFIX),
  async handle(ctx: Context, request: HttpRequest): Promise<HttpAnswer> {
    const name = request.path.slice(PREFIX.length);
    const query = new URLSearchParams(request.query);
    const expires = Number(query.get("Expires"));
    const given = Buffer.from(query.get("Signature") ?? "");
    const right = Buffer.from(sign(ctx, name, expires));
    if (given.length !== right.length || !timingSafeEqual(given, right) || ctx.now > expires)
      return { status: 403, headers: { "content-type": "text/plain" }, body: "The link is wrong, or has expired.\n" };
    const path = codeZip(ctx.config.dir, Buffer.from(name, "hex").toString("base64"));
    const { size } = await stat(path);
    return {
      status: 200,
      headers: { "content-type": "application/zip", "content-length": String(size) },
      body: createReadStream(path),
    };
  },
};
