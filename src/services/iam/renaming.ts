// A new name or path: who gives it must be allowed to on both ARNs, the old and the new.
import type { Access } from "../../kernel/mod.ts";

/** `access` is to the thing as it is called now. What is not there has no ARN, and no second one. */
export function renaming(
  access: Access,
  { path, name }: { path: string | undefined; name: string | undefined },
): Access | Access[] {
  const [, head, oldPath, oldName] = /^(arn:[^/]*)(\/(?:.*\/)?)([^/]+)$/.exec(access.resource) ?? [];
  if (head === undefined) return access;
  const resource = `${head}${path ?? oldPath}${name ?? oldName}`;
  return resource === access.resource ? access : [access, { ...access, resource }];
}
