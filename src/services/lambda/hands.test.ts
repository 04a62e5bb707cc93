import assert from "node:assert/strict";
import { test } from "node:test";
import { Hands } from "./hands.ts";

test("of one function so many run at once, the next in the order in which they asked; others are not held up", async () => {
  const hands = new Hands(1);
  const order: string[] = [];
  const first = await hands.take("slow");
  const waiting = ["second", "third"].map(async (name) => {
    await using _hand = await hands.take("slow");
    order.push(name);
  });
  await (await hands.take("other"))[Symbol.asyncDispose]();
  assert.deepEqual(order, []);
  await first[Symbol.asyncDispose]();
  await Promise.all(waiting);
  assert.deepEqual(order, ["second", "third"]);
  await (await hands.take("slow"))[Symbol.asyncDispose]();
});
