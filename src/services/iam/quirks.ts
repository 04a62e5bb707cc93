// IAM's own words for a name or a path that its pattern forbids; the other constraints it tells as its model does.
import { AwsError, type Quirks } from "../../kernel/mod.ts";

const WORDS: readonly (readonly [pattern: RegExp, words: string])[] = [
  [
    /^Value .* at '(roleName|userName|groupName|newUserName|newGroupName|policyName)' failed .* pattern: /s,
    "It must contain only alphanumeric characters and/or the following: +=,.@_-",
  ],
  [
    /^Value .* at '(path|newPath)' failed .* pattern: /s,
    "It must begin and end with / and contain only alphanumeric characters and/or / characters.",
  ],
];

export const quirks: Quirks = {
  invalid(_operation, violations) {
    for (const [pattern, words] of WORDS) {
      const name = pattern.exec(violations[0] ?? "")?.[1];
      if (name) return new AwsError("ValidationError", 400, `The specified value for ${name} is invalid. ${words}`);
    }
    return undefined;
  },
};
