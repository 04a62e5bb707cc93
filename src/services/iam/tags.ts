// Tags of everything in IAM that has them: kept as JSON in the row; keys are compared without case.
import { type Access, requestTagKeys, requestTags } from "../../kernel/mod.ts";
import { errors } from "./errors.ts";
import { cut, pageOf } from "./paging.ts";

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

/** The answer of ListUserTags and its like. */
export function tagPage(text: string, input: { Marker?: string | undefined; MaxItems?: number | undefined }) {
  const page = pageOf(input);
  const tags = (JSON.parse(text) as Tag[]).filter(({ Key }) => Key > page.after);
  tags.sort((a, b) => (a.Key < b.Key ? -1 : 1));
  const { shown, more } = cut(tags.slice(0, page.limit), page, ({ Key }) => Key);
  return { Tags: shown, ...more };
}

/** The tags of a row as `aws:ResourceTag/KEY` asks for them. */
export const tagRecord = (text: string): Readonly<Record<string, string>> =>
  Object.fromEntries((JSON.parse(text) as Tag[]).map(({ Key, Value }) => [Key, Value]));

/** Making something with tags is two permissions: to make it, and `iam:TagRole` and the like. */
export function making(access: Access, action: string, given: Given): Access[] {
  const made = tagging(access, given);
  return given?.length ? [made, { ...made, action: `iam:${action}` }] : [made];
}

/** What is demanded where tags are given: aws:RequestTag/KEY and aws:TagKeys may speak of them. */
export const tagging = (access: Access, given: Given): Access =>
  given?.length ? { ...access, conditions: { ...access.conditions, ...requestTags(given) } } : access;

export const untagging = (access: Access, keys: readonly string[] = []): Access => ({
  ...access,
  conditions: { ...access.conditions, ...requestTagKeys(keys) },
});

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
    if (key.startsWith("aws:")) throw errors.systemTag();
    if (seen.has(key)) throw errors.repeatedTags();
    seen.add(key);
    tags.set(key, { Key, Value });
  }
  if (tags.size > MOST) throw errors.quota("TagsPerEntity", MOST);
  return [...tags.values()];
}
