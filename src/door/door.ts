// The life of a request, in eight steps: find, authenticate, read, validate, authorize, handle, write, log.
import type { Readable } from "node:stream";
import { type Action, type Context, makeContext, type World } from "../kernel/context.ts";
import { AwsError } from "../kernel/error.ts";
import { newRequestId, parseArn } from "../kernel/names.ts";
import type { AnyService, Controls, Demand, Gate, Handler } from "../kernel/service.ts";
import type { ServiceName } from "../kernel/types.ts";
import type { HttpAnswer, HttpRequest } from "../model/http.ts";
import type { Model } from "../model/model.ts";
import { validate } from "../model/validate.ts";
import { withValues } from "../model/verbatim.ts";
import * as wire from "../wire/wire.ts";
import { authenticate, type Caller } from "./authenticate.ts";
import { authorizer } from "./authorize.ts";
import { entity, readBody } from "./body.ts";
import { type Found, find, isForm, noService, spoken } from "./find.ts";
import { isPostedForm, openForm } from "./post-form.ts";
import { incompleteBody, internalError, invalid, notImplemented, unknownOperation } from "./refusals.ts";
import { type Family, familyOf } from "./signature.ts";

export interface Door {
  /** Never throws: what goes wrong is an answer. */
  answer(request: HttpRequest, signal: AbortSignal): Promise<HttpAnswer>;
  /** A call from within: no HTTP, no signature; validated, authorized and logged like any other. */
  call: World["call"];
  /** What is no operation: authorized, disturbed by chaos, answered by the resource's service. */
  ask: World["ask"];
  action: World["action"];
  verifyMfa: World["verifyMfa"];
  controls: World["controls"];
}

/** What is known of a request that was found. */
interface Target {
  readonly service: AnyService;
  readonly model: Model;
  readonly family: Family;
  readonly route: wire.Route;
  readonly request: HttpRequest;
}

export function openDoor(world: World, services: readonly AnyService[]): Door {
  const byName = new Map<string, AnyService>(services.map((service) => [service.name, service]));
  const models = new Map(services.map((service) => [service.name as string, service.model]));
  const sites = services.flatMap((service) => (service.sites ?? []).map((site) => ({ site, from: service.name })));
  const identities = services.flatMap((service) => service.identity ?? []);
  const authorize = authorizer(byName, identities);
  return { answer, call, ask, action, verifyMfa, controls };

  async function answer(request: HttpRequest, signal: AbortSignal): Promise<HttpAnswer> {
    let requestId = newRequestId();
    const startedAt = performance.now();
    let form: URLSearchParams | undefined;
    let found: Found | undefined;
    let target: Target | undefined;
    let caller: Caller | undefined;
    let failure: AwsError | undefined;
    let written: HttpAnswer;
    try {
      const at = sites.find(({ site }) => site.matches(request));
      if (at) {
        requestId = byName.get(at.from)!.quirks?.requestId?.() ?? requestId;
        const of = { from: at.from, signal, request };
        const gate = gateOf(requestId, of);
        const said = await at.site.handle(contextOf(requestId, of), request, gate);
        if (at.site.name !== undefined)
          logSite(at.site.name, { ...of, requestId, startedAt, caller: gate.caller, said });
        return said;
      }
      let whole = isForm(request) ? await readBody(request.body) : undefined;
      form = whole && new URLSearchParams(whole.toString("utf8"));
      found = find(request, models, { form }); // 1
      if (found) requestId = byName.get(found.service)!.quirks?.requestId?.() ?? requestId;
      if (found && isPostedForm(found)) found = { ...found, request: await openForm(found.request) };
      const asked = request.method === "OPTIONS" && found && byName.get(found.service)!.quirks?.preflight;
      if (asked) return await asked(contextOf(requestId, { from: found!.service, signal }), found!.request);
      target = resolve(request, found, form);
      if (target.family !== "s3") whole ??= await readBody(request.body);
      const { family, service } = target;
      const signed = found?.request.form ? found.request : request;
      const question = {
        request: signed,
        family,
        service: target.model.signingName,
        body: whole,
        path: target.request.path,
      };
      caller = await authenticate(contextOf(requestId, { from: "door", signal }), identities, question); // 2
      const ctx = contextOf(requestId, { from: service.name, signal, caller, request: target.request });
      const handler = handlerOf(service, target.route.operation);
      const input = await read(target, caller, whole); // 3
      const output = await perform(
        ctx,
        { service, model: target.model, family, operation: target.route.operation, request: target.request },
        handler,
        input,
      ); // 4, 5, 6
      written = write(target, output, requestId); // 7
    } catch (error) {
      // A client that went away in the middle of its body is no defect of ours.
      failure = request.body.errored ? incompleteBody() : expected(error, target?.family ?? "s3");
      if (failure.status >= 500 && failure.code !== "NotImplemented") complain(requestId, target, error);
      written = writeError({ request, form, found, target }, failure, requestId);
    }
    if (found && request.headers.origin !== undefined) written = await dressed(found, written, { requestId, signal });
    logRequest({ requestId, startedAt, request, target, caller, failure, answer: written }); // 8
    return written;
  }

  async function call(
    ctx: Context,
    { service: name, operation, input, request, via }: Parameters<World["call"]>[1],
  ): Promise<unknown> {
    const service = byName.get(name);
    if (!service) throw new AwsError("NotImplemented", 501, `aws-like has no service ${name}`);
    const startedAt = performance.now();
    const model = service.model();
    const family = familyOf(model.protocols[0]!);
    let failure: AwsError | undefined;
    try {
      const performed = { service, model, family, operation, request, via };
      return withValues(await perform(ctx, performed, handlerOf(service, operation), input));
    } catch (error) {
      if (error instanceof AwsError) failure = error;
      throw error;
    } finally {
      const fields = {
        principal: nameOf(ctx.principal),
        tookMs: since(startedAt),
        ...(failure && errorFields(failure)),
      };
      ctx.log.debug(`${operation}${failure ? ` ${failure.code}` : ""}`, { ...fields, internal: true });
    }
  }

  async function ask(ctx: Context, { resource, input }: Parameters<World["ask"]>[1]): Promise<unknown> {
    const service = byName.get(parseArn(resource)?.service ?? "");
    if (!service?.answering) throw new AwsError("NotImplemented", 501, `nothing here answers for ${resource}`);
    const model = service.model();
    const demand = service.answering.access(resource);
    await authorize(ctx, { family: familyOf(model.protocols[0]!), service: service.name, demand });
    const operation = demand.action.split(":")[1]!;
    if (world.chaos.on) await disturb(ctx, { service, model, operation, demand, internal: true });
    return service.answering.answer(ctx, resource, input);
  }

  function action(name: string, wanted: string): Action | undefined {
    const called = name.toLowerCase();
    const service = services.find((each) => each.model().serviceId.replaceAll(" ", "").toLowerCase() === called);
    if (!service) return undefined;
    const model = service.model();
    const operation = Object.keys(service.operations).find((each) => each.toLowerCase() === wanted.toLowerCase());
    if (operation === undefined || wire.readsBody(model, operation) === "stream") return undefined;
    const input = (json: unknown) => wire.document(model, operation, json);
    return { service: service.name as ServiceName, operation, input };
  }

  async function controls(ctx: Context, account: string): Promise<Controls | undefined> {
    for (const identity of identities) {
      const found = await identity.controls?.(ctx, account);
      if (found) return found;
    }
    return undefined;
  }

  async function verifyMfa(ctx: Context, of: Parameters<World["verifyMfa"]>[1]): Promise<boolean> {
    for (const identity of identities) {
      const verified = await identity.mfa?.(ctx, of);
      if (verified !== undefined) return verified;
    }
    return false;
  }

  function resolve(request: HttpRequest, found: Found | undefined, form: URLSearchParams | undefined): Target {
    if (!found) throw unknownOperation(familyOf(spoken(request, form)), request, form);
    const service = byName.get(found.service)!;
    const model = service.model();
    const family = familyOf(found.protocol);
    const meant = found.request.form && service.quirks?.form ? service.quirks.form(found.request) : found.request;
    const modelled = () => wire.route(model, found.protocol, meant, form);
    const route = service.quirks?.route ? service.quirks.route(meant, modelled) : modelled();
    if (!route) throw unknownOperation(family, request, form);
    return { service, model, family, route, request: meant };
  }

  async function read(
    { service, model, family, route, request }: Target,
    caller: Caller,
    whole: Buffer | undefined,
  ): Promise<unknown> {
    const wants = wire.readsBody(model, route.operation);
    let body: Uint8Array | Readable = whole ?? EMPTY;
    let bodied = request;
    if (family === "s3" && wants !== "none") {
      bodied = entity(request, caller.verified);
      body = wants === "stream" ? bodied.body : await readBody(bodied.body);
    }
    const input = wire.input(model, route, bodied, body);
    const bytes = body instanceof Uint8Array ? body : undefined;
    return service.quirks?.input ? service.quirks.input(route.operation, input, bodied, bytes) : input;
  }

  async function perform(
    ctx: Context,
    { service, model, family, operation, request, via }: Performed,
    handler: Handler<never, never>,
    input: unknown,
  ): Promise<unknown> {
    const violations = validate(model, operation, input);
    if (violations.length > 0) {
      const fault = service.quirks?.invalid?.(operation, violations);
      if (fault !== null) throw fault ?? invalid(family, violations);
    }
    const rule = handler.access(ctx, input as never);
    const demand = rule instanceof Promise ? await rule : rule;
    const deciding = authorize(ctx, { family, service: service.name, demand, request, via });
    if (deciding) await deciding;
    if (world.chaos.on) await disturb(ctx, { service, model, operation, demand, internal: request === undefined });
    return await handler.handle(ctx, input as never);
  }

  function write({ service, model, route, request }: Target, output: unknown, requestId: string): HttpAnswer {
    const answer = wire.output(model, route, output, requestId);
    return service.quirks?.output ? service.quirks.output(route.operation, output, answer, request) : answer;
  }

  function writeError({ request, form, found, target }: Known, failure: AwsError, requestId: string): HttpAnswer {
    const service = found && byName.get(found.service);
    const protocol = found?.protocol ?? spoken(request, form);
    const operation = target?.route.operation;
    const answer = wire.error(service?.model() ?? noService, protocol, operation, failure, requestId);
    return service?.quirks?.error ? service.quirks.error(operation, failure, answer, found!.request) : answer;
  }

  /** A defect here costs a page its headers, nobody an answer. */
  async function dressed(
    { service, request }: Found,
    answer: HttpAnswer,
    { requestId, signal }: { requestId: string; signal: AbortSignal },
  ): Promise<HttpAnswer> {
    const dress = byName.get(service)!.quirks?.dress;
    if (!dress) return answer;
    const ctx = contextOf(requestId, { from: service, signal });
    try {
      return await dress(ctx, request, answer);
    } catch (error) {
      ctx.log.error(error instanceof Error ? (error.stack ?? error.message) : String(error));
      return answer;
    }
  }

  function contextOf(
    requestId: string,
    of: { from: string; signal: AbortSignal; caller?: Caller; request?: HttpRequest },
  ): Context {
    const { caller, from, signal, request } = of;
    const running = caller?.accessKeyId === undefined ? undefined : world.causes.get(caller.accessKeyId);
    return makeContext(world, {
      principal: caller?.principal ?? { kind: "anonymous" },
      account: caller?.account ?? world.config.account,
      region: caller?.region ?? world.config.region,
      requestId,
      from,
      signal,
      ...(running && { cause: running.cause }),
      trace: running?.trace ?? traceOf(request),
      ...(request && { request }),
    });
  }

  /** What an SDK in a function sends along; so may anybody. */
  function traceOf(request: HttpRequest | undefined): string | undefined {
    const trace = request?.headers["x-amzn-trace-id"];
    return trace !== undefined && trace.length <= LONGEST_TRACE ? trace : undefined;
  }

  /** `caller`: who entered, if anybody did. */
  function gateOf(
    requestId: string,
    of: { from: string; signal: AbortSignal; request: HttpRequest },
  ): Gate & { readonly caller: Caller | undefined } {
    const { from, request } = of;
    const model = byName.get(from)!.model();
    const family = familyOf(model.protocols[0]!);
    let caller: Caller | undefined;
    return {
      get caller() {
        return caller;
      },
      read: (limit) => readBody(request.body, limit),
      async enter(body) {
        const question = { request, family, service: model.signingName, body, path: request.path };
        caller = await authenticate(contextOf(requestId, of), identities, question);
        const { accessKeyId } = caller;
        return { ctx: contextOf(requestId, { ...of, caller }), ...(accessKeyId !== undefined && { accessKeyId }) };
      },
      authorize: async (ctx, demand) => authorize(ctx, { family, service: from, demand, request, unsigned: true }),
    };
  }

  function logSite(
    name: string,
    of: { from: string; requestId: string; startedAt: number; request: HttpRequest; caller?: Caller; said: HttpAnswer },
  ): void {
    const { from, requestId, startedAt, request, caller, said } = of;
    const code = said.headers["x-amzn-errortype"];
    contextOf(requestId, { from, signal: NEVER, ...(caller && { caller }) }).log.debug(`${name} ${code ?? "ok"}`, {
      subject: request.path,
      principal: caller && nameOf(caller.principal),
      ...(caller ? { key: caller.accessKeyId } : claimed(request)),
      status: said.status,
      tookMs: since(startedAt),
      ...(code !== undefined && { code }),
    });
  }

  function complain(requestId: string, target: Target | undefined, error: unknown): void {
    const text = error instanceof Error ? (error.stack ?? error.message) : String(error);
    contextOf(requestId, { from: target?.service.name ?? "door", signal: NEVER }).log.error(text);
  }

  function logRequest(of: Logged): void {
    const { requestId, startedAt, request, target, caller, failure, answer } = of;
    const tookMs = since(startedAt);
    const fields = {
      subject: target?.request.path,
      principal: caller && nameOf(caller.principal),
      ...(caller ? { key: caller.accessKeyId } : target && claimed(target.request)),
      status: answer.status,
      tookMs,
      ...(failure && errorFields(failure)),
    };
    const ctx = contextOf(requestId, { from: target?.service.name ?? "door", signal: NEVER, caller });
    ctx.log.debug(`${target?.route.operation ?? "?"} ${failure ? failure.code : "ok"}`, fields);
    if (target) {
      const { operation, labels } = target.route;
      target.service.answered?.(ctx, { request, operation, labels, answer, code: failure?.code, tookMs });
    }
  }
}

/** An operation to be done; without a request it is a call from within. */
interface Performed {
  readonly service: AnyService;
  readonly model: Model;
  readonly family: Family;
  readonly operation: string;
  readonly request?: HttpRequest | undefined;
  /** The service that asks on behalf of its own caller. */
  readonly via?: string | undefined;
}

/** How far a request that failed had come. */
interface Known {
  readonly request: HttpRequest;
  readonly form: URLSearchParams | undefined;
  readonly found: Found | undefined;
  readonly target: Target | undefined;
}

interface Logged {
  readonly requestId: string;
  readonly startedAt: number;
  readonly target: Target | undefined;
  readonly caller: Caller | undefined;
  readonly failure: AwsError | undefined;
  readonly request: HttpRequest;
  readonly answer: HttpAnswer;
}

const EMPTY = new Uint8Array();

const disturb = (
  ctx: Context,
  of: { service: AnyService; model: Model; operation: string; demand: Demand; internal: boolean },
): Promise<void> =>
  ctx.chaos.disturb(ctx, {
    service: of.service.name,
    operation: of.operation,
    query: of.model.protocols[0] === "query",
    resources: of.demand === "public" ? [] : [of.demand].flat().map(({ resource }) => resource),
    internal: of.internal,
  });
/** AWS refuses none of any length; what is longer is nobody's trace. */
const LONGEST_TRACE = 1024;
const NEVER = new AbortController().signal;

function handlerOf(service: AnyService, operation: string): Handler<never, never> {
  const handler = service.operations[operation];
  if (!handler) throw notImplemented(service.name, operation);
  return handler;
}

/** What was not thrown on purpose is a defect: its text stays in the log. */
const expected = (error: unknown, family: Family): AwsError =>
  error instanceof AwsError ? error : internalError(family);

const since = (startedAt: number): number => Math.round((performance.now() - startedAt) * 1000) / 1000;

const nameOf = (principal: Caller["principal"]): string =>
  "arn" in principal ? principal.arn : principal.kind === "anonymous" ? "anonymous" : principal.name;

/** What a request that was not authenticated said of itself, whatever is wrong with it: for `why`. */
function claimed({ headers, query }: HttpRequest) {
  const text = `${headers.authorization ?? ""}&${query.replaceAll("%2F", "/")}`;
  const [, key = /AWSAccessKeyId=([^&]*)/.exec(query)?.[1], day, region, service] =
    /Credential=([^/,&\s]*)(?:\/([^/]*)\/([^/]*)\/([^/,&\s]*))?/.exec(text) ?? [];
  const dated = /X-Amz-Date=([^&]*)/.exec(query)?.[1] ?? headers["x-amz-date"] ?? headers.date;
  return {
    key,
    scope: day && `${day}/${region}/${service}`,
    dated,
    token: hasToken(headers, query) || undefined,
  };
}

const hasToken = (headers: HttpRequest["headers"], query: string): boolean =>
  headers["x-amz-security-token"] !== undefined || query.includes("X-Amz-Security-Token=");

const errorFields = ({ code, status, message }: AwsError) => ({ code, status, message });
