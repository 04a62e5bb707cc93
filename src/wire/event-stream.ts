// application/vnd.amazon.eventstream: each event is a frame of its own, with two checksums.
import { Readable } from "node:stream";
import { crc32 } from "node:zlib";
import { AwsError } from "../kernel/error.ts";
import type { Model, Structure, Union } from "../model/model.ts";
import { textCodec } from "./text.ts";

/** Writes one structure as an event's payload, in the protocol's format. */
export interface Payloads {
  readonly contentType: string;
  write(structure: string, value: unknown): Uint8Array;
}

type HeaderValue = string | number | boolean | Date | Uint8Array;
type Event = Readonly<Record<string, unknown>>;

export interface EventStream {
  readonly model: Model;
  /** Name of the union. */
  readonly union: string;
  readonly payloads: Payloads;
  /** RPC protocols send the answer's other members first. */
  readonly initial?: Uint8Array;
}

/** `{ Records: { Payload } }`... as frames. What the events throw ends the stream with an exception's frame. */
export function eventStream(events: AsyncIterable<Event>, stream: EventStream): Readable {
  return Readable.from(frames(events, stream), { objectMode: false });
}

async function* frames(events: AsyncIterable<Event>, { model, union, payloads, initial }: EventStream) {
  const { members } = model.shapes[union] as Union;
  if (initial)
    yield frame(
      { ":message-type": "event", ":event-type": "initial-response", ":content-type": payloads.contentType },
      initial,
    );
  try {
    for await (const event of events) {
      const name = Object.keys(event).find((key) => members[key] && event[key] !== undefined);
      if (name)
        yield eventFrame(model, name, { structure: members[name]!.shape, value: event[name] as Event, payloads });
    }
  } catch (error) {
    if (!(error instanceof AwsError)) throw error;
    const modelled = Object.entries(members).find(([, m]) => m.shape === error.code);
    const value = { message: error.message, Message: error.message, ...error.fields };
    yield modelled
      ? eventFrame(model, modelled[0], { structure: modelled[1].shape, value, payloads })
      : frame(
          { ":message-type": "error", ":error-code": error.code, ":error-message": error.message },
          new Uint8Array(),
        );
  }
}

function eventFrame(
  model: Model,
  name: string,
  { structure, value, payloads }: { structure: string; value: Event; payloads: Payloads },
): Uint8Array {
  const shape = model.shapes[structure] as Structure;
  const kind = shape.error ? "exception" : "event";
  const headers: Record<string, HeaderValue> = { ":message-type": kind, [`:${kind}-type`]: name };
  const entries = Object.entries(shape.members);
  for (const [member, { event }] of entries)
    if (event === "header" && value[member] !== undefined) headers[member] = value[member] as HeaderValue;
  const [member, traits] = entries.find(([, m]) => m.event === "payload") ?? [];
  if (!member || !traits) {
    if (entries.every(([, m]) => m.event === "header")) return frame(headers, new Uint8Array());
    return frame({ ...headers, ":content-type": payloads.contentType }, payloads.write(structure, value));
  }
  const target = model.shapes[traits.shape]!;
  const content = value[member];
  if (content === undefined) return frame(headers, new Uint8Array());
  if (target.type === "blob")
    return frame({ ...headers, ":content-type": "application/octet-stream" }, content as Uint8Array);
  if (target.type === "structure" || target.type === "union")
    return frame({ ...headers, ":content-type": payloads.contentType }, payloads.write(traits.shape, content));
  const text = textCodec(target as never, traits, { format: "date-time" }).write(content);
  return frame({ ...headers, ":content-type": "text/plain" }, Buffer.from(text, "utf8"));
}

/** Total length, headers' length, CRC of these two; headers; payload; CRC of all before it. */
export function frame(headers: Readonly<Record<string, HeaderValue>>, payload: Uint8Array): Uint8Array {
  const encoded = Buffer.concat(Object.entries(headers).map(([name, value]) => header(name, value)));
  const out = Buffer.alloc(16 + encoded.length + payload.byteLength);
  out.writeUInt32BE(out.length, 0);
  out.writeUInt32BE(encoded.length, 4);
  out.writeUInt32BE(crc32(out.subarray(0, 8)), 8);
  out.set(encoded, 12);
  out.set(payload, 12 + encoded.length);
  out.writeUInt32BE(crc32(out.subarray(0, -4)), out.length - 4);
  return out;
}

function header(name: string, value: HeaderValue): Buffer {
  const key = Buffer.from(name, "utf8");
  return Buffer.concat([Uint8Array.of(key.length), key, headerValue(value)]);
}

function headerValue(value: HeaderValue): Buffer {
  if (typeof value === "boolean") return Buffer.of(value ? 0 : 1);
  if (typeof value === "number" || value instanceof Date) {
    const isInt = typeof value === "number" && Math.abs(value) < 2 ** 31;
    const out = Buffer.alloc(isInt ? 5 : 9);
    out[0] = isInt ? 4 : value instanceof Date ? 8 : 5;
    if (isInt) out.writeInt32BE(value, 1);
    else out.writeBigInt64BE(BigInt(Math.trunc(Number(value))), 1);
    return out;
  }
  const content = typeof value === "string" ? Buffer.from(value, "utf8") : Buffer.from(value);
  const out = Buffer.alloc(3 + content.length);
  out[0] = typeof value === "string" ? 7 : 6;
  out.writeUInt16BE(content.length, 1);
  out.set(content, 3);
  return out;
}
