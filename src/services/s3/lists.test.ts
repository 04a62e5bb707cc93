import assert from "node:assert/strict";
import { test } from "node:test";
import {
  ListObjectsCommand,
  ListObjectsV2Command,
  type ListObjectsV2CommandInput,
  ListObjectVersionsCommand,
  PutObjectCommand,
  RestoreObjectCommand,
} from "@aws-sdk/client-s3";
import { getSignedUrl } from "@aws-sdk/s3-request-presigner";
import fc from "fast-check";
import { failure, startCloudWithBuckets } from "../../../test/s3.ts";
import { afterPrefix, compareStored, keyOf, storedKey } from "./keys.ts";
import { fromMarker, readPage } from "./listing.ts";

const { newBucket, s3 } = await startCloudWithBuckets();

async function bucketWith(keys: readonly string[]): Promise<string> {
  const { Bucket } = await newBucket();
  await Promise.all(keys.map((Key) => s3.send(new PutObjectCommand({ Bucket, Key, Body: "" }))));
  return Bucket;
}

const v2 = async (Bucket: string, more: Partial<ListObjectsV2CommandInput> = {}) => {
  const answer = await s3.send(new ListObjectsV2Command({ Bucket, ...more }));
  const keys = answer.Contents?.map(({ Key }) => Key!) ?? [];
  const prefixes = answer.CommonPrefixes?.map(({ Prefix }) => Prefix!) ?? [];
  return { ...answer, keys, prefixes };
};

test("keys are listed in the order of their UTF-8 bytes", async () => {
  const keys = ["a", "a/", "a0", "b", "B", "é", "z", "\u{FF5E}", "\u{1F600}", " ", "~"];
  const Bucket = await bucketWith(keys);
  const sorted = keys.toSorted((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)));
  assert.deepEqual((await v2(Bucket)).keys, sorted);
  assert.ok(sorted.indexOf("\u{FF5E}") < sorted.indexOf("\u{1F600}"));
});

test("a delimiter rolls keys up into common prefixes, counted as keys", async () => {
  const Bucket = await bucketWith(["photos/2024/a", "photos/2024/b", "photos/2025/c", "photos/top", "readme"]);
  const root = await v2(Bucket, { Delimiter: "/" });
  assert.deepEqual([root.keys, root.prefixes, root.KeyCount], [["readme"], ["photos/"], 2]);
  const below = await v2(Bucket, { Delimiter: "/", Prefix: "photos/" });
  assert.deepEqual([below.keys, below.prefixes], [["photos/top"], ["photos/2024/", "photos/2025/"]]);
  const long = await v2(Bucket, { Delimiter: "/202" });
  assert.deepEqual([long.keys, long.prefixes], [["photos/top", "readme"], ["photos/202"]]);
});

test("pages of one, with and without a delimiter, show everything once", async () => {
  const keys = ["a", "b/1", "b/2", "b/3", "c", "d/1", "e"];
  const Bucket = await bucketWith(keys);
  for (const Delimiter of [undefined, "/"]) {
    const seen: string[] = [];
    for (let token: string | undefined, more = true; more; ) {
      const page = await v2(Bucket, { MaxKeys: 1, Delimiter, ContinuationToken: token });
      assert.equal(page.KeyCount, 1);
      seen.push(...page.keys, ...page.prefixes);
      token = page.NextContinuationToken;
      more = page.IsTruncated!;
      assert.equal(more, token !== undefined);
    }
    assert.deepEqual(seen, Delimiter ? ["a", "b/", "c", "d/", "e"] : keys);
  }
});

test("ListObjects has a next marker with a delimiter only, and takes up after it", async () => {
  const Bucket = await bucketWith(["a", "b/1", "b/2", "c"]);
  const first = await s3.send(new ListObjectsCommand({ Bucket, Delimiter: "/", MaxKeys: 2 }));
  assert.deepEqual([first.IsTruncated, first.NextMarker, first.Marker], [true, "b/", ""]);
  const rest = await s3.send(new ListObjectsCommand({ Bucket, Delimiter: "/", Marker: first.NextMarker }));
  assert.deepEqual([rest.Contents?.map(({ Key }) => Key), rest.CommonPrefixes], [["c"], undefined]);
  const plain = await s3.send(new ListObjectsCommand({ Bucket, MaxKeys: 2 }));
  assert.deepEqual([plain.IsTruncated, plain.NextMarker], [true, undefined]);
  assert.ok(plain.Contents?.[0]?.Owner?.ID);
});

test("StartAfter, FetchOwner and what was asked are answered", async () => {
  const Bucket = await bucketWith(["a", "b", "c"]);
  const page = await v2(Bucket, { StartAfter: "a", FetchOwner: true, Prefix: "", MaxKeys: 5000 });
  assert.deepEqual(
    [page.keys, page.StartAfter, page.Prefix, page.MaxKeys, page.Name],
    [["b", "c"], "a", "", 1000, Bucket],
  );
  assert.ok(page.Contents?.[0]?.Owner?.ID);
  assert.equal((await v2(Bucket)).Contents?.[0]?.Owner, undefined);
});

test("max-keys 0 is an empty page that is not truncated; a negative one is refused", async () => {
  const Bucket = await bucketWith(["a"]);
  const page = await v2(Bucket, { MaxKeys: 0 });
  assert.deepEqual([page.KeyCount, page.IsTruncated, page.keys], [0, false, []]);
  assert.equal((await failure(v2(Bucket, { MaxKeys: -1 }))).name, "InvalidArgument");
});

test("encoding-type url encodes keys, prefixes and markers, in all three lists", async () => {
  const Bucket = await bucketWith(["a b/+%", "a b/\x01"]);
  const page = await v2(Bucket, { EncodingType: "url", Prefix: "a b/" });
  assert.deepEqual([page.keys, page.Prefix, page.EncodingType], [["a+b/%01", "a+b/%2B%25"], "a+b/", "url"]);
  const rolled = await v2(Bucket, { EncodingType: "url", Delimiter: " " });
  assert.deepEqual([rolled.prefixes, rolled.Delimiter], [["a+"], "+"]);
  const versions = await s3.send(new ListObjectVersionsCommand({ Bucket, EncodingType: "url" }));
  assert.deepEqual(
    versions.Versions?.map(({ Key }) => Key),
    ["a+b/%01", "a+b/%2B%25"],
  );
});

test("a continuation token that is none is refused", async () => {
  const Bucket = await bucketWith([]);
  for (const ContinuationToken of ["", "!"])
    assert.equal((await failure(v2(Bucket, { ContinuationToken }))).name, "InvalidArgument");
});

test("a max-keys that is no 32 bit integer is named as it was sent, one below 0 as AWS names it", async () => {
  const Bucket = await bucketWith([]);
  const asked = async (maxKeys: string) => {
    const url = await getSignedUrl(s3, new ListObjectsV2Command({ Bucket, MaxKeys: maxKeys as unknown as number }));
    return await (await fetch(url)).text();
  };
  for (const maxKeys of ["blah", "1.5", "99999999999"])
    assert.match(
      await asked(maxKeys),
      /<Code>InvalidArgument<\/Code><Message>Provided max-keys not an integer or within integer range<\/Message>/,
    );
  assert.match(await asked("-1"), /<Message>Argument maxKeys must be an integer between 0 and 2147483647<\/Message>/);
});

test("a restored object is shown as one to who asks for that", async () => {
  const { Bucket } = await newBucket();
  await s3.send(new PutObjectCommand({ Bucket, Key: "archived", Body: "x", StorageClass: "GLACIER" }));
  await s3.send(new RestoreObjectCommand({ Bucket, Key: "archived", RestoreRequest: { Days: 1 } }));
  const shown = async (more: Partial<ListObjectsV2CommandInput>) =>
    (await v2(Bucket, more)).Contents![0]!.RestoreStatus;
  assert.deepEqual(await shown({ OptionalObjectAttributes: ["RestoreStatus"] }), { IsRestoreInProgress: true });
  assert.equal(await shown({}), undefined);
});

test("a key survives its stored form, and its order", () => {
  const key = fc.string({ unit: "binary", maxLength: 8 });
  fc.assert(
    fc.property(key, key, (a, b) => {
      assert.equal(keyOf(storedKey(a)), a);
      const order = Math.sign(Buffer.compare(Buffer.from(a), Buffer.from(b)));
      assert.equal(Math.sign(compareStored(storedKey(a), storedKey(b))), order);
      if (b.startsWith(a)) assert.ok(compareStored(b, afterPrefix(a)) < 0 && compareStored(b, a) >= 0);
      else assert.ok(compareStored(b, a) < 0 || compareStored(b, afterPrefix(a)) >= 0);
    }),
  );
});

test("pages of any size, prefix and delimiter show what a plain loop over all keys shows", async () => {
  const part = fc.constantFrom("a", "b", "/", "//", "é", "\u{1F600}", "-");
  const word = fc.array(part, { maxLength: 4 }).map((parts) => parts.join(""));
  await fc.assert(
    fc.asyncProperty(
      fc.uniqueArray(word, { maxLength: 30 }),
      word,
      fc.constantFrom("", "/", "//", "a/"),
      fc.integer({ min: 1, max: 7 }),
      async (words, prefix, delimiter, limit) => {
        const rows = words.toSorted(compareStored).map((key) => ({ key }));
        const expected: string[] = [];
        for (const { key } of rows) {
          if (!key.startsWith(prefix)) continue;
          const at = delimiter === "" ? -1 : key.indexOf(delimiter, prefix.length);
          const item = at < 0 ? key : `${key.slice(0, at + delimiter.length)} …`;
          if (expected.at(-1) !== item) expected.push(item);
        }
        const seen: string[] = [];
        let next: { from: string; after: { key: string } | undefined } = {
          from: fromMarker("", prefix, delimiter),
          after: undefined,
        };
        for (let more = true; more; ) {
          const within = (from: string, until: string) =>
            rows.filter(({ key }) => compareStored(key, from) >= 0 && compareStored(key, until) < 0);
          const page = await readPage<{ key: string }>({ prefix, delimiter, limit }, next, {
            rows: async ({ from, after, until, count }) =>
              within(from, until)
                .filter(({ key }) => !after || compareStored(key, after.key) > 0)
                .slice(0, count),
            firstKey: async ({ from, until }) => within(from, until)[0],
          });
          assert.ok(page.items.length <= limit);
          seen.push(...page.items.map((item) => item.row?.key ?? `${item.prefix} …`));
          ({ next } = page);
          more = page.truncated;
        }
        assert.deepEqual(seen, expected);
      },
    ),
    { numRuns: 200 },
  );
});

test("a page of common prefixes skips what it rolls up", async () => {
  const rows = Array.from({ length: 5000 }, (_, n) => ({
    key: `p${Math.floor(n / 1000)}/${String(n).padStart(5, "0")}`,
  }));
  let read = 0;
  const page = await readPage<{ key: string }>(
    { prefix: "", delimiter: "/", limit: 1000 },
    { from: "", after: undefined },
    {
      async rows({ from, until, count }) {
        const found = rows.filter(({ key }) => key >= from && key < until).slice(0, count);
        read += found.length;
        return found;
      },
      async firstKey({ from, until }) {
        read++;
        return rows.find(({ key }) => key >= from && key < until);
      },
    },
  );
  assert.equal(page.items.length, 5);
  assert.ok(read < 100, `${read} rows were read for 5 prefixes`);
});
