// Where Lambda departs from its own model.
import type { AwsError, Quirks } from "../../kernel/mod.ts";
import { unknownRuntime } from "./runtimes.ts";

export const quirks: Quirks = {
  /**
   * The model has an enum of runtimes, the service does not check it as one: a wrong runtime is Lambda's own error, with its own list.
   * Only where nothing else is wrong: other violations come first on AWS too.
   */
  invalid(_operation, violations): AwsError | undefined {
    const [violation, ...others] = violations;
    const match = /^Value '(.*)' at 'runtime' failed to satisfy constraint: Member must satisfy enum value set/s.exec(
      violation ?? "",
    );
    return match && others.length === 0 ? unknownRuntime(match[1]!) : undefined;
  },

  /** The function's answer is JSON, and said to be: the model calls it a blob. */
  output(operation, _output, answer) {
    if (operation !== "Invoke" || answer.status !== 200) return answer;
    return { ...answer, headers: { ...answer.headers, "content-type": "application/json" } };
  },
};
