// Changes of a key, and what is there before: crash-step.ts dies in the middle of them, crash-steps.test.ts looks at what is left.
import type { Aws } from "../src/aws.ts";

interface Scenario {
  readonly versioned?: true;
  /** Of a directory bucket. */
  readonly directory?: true;
  /** Before the change; the change is what it returns. */
  prepare(s3: S3): Promise<() => Promise<unknown>>;
}

/** As the handlers take it: bodies as text. */
type S3 = ReturnType<typeof callerOf>;

export const callerOf = (aws: Aws, Bucket: string) => {
  const to = (Key: string) => ({ Bucket, Key });
  const put = (Key: string, text: string) =>
    aws.call("s3", "PutObject", { ...to(Key), ...bodyOf(text), ContentType: `text/${text}`, Metadata: { text } });
  const remove = (Key: string, VersionId?: string) =>
    aws.call("s3", "DeleteObject", { ...to(Key), ...(VersionId !== undefined && { VersionId }) });
  const copy = (from: string, Key: string) =>
    aws.call("s3", "CopyObject", { ...to(Key), CopySource: `${Bucket}/${from}` });
  const rename = (from: string, Key: string) =>
    aws.call("s3", "RenameObject", { ...to(Key), RenameSource: `${Bucket}/${from}` });
  return {
    put,
    remove,
    copy,
    rename,
    async upload(Key: string) {
      const { UploadId } = await aws.call("s3", "CreateMultipartUpload", { ...to(Key), ContentType: "text/parts" });
      const part = { ...to(Key), UploadId, PartNumber: 1 };
      const send = (text: string) => aws.call("s3", "UploadPart", { ...part, ...bodyOf(text) });
      return {
        send,
        complete: (ETag: string | undefined) =>
          aws.call("s3", "CompleteMultipartUpload", {
            ...to(Key),
            UploadId,
            MultipartUpload: { Parts: [{ PartNumber: 1, ETag }] },
          }),
      };
    },
    async start({ versioned, directory }: Pick<Scenario, "versioned" | "directory">) {
      const CreateBucketConfiguration = {
        Location: { Type: "AvailabilityZone", Name: "use1-az4" },
        Bucket: { Type: "Directory", DataRedundancy: "SingleAvailabilityZone" },
      } as const;
      await aws.call("s3", "CreateBucket", { Bucket, ...(directory && { CreateBucketConfiguration }) });
      const VersioningConfiguration = { Status: "Enabled" } as const;
      if (versioned) await aws.call("s3", "PutBucketVersioning", { Bucket, VersioningConfiguration });
    },
  };
};

function bodyOf(text: string): { Body: never; ContentLength: number } {
  const bytes = Buffer.from(text);
  return { Body: bytes as never, ContentLength: bytes.length };
}

export const scenarios: Readonly<Record<string, Scenario>> = {
  "a put of a new key below new directories": {
    prepare: async (s3) => () => s3.put("new/deep/k", "new"),
  },
  "a put over an object": {
    async prepare(s3) {
      await s3.put("k", "old");
      return () => s3.put("k", "new");
    },
  },
  "a put of a key that no path can hold": {
    async prepare(s3) {
      await s3.put("odd//k", "old");
      return () => s3.put("odd//k", "new");
    },
  },
  "a put of a new version": {
    versioned: true,
    async prepare(s3) {
      await s3.put("k", "old");
      return () => s3.put("k", "new");
    },
  },
  "a copy over an object": {
    async prepare(s3) {
      await s3.put("source", "source");
      await s3.put("k", "old");
      return () => s3.copy("source", "k");
    },
  },
  "a delete": {
    async prepare(s3) {
      await s3.put("k", "old");
      return () => s3.remove("k");
    },
  },
  "a delete that leaves a marker": {
    versioned: true,
    async prepare(s3) {
      await s3.put("k", "old");
      return () => s3.remove("k");
    },
  },
  "a delete of the newest version": {
    versioned: true,
    async prepare(s3) {
      await s3.put("k", "first");
      const { VersionId } = await s3.put("k", "second");
      return () => s3.remove("k", VersionId);
    },
  },
  "a delete of the only version": {
    versioned: true,
    async prepare(s3) {
      const { VersionId } = await s3.put("k", "only");
      return () => s3.remove("k", VersionId);
    },
  },
  "a delete of a marker": {
    versioned: true,
    async prepare(s3) {
      await s3.put("k", "old");
      const { VersionId } = await s3.remove("k");
      return () => s3.remove("k", VersionId);
    },
  },
  "an upload's completion over an object": {
    versioned: true,
    async prepare(s3) {
      await s3.put("k", "old");
      const upload = await s3.upload("k");
      const { ETag } = await upload.send("new");
      return () => upload.complete(ETag);
    },
  },
  "a rename over an object": {
    directory: true,
    async prepare(s3) {
      await s3.put("from/here", "renamed");
      await s3.put("k", "old");
      return () => s3.rename("from/here", "k");
    },
  },
  "a rename of what no path can hold": {
    directory: true,
    async prepare(s3) {
      await s3.put("odd//k", "renamed");
      return () => s3.rename("odd//k", "k");
    },
  },
  "a part over a part": {
    async prepare(s3) {
      const upload = await s3.upload("k");
      await upload.send("old");
      return () => upload.send("new");
    },
  },
};

export const bucketOf = (scenario: string): string =>
  scenarios[scenario]?.directory ? "bucket--use1-az4--x-s3" : "bucket";
