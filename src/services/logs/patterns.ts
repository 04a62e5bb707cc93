// A request's filter pattern: one that is none is AWS's InvalidParameterException.
import { errors } from "./errors.ts";
import { compileFilterPattern, type FilterPattern, PatternFault } from "./filter-pattern/filter-pattern.ts";

export function pattern(text = ""): FilterPattern {
  try {
    return compileFilterPattern(text);
  } catch (error) {
    if (error instanceof PatternFault) throw errors.pattern(error.message);
    throw error;
  }
}
