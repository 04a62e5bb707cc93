// Events a second that are asked of 1 and of 10,000 rules. `node bench/patterns.ts`
import { compilePattern, type Pattern } from "../src/kernel/pattern/pattern.ts";
import { PatternIndex } from "../src/kernel/pattern/pattern-index.ts";
import { median, runAlone, type Table, whole } from "./table.ts";

const RULES = [1, 100, 10_000] as const;
const ROUNDS = 5;
const ROUND_MS = 200;

/** Rules as they are met; each round of events meets one of each kind. `i` tells them apart. */
const KINDS: readonly (readonly [name: string, pattern: (i: number) => object])[] = [
  ["source and detail-type", (i) => ({ source: [`app.${i % 50}`], "detail-type": [`Type ${i}`] })],
  ["a value in the detail", (i) => ({ source: ["app.0"], detail: { order: { id: [`order-${i}`, `old-${i}`] } } })],
  ["a value and a prefix", (i) => ({ "detail-type": [`Type ${i}`], detail: { key: [{ prefix: "images/" }] } })],
  ["a path of its own", (i) => ({ detail: { [`field${i}`]: [{ exists: true }] } })],
  ["a prefix alone", (i) => ({ detail: { key: [{ prefix: `images/${i}/` }] } })],
];

const event = (i: number) =>
  JSON.stringify({
    version: "0",
    id: "6a7e8feb-b491-4cf7-a9f1-bf3703467718",
    "detail-type": `Type ${i}`,
    source: `app.${i % 50}`,
    account: "000000000000",
    time: "2026-11-23T00:00:00Z",
    region: "us-east-1",
    resources: ["arn:aws:s3:::photos"],
    detail: {
      key: `images/${i}/cat.jpg`,
      size: 12345,
      order: { id: `order-${i}`, lines: [{ sku: "a" }, { sku: "b" }] },
    },
  });

export async function measure(): Promise<Table[]> {
  const rows = KINDS.map(([name, patternOf]) => {
    const rates = RULES.map((count) => rate(count, patternOf));
    const loop = loopRate(RULES.at(-1)!, patternOf);
    return [name, ...rates.map(whole), whole(loop)];
  });
  return [
    {
      title: "Patterns",
      note: `Events of ${event(1).length} bytes a second, JSON.parse not among it, one core; medians of ${ROUNDS} rounds. The limit is a loop over ${whole(RULES.at(-1)!)} compiled patterns.`,
      head: ["rules that want", ...RULES.map((count) => `${whole(count)} rule${count > 1 ? "s" : ""}`), "the loop"],
      rows,
    },
  ];
}

function rate(count: number, patternOf: (i: number) => object): number {
  const index = new PatternIndex<number>();
  for (let i = 0; i < count; i++) index.add(compilePattern(JSON.stringify(patternOf(i))), i);
  return perSecond((i) => index.matching(parsed[i % parsed.length]!).length);
}

function loopRate(count: number, patternOf: (i: number) => object): number {
  const patterns: Pattern[] = Array.from({ length: count }, (_, i) => compilePattern(JSON.stringify(patternOf(i))));
  return perSecond((i) => patterns.filter((pattern) => pattern.matches(parsed[i % parsed.length]!)).length);
}

const parsed = Array.from({ length: 64 }, (_, i) => JSON.parse(event(i * 150)) as unknown);

function perSecond(work: (i: number) => number): number {
  const rates = Array.from({ length: ROUNDS }, () => {
    const start = performance.now();
    let done = 0;
    while (performance.now() - start < ROUND_MS) for (let k = 0; k < 4; k++) work(done++);
    return (done * 1000) / (performance.now() - start);
  });
  return median(rates);
}

if (import.meta.main) await runAlone(measure);
