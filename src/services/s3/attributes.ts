// GetObjectAttributes: what is known of an object, without its bytes.
import { defineOperations } from "../../kernel/mod.ts";
import { onObject } from "./access.ts";
import { type Checksum, checksumMembers } from "./checksums.ts";
import { lastModified } from "./conditions.ts";
import { openerOf } from "./encryption.ts";
import { errors } from "./errors.ts";
import { expectObject, headersOfVersion, lookUp } from "./lookup.ts";
import { refuseWithoutEffect } from "./object-headers.ts";
import { customerKey } from "./sse-c.ts";
import type { ObjectPart, ObjectRow } from "./tables.ts";

const ATTRIBUTES = ["ETag", "Checksum", "ObjectParts", "StorageClass", "ObjectSize"];
const MAX_PARTS_PAGE = 1000;

export const attributes = defineOperations("s3", {
  GetObjectAttributes: {
    access: (ctx, input) => [onObject(ctx, ["Get"], input), onObject(ctx, ["Get", "Attributes"], input)],
    async handle(ctx, input) {
      refuseWithoutEffect(input);
      const wanted = new Set((input.ObjectAttributes ?? []).flatMap((one) => one.split(",")).map((one) => one.trim()));
      if (wanted.size === 0 || wanted.has("")) throw errors.attributesMissing();
      for (const name of wanted)
        if (!ATTRIBUTES.includes(name))
          throw errors.invalidArgument("Invalid attribute name specified.", "x-amz-object-attributes", name);
      const { bucket, row: found } = await lookUp(ctx, input);
      const row = await expectObject(ctx, { bucket, row: found, input, method: "GET" });
      openerOf(row.encryption, customerKey(input));
      const checksum = row.checksum === null ? undefined : (JSON.parse(row.checksum) as Checksum);
      return {
        LastModified: lastModified(row),
        ...headersOfVersion(row, bucket),
        ...(wanted.has("ETag") && { ETag: row.etag }),
        ...(wanted.has("Checksum") &&
          checksum && { Checksum: { ...plainChecksum(checksum), ChecksumType: checksum.type } }),
        ...(wanted.has("ObjectParts") && row.parts !== null && { ObjectParts: partsOf(row, checksum, input) }),
        ...(wanted.has("StorageClass") && { StorageClass: row.storage_class as "STANDARD" }),
        ...(wanted.has("ObjectSize") && { ObjectSize: row.size }),
      };
    },
  },
});

/** Without the count of parts that a composite one ends in elsewhere (recorded on AWS). */
const plainChecksum = ({ algorithm, value }: Checksum) =>
  checksumMembers({ algorithm, value: value.replace(/-\d+$/, "") });

/** Parts are named only where their checksums are part of the object's (recorded on AWS). */
function partsOf(
  row: ObjectRow,
  checksum: Checksum | undefined,
  input: { MaxParts?: number | undefined; PartNumberMarker?: string | undefined },
) {
  const parts = JSON.parse(row.parts!) as ObjectPart[];
  if (checksum?.type !== "COMPOSITE") return { TotalPartsCount: parts.length };
  const marker = Number(input.PartNumberMarker ?? 0);
  const max = Math.min(input.MaxParts ?? MAX_PARTS_PAGE, MAX_PARTS_PAGE);
  const rest = parts.filter(({ number }) => number > marker);
  const page = rest.slice(0, max);
  return {
    TotalPartsCount: parts.length,
    PartNumberMarker: String(marker),
    NextPartNumberMarker: String(page.at(-1)?.number ?? marker),
    MaxParts: max,
    IsTruncated: rest.length > page.length,
    Parts: page.map(({ number, size, value }) => ({
      PartNumber: number,
      Size: size,
      ...(value !== undefined && checksumMembers({ algorithm: checksum.algorithm, value })),
    })),
  };
}
