import assert from "node:assert/strict";
import { test } from "node:test";
import { openSqlite } from "../store/sqlite.ts";
import type { Store } from "../store/store.ts";
import { MovableClock } from "./clock.ts";
import type { NewWork, Principal, Work } from "./context.ts";
import { AwsError } from "./error.ts";
import { type Carrier, Post, postMigrations } from "./post.ts";

const principal: Principal = { kind: "service", name: "s3.amazonaws.com", account: "000000000000" };
const from = { account: "000000000000", region: "us-east-1", principal, requestId: "cause-1" };
const TO = "arn:aws:lambda:us-east-1:000000000000:function:f";
const retry = { waitsMs: [1_000, 5_000], attempts: 3 };

interface Rig extends AsyncDisposable {
  readonly store: Store;
  readonly clock: MovableClock;
  readonly post: Post;
  readonly delivered: Work[];
  readonly givenUp: Work[];
  put(work: Partial<NewWork>): Promise<void>;
}

async function rig(deliver: (work: Work) => Promise<void> = async () => undefined, store?: Store): Promise<Rig> {
  const own = store ?? (await openSqlite(":memory:"));
  await own.migrate("kernel", postMigrations);
  const clock = new MovableClock();
  clock.freeze(1_000_000);
  const delivered: Work[] = [];
  const givenUp: Work[] = [];
  const carrier: Carrier = {
    async deliver(work) {
      delivered.push(work);
      await deliver(work);
    },
    async giveUp(work, _place, _error, forget) {
      givenUp.push(work);
      await own.write(async (tx) => void (await forget(tx)));
    },
    failed: () => undefined,
    trouble: (error) => assert.fail(String(error)),
  };
  const post = new Post(own, clock, carrier, { shared: false });
  await post.start();
  return {
    store: own,
    clock,
    post,
    delivered,
    givenUp,
    async put(work) {
      const leased = await own.write((tx) => post.put(tx, { to: TO, payload: {}, ...work }, from, 0));
      post.dispatch(leased ? [leased] : [], from);
    },
    async [Symbol.asyncDispose]() {
      await post[Symbol.asyncDispose]();
      if (!store) await own.close();
    },
  };
}

const left = (store: Store): Promise<number> =>
  store.read(async (tx) => (await tx.one<{ n: number }>("SELECT COUNT(*) AS n FROM work"))!.n);

test("work that is due is delivered once and forgotten", async () => {
  await using r = await rig();
  await r.put({ payload: { hello: "world" } });
  await r.post.settled();
  assert.deepEqual(
    r.delivered.map((w) => w.payload),
    [{ hello: "world" }],
  );
  assert.equal(r.delivered[0]!.cause, "cause-1");
  assert.deepEqual(r.delivered[0]!.as, principal);
  assert.equal(await left(r.store), 0);
});

test("work that is due later waits for the clock", async () => {
  await using r = await rig();
  await r.put({ due: r.clock.now() + 60_000 });
  await r.post.settled();
  assert.equal(r.delivered.length, 0);
  r.clock.advance(60_000);
  await r.post.settled();
  assert.equal(r.delivered.length, 1);
});

test("a failed delivery is tried again after its waits, then given up", async () => {
  await using r = await rig(() => Promise.reject(new Error("down")));
  await r.put({ retry });
  await r.post.settled();
  assert.equal(r.delivered.length, 1);
  r.clock.advance(1_000);
  await r.post.settled();
  assert.equal(r.delivered.length, 2);
  r.clock.advance(4_999);
  await r.post.settled();
  assert.equal(r.delivered.length, 2);
  r.clock.advance(1);
  await r.post.settled();
  assert.deepEqual(
    r.delivered.map((w) => w.attempt),
    [1, 2, 3],
  );
  assert.equal(r.givenUp.length, 1);
  assert.equal(await left(r.store), 0);
});

test("a refusal is given up at once, throttling is not", async () => {
  await using refused = await rig(() => Promise.reject(new AwsError("AccessDenied", 403, "no")));
  await refused.put({ retry });
  await refused.post.settled();
  assert.equal(refused.givenUp.length, 1);
  await using throttled = await rig(() => Promise.reject(new AwsError("TooManyRequestsException", 429, "slow")));
  await throttled.put({ retry });
  for (let seconds = 0; seconds < 60; seconds++) {
    await throttled.post.settled();
    throttled.clock.advance(1_000);
  }
  await throttled.post.settled();
  assert.ok(throttled.delivered.length > retry.attempts, "throttling uses up no attempt");
  assert.ok(throttled.delivered.every(({ attempt }) => attempt === 1));
  assert.equal(throttled.givenUp.length, 0);
});

test("work older than its greatest age is given up", async () => {
  await using r = await rig(() => Promise.reject(new Error("down")));
  await r.put({ retry: { waitsMs: [1_000], attempts: 100, maxAgeMs: 2_500 } });
  for (let second = 0; second < 5; second++) {
    await r.post.settled();
    r.clock.advance(1_000);
  }
  await r.post.settled();
  assert.equal(r.delivered.length, 3);
  assert.equal(r.givenUp.length, 1);
});

test("work of a transaction that is rolled back never was", async () => {
  await using r = await rig();
  const failing = r.store.write(async (tx) => {
    await r.post.put(tx, { to: TO, payload: {} }, from, 0);
    throw new Error("changed my mind");
  });
  await assert.rejects(failing, /changed my mind/);
  await r.post.settled();
  assert.equal(await left(r.store), 0);
  assert.equal(r.delivered.length, 0);
});

test("what was being delivered when the process died is delivered by the next one", async () => {
  const store = await openSqlite(":memory:");
  await store.migrate("kernel", postMigrations);
  const dead = new Post(
    store,
    new MovableClock(),
    {
      deliver: async () => undefined,
      giveUp: async () => undefined,
      failed: () => undefined,
      trouble: () => undefined,
    },
    { shared: false },
  );
  await store.write((tx) => dead.put(tx, { to: TO, payload: "left over" }, from, 0)); // leased, never dispatched
  {
    await using r = await rig(undefined, store);
    r.clock.freeze(Date.now() + 1_000);
    r.post.wake();
    await r.post.settled();
    assert.deepEqual(
      r.delivered.map((w) => w.payload),
      ["left over"],
    );
  }
  await store.close();
});

test("one slow target does not hold up another, and no target has more than 64 deliveries at once", async () => {
  const gate = Promise.withResolvers<void>();
  let running = 0;
  let most = 0;
  await using r = await rig(async (work) => {
    if (work.to !== TO) return;
    most = Math.max(most, ++running);
    await gate.promise;
    running--;
  });
  for (let i = 0; i < 100; i++) await r.put({});
  await r.put({ to: `${TO}-other`, payload: "other" });
  while (!r.delivered.some((w) => w.payload === "other")) await new Promise(setImmediate);
  gate.resolve();
  await r.post.settled();
  assert.equal(most, 64);
  assert.equal(r.delivered.length, 101);
  assert.equal(await left(r.store), 0);
});

test("a backlog of one target hides nobody's work when the clock makes it due", async () => {
  const gate = Promise.withResolvers<void>();
  await using r = await rig((work) => (work.to === TO ? gate.promise : Promise.resolve()));
  const due = r.clock.now() + 1_000;
  for (let i = 0; i < 400; i++) await r.put({ due });
  await r.put({ to: `${TO}-other`, payload: "other", due });
  r.clock.advance(1_000);
  while (!r.delivered.some((w) => w.payload === "other")) await new Promise(setImmediate);
  gate.resolve();
  await r.post.settled();
  assert.equal(r.delivered.length, 401);
});

test("targets whose work is due later cost nothing now, however many they are", async () => {
  const store = await openSqlite(":memory:");
  {
    await using r = await rig(undefined, store);
    const due = r.clock.now() + 3_600_000;
    await store.write(async (tx) => {
      for (let i = 0; i < 500; i++) await r.post.put(tx, { to: `${TO}-${i}`, payload: {}, due }, from, 0);
    });
    await r.post.settled();
    let reads = 0;
    const { read } = store;
    store.read = (work) => {
      reads++;
      return read.call(store, work) as never;
    };
    await r.put({});
    await r.post.settled();
    assert.equal(r.delivered.length, 1);
    assert.ok(reads < 50, `${reads} reads`);
  }
  await store.close();
});
