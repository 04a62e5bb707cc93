// Reads a service's generated model.json, at its first use.
import { readFileSync } from "node:fs";
import type { Model } from "./model.ts";

/** `loadModel(import.meta.url)`: the model.json beside the calling module; parsed once. */
export function loadModel(moduleUrl: string): () => Model {
  let model: Model | undefined;
  return () => {
    model ??= JSON.parse(readFileSync(new URL("model.json", moduleUrl), "utf8")) as Model;
    return model;
  };
}
