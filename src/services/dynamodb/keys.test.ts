import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { afterPrefix, joinParts, joinPrefix, keyBytes, partitionHash, segmentBounds } from "./keys.ts";
import { compareText } from "./value.ts";

test("strings sort by their UTF-8 bytes, not by UTF-16 units", () => {
  assert.ok(compareText("\uffff", "\u{10000}") < 0);
  fc.assert(
    fc.property(fc.string({ unit: "binary" }), fc.string({ unit: "binary" }), (a, b) => {
      const bytes = Buffer.compare(keyBytes({ S: a }, "S"), keyBytes({ S: b }, "S"));
      assert.equal(Math.sign(compareText(a, b)), Math.sign(bytes));
    }),
  );
});

const part = fc.uint8Array({ maxLength: 6 });
const compareParts = (a: readonly Uint8Array[], b: readonly Uint8Array[]): number =>
  a.map((x, i) => Buffer.compare(x, b[i]!)).find((order) => order !== 0) ?? 0;

test("keys of several parts sort part by part, and a beginning finds exactly its keys", () => {
  fc.assert(
    fc.property(fc.tuple(part, part), fc.tuple(part, part), (a, b) => {
      assert.equal(Math.sign(Buffer.compare(joinParts(a), joinParts(b))), Math.sign(compareParts(a, b)));
      const begins = Buffer.compare(b[1].subarray(0, a[1].length), a[1]) === 0 && Buffer.compare(a[0], b[0]) === 0;
      const from = joinPrefix([a[0]], a[1]);
      const to = afterPrefix(from);
      const key = joinParts(b);
      assert.equal(Buffer.compare(key, from) >= 0 && (!to || Buffer.compare(key, to) < 0), begins);
    }),
  );
});

test("the bytes after a prefix are the least that do not begin with it", () => {
  assert.deepEqual(afterPrefix(Uint8Array.of(1, 0xff)), Uint8Array.of(2));
  assert.equal(afterPrefix(Uint8Array.of(0xff)), undefined);
});

test("segments share all hashes, without gap or overlap", () => {
  for (const total of [1, 2, 3, 7, 4096, 1_000_000]) {
    let end: Uint8Array | undefined = Uint8Array.of(0, 0);
    for (let segment = 0; segment < Math.min(total, 5000); segment++) {
      const { from, to } = segmentBounds(segment, total);
      assert.deepEqual(from, end);
      end = to;
      if (!to) break;
    }
    if (total <= 4096) assert.equal(end, undefined);
  }
});

test("the order of partitions is MD5 over AWS's salt and the key", () => {
  assert.equal(Buffer.from(partitionHash(Buffer.from("a"))).toString("hex"), "f6558e516275dee248591cc7cee85dae");
});
