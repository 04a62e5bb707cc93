// Directory buckets by their names: BASE--ZONE--x-s3. https://docs.aws.amazon.com/AmazonS3/latest/userguide/directory-bucket-naming-rules.html

/** No bucket of the general kind may have such a name. */
export const isDirectoryBucket = (name: string | undefined): boolean => name?.endsWith("--x-s3") === true;

/** The zone that a name says; undefined where the name is none that a directory bucket may have. */
export function zoneOfName(name: string): string | undefined {
  if (name.length > 63 || /^(xn--|sthree-|amzn-s3-demo-)/.test(name)) return undefined;
  return /^[a-z0-9](?:[a-z0-9-]*[a-z0-9])?--([a-z0-9]+(?:-[a-z0-9]+)*)--x-s3$/.exec(name)?.[1];
}

/** Whether a zone is one of a region's: `use1-az4` of us-east-1, `usw2-lax1-az1` of us-west-2. */
export const isZoneOf = (region: string, zone: string): boolean =>
  new RegExp(`^${shortOf(region)}(?:-[a-z]{3}\\d+)?-az\\d+$`).test(zone);

/** us-east-1 is use1, ap-northeast-1 is apne1. https://docs.aws.amazon.com/global-infrastructure/latest/regions/az-ids.html */
function shortOf(region: string): string {
  const [area, ...rest] = region.split("-");
  const initials = rest.map((part) => DIRECTIONS[part] ?? (/^\d+$/.test(part) ? part : part[0]));
  return area + initials.join("");
}

const DIRECTIONS: Readonly<Record<string, string>> = {
  northeast: "ne",
  northwest: "nw",
  southeast: "se",
  southwest: "sw",
};

/** In policies and events. */
export const expressArn = ({ name, account, region }: { name: string; account: string; region: string }): string =>
  `arn:aws:s3express:${region}:${account}:bucket/${name}`;

/** The one class that objects of a directory bucket have, and what others have where nothing is said. */
export const defaultClass = (bucket: string | undefined): string =>
  isDirectoryBucket(bucket) ? "EXPRESS_ONEZONE" : "STANDARD";
