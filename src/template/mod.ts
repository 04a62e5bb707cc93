// Placeholder until the template branch lands.
import type { Aws } from "../aws.ts";

export interface Template extends AsyncDisposable {
  deploy(): Promise<void>;
}

export async function openTemplate(
  _aws: Aws,
  _options: { file: string; parameters: ReadonlyMap<string, string> },
): Promise<Template> {
  return { deploy: async () => undefined, [Symbol.asyncDispose]: async () => undefined };
}
