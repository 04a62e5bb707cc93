// Placeholder until the wire branch lands.
import type { Model } from "./model.ts";

export const validate = (_model: Model, _operation: string, _input: unknown): string[] => [];
export const sentence = (violations: readonly string[]): string => violations.join("; ");
