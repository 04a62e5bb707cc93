// Who is given which execution environment, and when one ends.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { openPool, type Pool, type PoolOptions, type WorkerKey } from "./pool.ts";
import { openWorld, type World } from "./sandbox.fixture.ts";
import type { Worker } from "./sandbox.ts";

const TIME = { timeout: 20_000 };
let world: World;
before(async () => {
  world = await openWorld();
});
after(() => world[Symbol.asyncDispose]());

const A1: WorkerKey = { functionKey: "a", revision: "1" };
const A2: WorkerKey = { functionKey: "a", revision: "2" };
const B1: WorkerKey = { functionKey: "b", revision: "1" };

const open = (options: PoolOptions = {}): Pool => openPool(world.sandbox, options);
const start = async (): Promise<Worker> =>
  (await world.try({ "lambda.sh": `handler() { sleep 0.1; echo "$1"; }` })).worker;
const invocation = {
  requestId: "8b3f6c2e",
  event: Buffer.from("1"),
  functionArn: "arn",
  deadlineMs: 0,
  timeoutMs: 5_000,
  traceId: "Root=1",
};

async function use(pool: Pool, key: WorkerKey): Promise<Worker> {
  const worker = await pool.acquire(key, start);
  await worker.invoke(invocation);
  pool.release(worker);
  await worker.settled();
  await new Promise(setImmediate);
  return worker;
}

test("a warm environment is used again for the same revision, and only for that", TIME, async () => {
  await using pool = open();
  const first = await use(pool, A1);
  assert.equal(await use(pool, A1), first);
  assert.notEqual(await use(pool, A2), first);
  assert.notEqual(await use(pool, B1), first);
  assert.deepEqual(pool.size, { busy: 0, idle: 3, waiting: 0 });
});

test("two invocations at once get two environments", TIME, async () => {
  await using pool = open();
  const [first, second] = await Promise.all([pool.acquire(A1, start), pool.acquire(A1, start)]);
  assert.notEqual(first, second);
  assert.equal(pool.size.busy, 2);
});

test("retire ends idle environments now and busy ones at their release", TIME, async () => {
  await using pool = open();
  const idle = await use(pool, A1);
  const busy = await pool.acquire(A2, start);
  const other = await use(pool, B1);
  const answer = busy.invoke(invocation);
  await pool.retire("a");
  assert.deepEqual([idle.state, other.state], ["dead", "warm"]);
  assert.notEqual(busy.state, "dead");
  assert.equal(Buffer.from((await answer).payload).toString(), "1");
  pool.release(busy);
  await pool.retire("a");
  while (pool.size.busy > 0) await new Promise(setImmediate);
  assert.equal(busy.state, "dead");
});

test("an environment that nobody uses ends after its idle time", TIME, async () => {
  await using pool = open({ idleMs: 20 });
  const worker = await use(pool, A1);
  while (worker.state !== "dead") await new Promise((resolve) => setTimeout(resolve, 5));
  assert.notEqual(await use(pool, A1), worker);
});

test(
  "at the limit an idle environment of another function makes room, and a busy one is waited for",
  TIME,
  async () => {
    await using pool = open({ maxWorkers: 1 });
    const idle = await use(pool, A1);
    const busy = await pool.acquire(B1, start);
    assert.equal(idle.state, "dead");
    const answer = busy.invoke(invocation);
    const waiting = pool.acquire(B1, start);
    assert.equal(pool.size.waiting, 1);
    await answer;
    pool.release(busy);
    assert.equal(await waiting, busy);
  },
);

test("a start that fails is told to who asked, and takes no place", TIME, async () => {
  await using pool = open({ maxWorkers: 1 });
  await assert.rejects(
    pool.acquire(A1, () => Promise.reject(new Error("no role"))),
    /no role/,
  );
  await use(pool, A1);
});

test("a dead environment is not given out again", TIME, async () => {
  await using pool = open();
  const worker = await pool.acquire(A1, start);
  await worker[Symbol.asyncDispose]();
  pool.release(worker);
  assert.notEqual(await use(pool, A1), worker);
});

test("a closed pool has ended all its environments and refuses more", TIME, async () => {
  const pool = open();
  const idle = await use(pool, A1);
  const busy = await pool.acquire(A2, start);
  await pool[Symbol.asyncDispose]();
  assert.deepEqual([idle.state, busy.state], ["dead", "dead"]);
  await assert.rejects(pool.acquire(A1, start), /closed/);
});
