// Tags of roles and users: kept as JSON in the row; keys are compared without case.
import type { Access } from "../../kernel/mod.ts";
import { errors } from "./errors.ts";

export interface Tag {
  readonly Key: string;
  readonly Value: string;
}
type Given = readonly { Key?: string | undefined; Value?: string | undefined }[] | undefined;

const MOST = 50;

export const tagsText = (given: Given): string => JSON.stringify(merge([], given));

/** `Tags` of an answer: absent where there are none. */
export function tagsOf(text: string): { Tags?: Tag[] } {
  const tags = JSON.parse(text) as Tag[];
  return tags.length > 0 ? { Tags: tags } : {};
}

/** Making something with tags is two permissions: to make it, and `iam:TagRole` and the like. */
export const making = (access: Access, tagging: string, given: Given): Access[] =>
  given?.length ? [access, { ...access, action: `iam:${tagging}` }] : [access];

export const withTags = (text: string, given: Given): string => JSON.stringify(merge(JSON.parse(text), given));

export function withoutTags(text: string, keys: readonly string[] = []): string {
  const gone = new Set(keys.map((key) => key.toLowerCase()));
  return JSON.stringify((JSON.parse(text) as Tag[]).filter(({ Key }) => !gone.has(Key.toLowerCase())));
}

function merge(old: readonly Tag[], given: Given = []): Tag[] {
  const tags = new Map(old.map((tag) => [tag.Key.toLowerCase(), tag]));
  const seen = new Set<string>();
  for (const { Key = "", Value = "" } of given) {
    const key = Key.toLowerCase();
    if (seen.has(key)) throw errors.repeatedTags();
    seen.add(key);
    tags.set(key, { Key, Value });
  }
  if (tags.size > MOST) throw errors.quota("TagsPerEntity", MOST);
  return [...tags.values()];
}
