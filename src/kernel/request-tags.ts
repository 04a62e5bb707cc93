// The condition keys of tags that a request brings. https://docs.aws.amazon.com/IAM/latest/UserGuide/access_tags.html
import type { Conditions, Tags } from "./service.ts";

type TagList = readonly { readonly Key?: string | undefined; readonly Value?: string | undefined }[];

/** aws:RequestTag/KEY and aws:TagKeys; none where the request brings no tags. */
export function requestTags(given: Tags | TagList | undefined): Conditions {
  const pairs = isList(given)
    ? given.map(({ Key = "", Value = "" }): [string, string] => [Key, Value])
    : Object.entries(given ?? {});
  if (pairs.length === 0) return {};
  return {
    ...Object.fromEntries(pairs.map(([key, value]) => [`aws:RequestTag/${key}`, value])),
    "aws:TagKeys": pairs.map(([key]) => key),
  };
}

const isList = (given: Tags | TagList | undefined): given is TagList => Array.isArray(given);

/** Of a request that takes tags away. */
export const requestTagKeys = (keys: readonly string[] | undefined): Conditions =>
  keys?.length ? { "aws:TagKeys": keys } : {};
