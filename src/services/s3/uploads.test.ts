import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { globSync, readFileSync, truncateSync } from "node:fs";
import { test } from "node:test";
import {
  AbortMultipartUploadCommand,
  CompleteMultipartUploadCommand,
  type CompleteMultipartUploadCommandInput,
  CreateMultipartUploadCommand,
  type CreateMultipartUploadCommandInput,
  GetObjectAttributesCommand,
  GetObjectCommand,
  HeadObjectCommand,
  ListMultipartUploadsCommand,
  type ListMultipartUploadsCommandOutput,
  ListPartsCommand,
  PutObjectCommand,
  UploadPartCommand,
  type UploadPartCommandInput,
  UploadPartCopyCommand,
} from "@aws-sdk/client-s3";
import { Upload } from "@aws-sdk/lib-storage";
import { failure, startCloudWithBuckets } from "../../../test/s3.ts";
import { openDigest } from "./checksums.ts";

const { cloud, newBucket, s3 } = await startCloudWithBuckets();

const MB5 = 5 * 1024 ** 2;
const big = Buffer.alloc(MB5 + 1, "a");
const tail = Buffer.alloc(10, "a");

type Create = Partial<CreateMultipartUploadCommandInput>;
type Complete = Partial<CompleteMultipartUploadCommandInput>;

async function begin(more: Create = {}) {
  const { Bucket } = await newBucket();
  const { UploadId, ...answer } = await s3.send(new CreateMultipartUploadCommand({ Bucket, Key: "k", ...more }));
  const of = { Bucket, Key: "k", UploadId: UploadId! };
  const part = (PartNumber: number, Body: Buffer | string, extra: Partial<UploadPartCommandInput> = {}) =>
    s3.send(new UploadPartCommand({ ...of, PartNumber, Body, ...extra }));
  const complete = (Parts: { PartNumber: number; ETag?: string | undefined }[], extra: Complete = {}) =>
    s3.send(new CompleteMultipartUploadCommand({ ...of, MultipartUpload: { Parts }, ...extra }));
  return { ...of, answer, part, complete };
}

const sidesOf = (bucket: string) => globSync(`${cloud.aws.config.dir}/.aws-like/s3/${bucket}/side/*/*`);

test("parts become one plain file, with the ETag of their ETags and a CRC64NVME of the whole", async () => {
  const upload = await begin({ ContentType: "text/x", Metadata: { a: "b" }, Tagging: "t=1" });
  const one = await upload.part(1, big);
  const two = await upload.part(2, "tail");
  const done = await upload.complete([
    { PartNumber: 1, ETag: one.ETag },
    { PartNumber: 2, ETag: two.ETag },
  ]);
  const md5s = [big, Buffer.from("tail")].map((bytes) => createHash("md5").update(bytes).digest());
  assert.equal(done.ETag, `"${createHash("md5").update(Buffer.concat(md5s)).digest("hex")}-2"`);
  assert.equal(done.ChecksumType, "FULL_OBJECT");
  const file = readFileSync(`${cloud.aws.config.dir}/buckets/${upload.Bucket}/k`);
  assert.ok(file.equals(Buffer.concat([big, Buffer.from("tail")])));
  const head = await s3.send(new HeadObjectCommand({ Bucket: upload.Bucket, Key: "k", ChecksumMode: "ENABLED" }));
  assert.deepEqual([head.ContentType, head.Metadata, head.TagCount], ["text/x", { a: "b" }, 1]);
  const whole = await s3.send(
    new PutObjectCommand({ Bucket: upload.Bucket, Key: "whole", Body: file, ChecksumAlgorithm: "CRC64NVME" }),
  );
  assert.equal(head.ChecksumCRC64NVME, whole.ChecksumCRC64NVME);
  assert.deepEqual(sidesOf(upload.Bucket), []);
});

test("a part is read by its number", async () => {
  const upload = await begin();
  const parts = [await upload.part(3, big), await upload.part(5, "tail")];
  await upload.complete([
    { PartNumber: 3, ETag: parts[0]!.ETag },
    { PartNumber: 5, ETag: parts[1]!.ETag },
  ]);
  const get = await s3.send(new GetObjectCommand({ Bucket: upload.Bucket, Key: "k", PartNumber: 2 }));
  assert.equal(await get.Body!.transformToString(), "tail");
  assert.deepEqual([get.PartsCount, get.ContentRange], [2, `bytes ${MB5 + 1}-${MB5 + 4}/${MB5 + 5}`]);
  const error = await failure(s3.send(new GetObjectCommand({ Bucket: upload.Bucket, Key: "k", PartNumber: 10 })));
  assert.deepEqual([error.name, error.ActualPartCount], ["InvalidPartNumber", "2"]);
});

for (const [algorithm, type, expected] of [
  ["CRC32", "COMPOSITE", "5FRUiw==-3"],
  ["CRC32", "FULL_OBJECT", "qSEQSA=="],
] as const)
  test(`a ${type} ${algorithm} of three parts is what AWS computed`, async () => {
    const upload = await begin({ ChecksumAlgorithm: algorithm, ChecksumType: type });
    assert.deepEqual([upload.answer.ChecksumAlgorithm, upload.answer.ChecksumType], [algorithm, type]);
    const parts = [await upload.part(1, big), await upload.part(2, big), await upload.part(3, tail)];
    const named = parts.map(({ ETag, ChecksumCRC32 }, at) => ({ PartNumber: at + 1, ETag, ChecksumCRC32 }));
    const wrong = named.map((part, at) => (at === 2 ? { ...part, ChecksumCRC32: "AAAAAA==" } : part));
    assert.equal((await failure(upload.complete(wrong))).name, "InvalidPart");
    const done = await upload.complete(named);
    assert.deepEqual([done.ChecksumCRC32, done.ChecksumType], [expected, type]);
    assert.equal(done.ETag, '"4d45984fc3feb2ac9b22683c49674b56-3"');
    const head = await s3.send(new HeadObjectCommand({ Bucket: upload.Bucket, Key: "k", ChecksumMode: "ENABLED" }));
    assert.equal(head.ChecksumCRC32, expected);
    const attributes = await s3.send(
      new GetObjectAttributesCommand({
        Bucket: upload.Bucket,
        Key: "k",
        ObjectAttributes: ["Checksum", "ObjectParts", "ETag"],
        MaxParts: 2,
      }),
    );
    assert.equal(attributes.Checksum?.ChecksumCRC32, expected.replace("-3", ""));
    assert.equal(attributes.ObjectParts?.TotalPartsCount, 3);
    assert.deepEqual(
      attributes.ObjectParts?.Parts?.map(({ PartNumber, Size }) => [PartNumber, Size]),
      type === "COMPOSITE"
        ? [
            [1, MB5 + 1],
            [2, MB5 + 1],
          ]
        : undefined,
    );
  });

for (const algorithm of ["SHA512", "MD5", "XXHASH64", "XXHASH3", "XXHASH128"] as const)
  test(`a ${algorithm} of parts is a composite one, made of theirs`, async () => {
    const member = `Checksum${algorithm}` as const;
    const of = (...pieces: Uint8Array[]): string => {
      const digest = openDigest(algorithm);
      for (const piece of pieces) digest.update(piece);
      return digest.digest();
    };
    const whole = await failure(begin({ ChecksumAlgorithm: algorithm, ChecksumType: "FULL_OBJECT" }));
    assert.match(whole.message, /^The FULL_OBJECT checksum type cannot be used with the /);
    const upload = await begin({ ChecksumAlgorithm: algorithm });
    assert.equal(upload.answer.ChecksumType, "COMPOSITE");
    const first = await upload.part(1, big, { [member]: of(big) });
    const wrong = await failure(upload.part(2, tail, { [member]: of(big) }));
    assert.equal(wrong.name, "BadDigest");
    const second = await upload.part(2, tail, { [member]: of(tail) });
    const parts = [first, second].map((part, at) => ({ PartNumber: at + 1, ETag: part.ETag, [member]: part[member] }));
    const done = await upload.complete(parts);
    const both = of(...[big, tail].map((piece) => Buffer.from(of(piece), "base64")));
    assert.equal(done[member], `${both}-2`);
    const { Checksum, ObjectParts } = await s3.send(
      new GetObjectAttributesCommand({
        Bucket: upload.Bucket,
        Key: "k",
        ObjectAttributes: ["Checksum", "ObjectParts"],
      }),
    );
    assert.deepEqual([Checksum?.[member], Checksum?.ChecksumType], [both, "COMPOSITE"]);
    assert.deepEqual(
      ObjectParts?.Parts?.map((part) => part[member]),
      [of(big), of(tail)],
    );
  });

test("what a completion may not be is told in AWS's words", async () => {
  const upload = await begin();
  const small = await upload.part(1, "tiny");
  const second = await upload.part(2, "tail");
  const one = { PartNumber: 1, ETag: small.ETag };
  const two = { PartNumber: 2, ETag: second.ETag };
  const cases: [Parameters<typeof upload.complete>, string, object][] = [
    [[[]], "InvalidRequest", {}],
    [[[two, one]], "InvalidPartOrder", { UploadId: upload.UploadId }],
    [[[one, { ...two, PartNumber: 3 }]], "InvalidPart", { PartNumber: "3" }],
    [[[{ ...one, ETag: second.ETag }]], "InvalidPart", { PartNumber: "1" }],
    [[[one, two]], "EntityTooSmall", { MinSizeAllowed: "5242880", ProposedSize: "4", PartNumber: "1" }],
    [[[one], { MpuObjectSize: 5 }], "InvalidRequest", {}],
    [[[one], { ChecksumType: "COMPOSITE" }], "InvalidRequest", {}],
    [[[one], { IfMatch: '"no"' }], "NoSuchKey", {}],
  ];
  for (const [input, name, members] of cases) {
    const error = await failure(upload.complete(...input));
    assert.equal(error.name, name);
    for (const [member, value] of Object.entries(members)) assert.equal(error[member], value, member);
  }
  await upload.complete([one]);
});

test("a second completion gets the first one's answer, an unknown upload none", async () => {
  const upload = await begin();
  const { ETag } = await upload.part(1, "x");
  const first = await upload.complete([{ PartNumber: 1, ETag }]);
  const second = await upload.complete([{ PartNumber: 1, ETag }]);
  assert.deepEqual(
    [second.ETag, second.Location, second.ChecksumCRC64NVME],
    [first.ETag, first.Location, first.ChecksumCRC64NVME],
  );
  const unknown = { Bucket: upload.Bucket, Key: "k", UploadId: "fakeid" };
  for (const command of [
    new UploadPartCommand({ ...unknown, PartNumber: 1, Body: "x" }),
    new CompleteMultipartUploadCommand({ ...unknown, MultipartUpload: { Parts: [{ PartNumber: 1, ETag }] } }),
    new AbortMultipartUploadCommand(unknown),
    new ListPartsCommand(unknown),
  ]) {
    const error = await failure(s3.send(command as ListPartsCommand));
    assert.deepEqual([error.name, error.status, error.UploadId], ["NoSuchUpload", 404, "fakeid"]);
  }
});

test("a part that is uploaded again supersedes the first, and leaves one file", async () => {
  const upload = await begin();
  await upload.part(1, "first");
  const { ETag } = await upload.part(1, "second");
  assert.equal(sidesOf(upload.Bucket).length, 1);
  await upload.complete([{ PartNumber: 1, ETag }]);
  assert.equal(readFileSync(`${cloud.aws.config.dir}/buckets/${upload.Bucket}/k`, "utf8"), "second");
});

test("parts whose files somebody cut short become no object", async () => {
  const upload = await begin();
  const parts = [
    { PartNumber: 1, ETag: (await upload.part(1, big)).ETag },
    { PartNumber: 2, ETag: (await upload.part(2, "tail")).ETag },
  ];
  for (const side of sidesOf(upload.Bucket)) truncateSync(side, 2);
  const { status } = await failure(upload.complete(parts));
  assert.equal(status, 500);
  const { Bucket } = upload;
  assert.equal((await failure(s3.send(new HeadObjectCommand({ Bucket, Key: "k" })))).status, 404);
  assert.deepEqual(globSync(`${cloud.aws.config.dir}/.aws-like/s3/${Bucket}/stage/*`), []);
});

test("an aborted upload leaves nothing behind", async () => {
  const upload = await begin();
  await upload.part(1, "x");
  await s3.send(new AbortMultipartUploadCommand({ Bucket: upload.Bucket, Key: "k", UploadId: upload.UploadId }));
  assert.deepEqual(sidesOf(upload.Bucket), []);
  assert.equal((await failure(upload.part(2, "x"))).name, "NoSuchUpload");
});

for (const PartNumber of [0, 10_001, -1])
  test(`part number ${PartNumber} is refused`, async () => {
    const upload = await begin();
    const error = await failure(upload.part(PartNumber, "x"));
    assert.deepEqual([error.name, error.ArgumentValue], ["InvalidArgument", `${PartNumber}`]);
  });

test("a part's checksum must be of the upload's algorithm, and right", async () => {
  const upload = await begin({ ChecksumAlgorithm: "SHA256" });
  const mismatch = await failure(upload.part(1, "abc", { ChecksumCRC32: "NSRBwg==" }));
  assert.match(mismatch.message, /expected checksum Type: sha256, actual checksum Type: crc32$/);
  const wrong = await failure(
    upload.part(1, "abc", { ChecksumSHA256: createHash("sha256").update("x").digest("base64") }),
  );
  assert.equal(wrong.name, "BadDigest");
});

for (const [more, message] of [
  [{ ChecksumType: "COMPOSITE" }, /can only be used with the x-amz-checksum-algorithm header/],
  [
    { ChecksumAlgorithm: "CRC64NVME", ChecksumType: "COMPOSITE" },
    /COMPOSITE checksum type cannot be used with the crc64nvme/,
  ],
  [
    { ChecksumAlgorithm: "SHA1", ChecksumType: "FULL_OBJECT" },
    /FULL_OBJECT checksum type cannot be used with the sha1/,
  ],
  [
    { ChecksumAlgorithm: "CRC32", ChecksumType: "WHOLE" as "COMPOSITE" },
    /^Value for x-amz-checksum-type header is invalid\.$/,
  ],
  [{ ChecksumAlgorithm: "BLAKE" }, /Please try again with any of the valid types/],
] as const)
  test(`CreateMultipartUpload refuses ${JSON.stringify(more)}`, async () => {
    assert.match((await failure(begin(more as Create))).message, message);
  });

test("parts are copied from objects, whole or in ranges", async () => {
  const upload = await begin();
  await s3.send(new PutObjectCommand({ Bucket: upload.Bucket, Key: "source", Body: "0123456789" }));
  const CopySource = `${upload.Bucket}/source`;
  const of = { Bucket: upload.Bucket, Key: "k", UploadId: upload.UploadId };
  const copy = (PartNumber: number, CopySourceRange?: string) =>
    s3.send(new UploadPartCopyCommand({ ...of, PartNumber, CopySource, CopySourceRange }));
  const { CopyPartResult } = await copy(1, "bytes=2-4");
  assert.equal(CopyPartResult?.ETag, `"${createHash("md5").update("234").digest("hex")}"`);
  for (const range of ["bytes=0-2,3-5", "bytes=5-", "bytes=4-2", "bytes=0-10", "0-2"])
    assert.equal((await failure(copy(2, range))).name, "InvalidArgument");
  await upload.complete([{ PartNumber: 1, ETag: CopyPartResult?.ETag }]);
  const get = await s3.send(new GetObjectCommand({ Bucket: upload.Bucket, Key: "k" }));
  assert.equal(await get.Body!.transformToString(), "234");
});

test("uploads and parts are listed in pages", async () => {
  const upload = await begin();
  for (const n of [1, 2, 3]) await upload.part(n, `${n}`);
  const first = await s3.send(
    new ListPartsCommand({ Bucket: upload.Bucket, Key: "k", UploadId: upload.UploadId, MaxParts: 2 }),
  );
  assert.deepEqual([first.IsTruncated, first.NextPartNumberMarker, first.Parts?.length], [true, "2", 2]);
  const rest = await s3.send(
    new ListPartsCommand({
      Bucket: upload.Bucket,
      Key: "k",
      UploadId: upload.UploadId,
      PartNumberMarker: first.NextPartNumberMarker,
    }),
  );
  assert.deepEqual([rest.IsTruncated, rest.Parts?.map(({ PartNumber }) => PartNumber)], [false, [3]]);
  const ids = [upload.UploadId];
  for (const Key of ["k", "d/1", "d/2"])
    ids.push((await s3.send(new CreateMultipartUploadCommand({ Bucket: upload.Bucket, Key }))).UploadId!);
  const rolled = await s3.send(new ListMultipartUploadsCommand({ Bucket: upload.Bucket, Delimiter: "/" }));
  assert.deepEqual(
    [rolled.Uploads?.map(({ UploadId }) => UploadId), rolled.CommonPrefixes],
    [ids.slice(0, 2), [{ Prefix: "d/" }]],
  );
  const seen: string[] = [];
  let [KeyMarker, UploadIdMarker]: (string | undefined)[] = [];
  for (let more = true; more; ) {
    const page: ListMultipartUploadsCommandOutput = await s3.send(
      new ListMultipartUploadsCommand({ Bucket: upload.Bucket, MaxUploads: 1, KeyMarker, UploadIdMarker }),
    );
    seen.push(...page.Uploads!.map(({ UploadId }) => UploadId!));
    [KeyMarker, UploadIdMarker, more] = [page.NextKeyMarker, page.NextUploadIdMarker, page.IsTruncated!];
  }
  assert.deepEqual(seen, [ids[2], ids[3], ids[0], ids[1]]);
});

test("the SDK's own uploader sends a stream in parts", async () => {
  const { Bucket } = await newBucket();
  const bytes = Buffer.alloc(12 * 1024 ** 2, "parts of ");
  await new Upload({ client: s3, params: { Bucket, Key: "streamed", Body: bytes } }).done();
  const get = await s3.send(new GetObjectCommand({ Bucket, Key: "streamed", ChecksumMode: "ENABLED" }));
  assert.ok(bytes.equals(await get.Body!.transformToByteArray()));
  assert.match(get.ETag!, /-3"$/);
});
