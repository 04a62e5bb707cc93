import assert from "node:assert/strict";
import { describe, test } from "node:test";
import {
  GetObjectCommand,
  GetObjectTaggingCommand,
  HeadObjectCommand,
  ListObjectsV2Command,
  PutBucketNotificationConfigurationCommand,
  PutBucketPolicyCommand,
} from "@aws-sdk/client-s3";
import { CreateQueueCommand, ReceiveMessageCommand, SetQueueAttributesCommand, SQSClient } from "@aws-sdk/client-sqs";
import { GetSessionTokenCommand, STSClient } from "@aws-sdk/client-sts";
import { type Form, postForm } from "../../../test/post-form.ts";
import { allow, policy, userWith } from "../../../test/principals.ts";
import { startCloudWithBuckets } from "../../../test/s3.ts";

const { cloud, s3, newBucket } = await startCloudWithBuckets({ bucketDefaults: "classic" });
const post = (form: Form) => postForm(cloud, form);

// biome-ignore lint/suspicious/noTemplateCurlyInString: the form's own variable
const FILE_NAME = "${filename}";

const get = async (Bucket: string, Key: string): Promise<string> =>
  (await s3.send(new GetObjectCommand({ Bucket, Key }))).Body!.transformToString();
const keysOf = async (Bucket: string): Promise<string[]> =>
  ((await s3.send(new ListObjectsV2Command({ Bucket }))).Contents ?? []).map(({ Key }) => Key!);

test("a signed form becomes an object, with what its fields say", async () => {
  const { Bucket: bucket } = await newBucket();
  const fields = {
    key: `user/eric/${FILE_NAME}`,
    acl: "private",
    "Content-Type": "image/jpeg",
    "Cache-Control": "max-age=5",
    Expires: "Wed, 21 Oct 2026 07:28:00 GMT",
    "x-amz-meta-Color": "rötlich",
    "x-amz-meta-word": "=?UTF-8?B?YWJj?=",
    "x-amz-storage-class": "STANDARD_IA",
    tagging: "<Tagging><TagSet><Tag><Key>a</Key><Value>1 &amp; 2</Value></Tag></TagSet></Tagging>".replace(
      "&amp;",
      "+",
    ),
  };
  const conditions = [["starts-with", "$key", "user/eric/"]];
  const answer = await post({ bucket, fields, conditions, file: "content", fileName: "C:\\pictures\\cat.jpg" });
  assert.equal(answer.status, 204);
  assert.equal(answer.text, "");
  assert.equal(answer.headers.get("etag"), '"9a0364b9e99bb480dd25e1f0284c8555"');
  assert.equal(answer.headers.get("location"), `${cloud.endpoint}/${bucket}/user%2Feric%2Fcat.jpg`);
  const found = await s3.send(new HeadObjectCommand({ Bucket: bucket, Key: "user/eric/cat.jpg" }));
  assert.equal(found.ContentType, "image/jpeg");
  assert.equal(found.CacheControl, "max-age=5");
  assert.equal(found.ExpiresString, "Wed, 21 Oct 2026 07:28:00 GMT");
  assert.equal(found.StorageClass, "STANDARD_IA");
  assert.deepEqual(found.Metadata, { color: "=?UTF-8?Q?r=C3=B6tlich?=", word: "=?UTF-8?B?YWJj?=" });
  assert.equal(await get(bucket, "user/eric/cat.jpg"), "content");
  const tags = await s3.send(new GetObjectTaggingCommand({ Bucket: bucket, Key: "user/eric/cat.jpg" }));
  assert.deepEqual(tags.TagSet, [{ Key: "a", Value: "1 + 2" }]);
});

test("the answer is what the form asked for", async () => {
  const { Bucket: bucket } = await newBucket();
  const to = "http://localhost/thanks?x=1";
  const etag = "5d41402abc4b2a76b9719d911017c592";
  for (const [name, value, status] of [
    ["success_action_status", "200", 200],
    ["success_action_status", "201", 201],
    ["success_action_status", "404", 204],
    ["success_action_redirect", to, 303],
    ["redirect", to, 303],
    ["success_action_redirect", "nowhere", 204],
  ] as const) {
    const answer = await post({ bucket, fields: { key: "a/b & <c>", [name]: value } });
    assert.equal(answer.status, status, `${name} ${value}`);
    const location = `${cloud.endpoint}/${bucket}/a%2Fb%20%26%20%3Cc%3E`;
    if (status === 303)
      assert.equal(answer.headers.get("location"), `${to}&bucket=${bucket}&key=a%2Fb+%26+%3Cc%3E&etag=%22${etag}%22`);
    else assert.equal(answer.headers.get("location"), location);
    if (status === 201)
      assert.equal(
        answer.text.split("\n")[1],
        `<PostResponse><Location>${location}</Location><Bucket>${bucket}</Bucket><Key>a/b &amp; &lt;c&gt;</Key><ETag>"${etag}"</ETag></PostResponse>`,
      );
  }
});

test("Version 2 signs as well, and so do temporary credentials, whose token is a field", async () => {
  const { Bucket: bucket } = await newBucket();
  const alice = await userWith(cloud, "alice", { may: policy(allow("s3:PutObject")) });
  const { Credentials } = await cloud.client(STSClient, alice).send(new GetSessionTokenCommand({}));
  const session = {
    accessKeyId: Credentials!.AccessKeyId!,
    secretAccessKey: Credentials!.SecretAccessKey!,
    sessionToken: Credentials!.SessionToken!,
  };
  for (const as of [alice, session])
    for (const version of [2, 4] as const) {
      const answer = await post({ bucket, fields: { key: `${as === session}-${version}` }, as, version });
      assert.equal(answer.status, 204, answer.text);
    }
  assert.equal((await keysOf(bucket)).length, 4);
  const untold = await post({
    bucket,
    fields: { key: "x" },
    as: session,
    tamper: (form) => form.delete("x-amz-security-token"),
  });
  assert.match(untold.error, /^InvalidAccessKeyId 403/);
  const bob = await userWith(cloud, "bob");
  const denied = await post({ bucket, fields: { key: "x" }, as: bob });
  assert.match(
    denied.error,
    /^AccessDenied 403 User: arn:aws:iam::000000000000:user\/bob is not authorized to perform: s3:PutObject on resource: "arn:aws:s3:::bucket-\d+\/x"/,
  );
  const tagging = "<Tagging><TagSet><Tag><Key>a</Key><Value>b</Value></Tag></TagSet></Tagging>";
  const tagged = await post({ bucket, fields: { key: "x", tagging }, as: alice });
  assert.match(tagged.error, /^AccessDenied 403 .* s3:PutObjectTagging/);
});

test("policies know how a form was signed, and what its fields say", async () => {
  const { Bucket: bucket } = await newBucket();
  const Condition = {
    StringEquals: { "s3:authType": "POST", "s3:signatureversion": "AWS4-HMAC-SHA256", "s3:x-amz-acl": "private" },
    NumericLessThan: { "s3:signatureAge": "60000" },
  };
  const dora = await userWith(cloud, "dora", {
    may: policy(allow(["s3:PutObject", "s3:PutObjectAcl"], { Condition })),
  });
  const fields = { key: "a", acl: "private" };
  assert.equal((await post({ bucket, fields, as: dora })).status, 204);
  assert.match((await post({ bucket, fields, as: dora, version: 2 })).error, /^AccessDenied 403 User/);
  assert.match((await post({ bucket, fields: { key: "a" }, as: dora })).error, /^AccessDenied 403 User/);
});

test("an unsigned form is anybody's, where the bucket lets anybody", async () => {
  const { Bucket: bucket } = await newBucket();
  const form = { bucket, fields: { key: "open/x", submit: "Upload" }, conditions: null } as const;
  assert.equal((await post(form)).error, "AccessDenied 403 Access Denied");
  const Policy = policy({
    Effect: "Allow",
    Principal: "*",
    Action: "s3:PutObject",
    Resource: `arn:aws:s3:::${bucket}/open/*`,
  });
  await s3.send(new PutBucketPolicyCommand({ Bucket: bucket, Policy }));
  assert.equal((await post(form)).status, 204);
  assert.equal((await post({ ...form, fields: { key: "closed" } })).error, "AccessDenied 403 Access Denied");
  assert.deepEqual(await keysOf(bucket), ["open/x"]);
});

test("a file without a name is one too, and leaves the variable as it is", async () => {
  const { Bucket: bucket } = await newBucket();
  assert.equal((await post({ bucket, fields: { key: `k-${FILE_NAME}` }, fileName: null, file: "text" })).status, 204);
  assert.equal(await get(bucket, `k-${FILE_NAME}`), "text");
});

test("a form makes no copy, and metadata of control characters is encoded", async () => {
  const { Bucket: bucket } = await newBucket();
  const fields = { key: "a", "x-amz-copy-source": `${bucket}/b`, "x-amz-meta-odd": "\0\x01\x02\x03\x04" };
  assert.equal((await post({ bucket, fields })).status, 204);
  const { Metadata } = await s3.send(new HeadObjectCommand({ Bucket: bucket, Key: "a" }));
  assert.deepEqual(Metadata, { odd: "=?UTF-8?B?AAECAwQ=?=" });
  assert.equal(await get(bucket, "a"), "hello");
});

test("a posted object is told of as ObjectCreated:Post", async () => {
  const { Bucket: bucket } = await newBucket();
  const sqs = cloud.client(SQSClient);
  const { QueueUrl } = await sqs.send(new CreateQueueCommand({ QueueName: "posted" }));
  const QueueArn = "arn:aws:sqs:us-east-1:000000000000:posted";
  const Policy = policy(allow("sqs:SendMessage", { Principal: { Service: "s3.amazonaws.com" } }));
  await sqs.send(new SetQueueAttributesCommand({ QueueUrl, Attributes: { Policy } }));
  const NotificationConfiguration = { QueueConfigurations: [{ QueueArn, Events: ["s3:ObjectCreated:Post" as const] }] };
  await s3.send(new PutBucketNotificationConfigurationCommand({ Bucket: bucket, NotificationConfiguration }));
  assert.equal((await post({ bucket, fields: { key: "told" } })).status, 204);
  await cloud.settle();
  const { Messages } = await sqs.send(new ReceiveMessageCommand({ QueueUrl, MaxNumberOfMessages: 10 }));
  const events = Messages!.flatMap(
    ({ Body }) => (JSON.parse(Body!) as { Records?: { eventName: string }[] }).Records ?? [],
  );
  assert.deepEqual(
    events.map(({ eventName }) => eventName),
    ["ObjectCreated:Post"],
  );
});

describe("the size of the file", async () => {
  const { Bucket: bucket } = await newBucket();
  const conditions = [["content-length-range", 5, 10]];
  const cases: [string, string | RegExp][] = [
    ["1234", /^EntityTooSmall 400 Your proposed upload is smaller than the minimum allowed size$/],
    ["12345", "204"],
    ["1234567890", "204"],
    ["123456789012", /^EntityTooLarge 400 Your proposed upload exceeds the maximum allowed size$/],
  ];
  for (const [file, expected] of cases)
    test(`${file.length} bytes in a range of 5 to 10: ${expected}`, async () => {
      const answer = await post({ bucket, fields: { key: file }, conditions, file });
      if (expected === "204") assert.equal(answer.status, 204);
      else {
        assert.match(answer.error, expected as RegExp);
        assert.match(answer.text, new RegExp(`<ProposedSize>${file.length}</ProposedSize>`));
        assert.ok(!(await keysOf(bucket)).includes(file));
      }
    });

  test("bytes that look like the form's own boundary, and 20 MB, arrive as they are", async () => {
    const odd = `\r\n--x\r\n------\r\n\r\n--${"-".repeat(60)}\r\n`;
    await post({ bucket, fields: { key: "odd" }, file: odd });
    assert.equal(await get(bucket, "odd"), odd);
    await post({ bucket, fields: { key: "empty" }, file: "" });
    assert.equal(await get(bucket, "empty"), "");
    const large = Buffer.alloc(20_000_000, "0123456789\r\n--");
    assert.equal((await post({ bucket, fields: { key: "large" }, file: large })).status, 204);
    const { Body } = await s3.send(new GetObjectCommand({ Bucket: bucket, Key: "large" }));
    assert.ok(large.equals(await Body!.transformToByteArray()));
  });
});

describe("a form is refused", async () => {
  const { Bucket: bucket } = await newBucket();
  const fields = { key: "a" };
  const without = (name: string) => (form: FormData) => form.delete(name);
  const replaced = (name: string, from: string | RegExp, to: string) => (form: FormData) =>
    form.set(name, (form.get(name) as string).replace(from, to));
  const missing = (name: string) =>
    `InvalidArgument 400 Bucket POST must contain a field named '${name}'.  If it is specified, please check the order of the fields.`;
  const cases: [string, Omit<Form, "bucket">, string | RegExp][] = [
    ["without a key", {}, missing("key")],
    ["with an empty key", { fields: { key: "" } }, "InvalidArgument 400 User key must have a length greater than 0."],
    ["with too long a key", { fields: { key: "k".repeat(1025) } }, "KeyTooLongError 400 Your key is too long"],
    [
      "without a file",
      { fields, file: null },
      "InvalidArgument 400 POST requires exactly one file upload per request.",
    ],
    ["without a signature", { fields, tamper: without("x-amz-signature") }, missing("X-Amz-Signature")],
    ["without an algorithm", { fields, tamper: without("x-amz-algorithm") }, missing("X-Amz-Algorithm")],
    ["without a signature of Version 2", { fields, version: 2, tamper: without("signature") }, missing("Signature")],
    [
      "without a key of Version 2",
      { fields, version: 2, tamper: without("AWSAccessKeyId") },
      missing("AWSAccessKeyId"),
    ],
    ["without a policy", { fields, tamper: without("policy") }, missing("Policy")],
    ["with another policy", { fields, tamper: replaced("policy", /./, "f") }, /^SignatureDoesNotMatch 403/],
    [
      "with another signature",
      { fields, tamper: replaced("x-amz-signature", /^./, "x") },
      /^SignatureDoesNotMatch 403/,
    ],
    [
      "with another signature of Version 2",
      { fields, version: 2, tamper: replaced("signature", /^../, "xx") },
      /^SignatureDoesNotMatch 403/,
    ],
    [
      "with another secret",
      { fields, as: { accessKeyId: "test", secretAccessKey: "tess" } },
      /^SignatureDoesNotMatch 403/,
    ],
    [
      "with an unknown access key",
      { fields, as: { accessKeyId: "AKIAIOSFODNN7EXAMPLE", secretAccessKey: "x" } },
      /^InvalidAccessKeyId 403/,
    ],
    [
      "of Version 4A",
      { fields, tamper: replaced("x-amz-algorithm", /.*/, "AWS4-ECDSA-P256-SHA256") },
      /^NotImplemented 501 Signature Version 4A/,
    ],
    [
      "of another algorithm",
      { fields, tamper: replaced("x-amz-algorithm", "256", "512") },
      'InvalidArgument 400 X-Amz-Algorithm only supports "AWS4-HMAC-SHA256"',
    ],
    [
      "with another service's scope",
      { fields, tamper: replaced("x-amz-credential", "/s3/", "/sqs/") },
      'InvalidArgument 400 incorrect service "sqs". This endpoint belongs to "s3".',
    ],
    [
      "with a short credential",
      { fields, tamper: replaced("x-amz-credential", /\/.*/, "") },
      /^InvalidArgument 400 the Credential is mal-formed/,
    ],
    [
      "with a date that is none",
      { fields, tamper: replaced("x-amz-date", /.*/, "today") },
      /^InvalidArgument 400 X-Amz-Date must be in the ISO8601 Long Format/,
    ],
    [
      "with too much before its file",
      { fields: { key: "a", "x-amz-meta-x": "x".repeat(21_000) } },
      "MaxPostPreDataLengthExceededError 400 Your POST request fields preceding the upload file were too large.",
    ],
    [
      "with a line end in what is a header",
      { fields: { key: "a", "x-amz-meta-x": "a\r\nset-cookie: b" } },
      "InvalidArgument 400 Invalid header value",
    ],
    [
      "with a control character in what is a header",
      { fields: { key: "a", "Content-Type": "a\0" } },
      "InvalidArgument 400 Invalid header value",
    ],
    ["with tags that are no XML", { fields: { key: "a", tagging: "a=b" } }, /^MalformedXML 400/],
    [
      "with an unknown storage class",
      { fields: { key: "a", "x-amz-storage-class": "FakeClass" } },
      "InvalidStorageClass 400 The storage class you specified is not valid",
    ],
    [
      "with a digest that is not the file's",
      { fields: { key: "a", "x-amz-checksum-crc32": "AAAAAA==" } },
      /^BadDigest 400/,
    ],
  ];
  for (const [name, form, expected] of cases)
    test(name, async () => {
      const { error } = await post({ bucket, ...form });
      if (typeof expected === "string") assert.equal(error, expected);
      else assert.match(error, expected);
      assert.deepEqual(await keysOf(bucket), []);
    });

  const raw = async (headers: Record<string, string>, body: string) => {
    const answer = await fetch(`${cloud.endpoint}/${bucket}`, { method: "POST", headers, body });
    const text = await answer.text();
    return `${/<Code>(.*?)<\/Code>/.exec(text)?.[1]} ${answer.status} ${/<(?:Condition|Message)>(.*?)</.exec(text)?.[1]}`;
  };
  const END = "--b--";
  const part = (name: string, value: string) =>
    `--b\r\nContent-Disposition: form-data; name="${name}"\r\n\r\n${value}\r\n`;
  const MALFORMED = "MalformedPOSTRequest 400 The body of your POST request is not well-formed multipart/form-data.";
  const bodies: [string, string, string, string][] = [
    [
      "of another type",
      "text/plain",
      "x",
      "PreconditionFailed 412 At least one of the pre-conditions you specified did not hold",
    ],
    ["without a boundary", "multipart/form-data", part("key", "a"), MALFORMED],
    ["that is cut short in its fields", "multipart/form-data; boundary=b", part("key", "a"), MALFORMED],
    [
      "that is cut short in its file",
      "multipart/form-data; boundary=b",
      part("key", "a") + part("file", "x"),
      "AccessDenied 403 Access Denied",
    ],
    [
      "of a part without a name",
      "multipart/form-data; boundary=b",
      "--b\r\nContent-Disposition: attachment\r\n\r\nx\r\n--b--",
      MALFORMED,
    ],
  ];
  for (const [name, type, body, expected] of bodies)
    test(name, async () => {
      assert.equal(await raw({ "content-type": type }, body), expected);
    });

  test("with an Authorization header beside its signature", async () => {
    const body = part("key", "a") + part("x-amz-signature", "x") + part("file", "x") + END;
    const headers = {
      "content-type": "multipart/form-data; boundary=b",
      authorization: "AWS4-HMAC-SHA256 Credential=a/20260101/us-east-1/s3/aws4_request",
    };
    assert.equal(await raw(headers, body), "InvalidArgument 400 Only one auth mechanism allowed");
    assert.match(await raw(headers, part("key", "a") + part("file", "x") + END), /^NotImplemented 501/);
  });

  test("that is cut short in its file, and nothing is stored", async () => {
    const { Bucket } = await newBucket();
    const Policy = policy({
      Effect: "Allow",
      Principal: "*",
      Action: "s3:PutObject",
      Resource: `arn:aws:s3:::${Bucket}/*`,
    });
    await s3.send(new PutBucketPolicyCommand({ Bucket, Policy }));
    const headers = { "content-type": "multipart/form-data; boundary=b" };
    const answer = await fetch(`${cloud.endpoint}/${Bucket}`, {
      method: "POST",
      headers,
      body: part("key", "a") + part("file", "x"),
    });
    assert.match(await answer.text(), /MalformedPOSTRequest/);
    assert.deepEqual(await keysOf(Bucket), []);
  });
});
