// TestEventPattern, and the patterns of rules: AWS's sentence where one is not valid.
import { compilePattern, defineOperations, type Pattern, PatternFault, parsedJson } from "../../kernel/mod.ts";
import { onAll } from "./access.ts";
import { errors } from "./errors.ts";

export const patterns = defineOperations("events", {
  TestEventPattern: {
    access: (ctx) => onAll(ctx, "TestEventPattern", "rule"),
    async handle(_ctx, input) {
      const pattern = compiled(input.EventPattern!);
      return { Result: pattern.matches(eventOf(input.Event!)) };
    },
  },
});

/** Throws InvalidEventPatternException. */
export function compiled(text: string): Pattern {
  try {
    return compilePattern(text);
  } catch (error) {
    if (error instanceof PatternFault) throw errors.eventPattern(error.message);
    throw error;
  }
}

/** "The JSON blob must contain the following fields: id, account, source, time, region, resources, detail-type." */
const NEEDED = ["id", "account", "source", "time", "region", "resources", "detail-type"];

function eventOf(text: string): unknown {
  const event = parsedJson(text);
  if (event === undefined) throw errors.parameter("Event", "Event is not valid JSON.");
  const given = typeof event === "object" && event !== null ? event : {};
  const missing = NEEDED.find((member) => !(member in given));
  if (missing !== undefined) throw errors.parameter("Event", `${missing} is a required field.`);
  return event;
}
