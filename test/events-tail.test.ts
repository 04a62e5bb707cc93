// `aws-like events tail`: what passes the buses is shown as it passes.
import assert from "node:assert/strict";
import { test } from "node:test";
import { launch, run } from "./bin.ts";
import { busArn, entry, eventsOf, listen } from "./bus.ts";
import { startCloud } from "./cloud.ts";

test("events tail shows what passes, the rules that it meets, and what its bus and pattern ask for alone", async () => {
  await using cloud = await startCloud();
  const events = eventsOf(cloud);
  await events.createEventBus({ Name: "orders" });
  await listen(events, {
    Name: "big",
    EventBusName: "orders",
    EventPattern: { detail: { n: [{ numeric: [">", 1] }] } },
  });
  const tail = (...args: string[]) => launch(["events", "tail", "--endpoint", cloud.endpoint, ...args]);
  await using all = await tail();
  await using some = await tail("--bus", "orders", "--pattern", '{"detail":{"n":[2]}}', "--json");
  for (const one of [all, some]) await one.until(/^watching /m);
  const put = (n: number, EventBusName: string) => entry({ n }, { EventBusName });
  await events.putEvents({ Entries: [put(1, "orders"), put(2, "default"), put(2, "orders")] });
  await all.until(/orders {2}app "t" -> big {2}\{"n":2\}\n/);
  assert.match(all.said(), /Z {2}orders {2}app "t" -> no rule {2}\{"n":1\}\n.*Z {2}default {2}app "t" -> no rule/);
  await some.until(/"rules"/);
  const [line, ...more] = some
    .said()
    .split("\n")
    .filter((said) => said.startsWith("{"));
  const { bus, rules, event } = JSON.parse(line!) as { bus: string; rules: string[]; event: { detail: object } };
  assert.deepEqual([bus, rules, event.detail, more], [busArn("orders"), ["big"], { n: 2 }, []]);
  for (const one of [all, some]) await one.stop();
  // Whoever left is no longer written to.
  await events.putEvents({ Entries: [put(3, "orders")] });

  const wrong = await run(["events", "tail", "--endpoint", cloud.endpoint, "--pattern", '{"a":1}']);
  assert.deepEqual(
    [wrong.code, /^aws-like: Event pattern is not valid\. Reason: /.test(wrong.stderr)],
    [1, true],
    wrong.stderr,
  );
  const unknown = await run(["events", "watch"]);
  assert.deepEqual(
    [unknown.code, unknown.stderr],
    [1, "aws-like: say: aws-like events tail [--bus BUS] [--pattern JSON]\n"],
  );
});
