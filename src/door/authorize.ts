// Placeholder until the security branch lands.
import type { Context } from "../kernel/context.ts";
import type { AnyService, Demand, Identity } from "../kernel/service.ts";
import type { Family } from "./signature.ts";

export const authorizer =
  (_services: ReadonlyMap<string, AnyService>, _identities: readonly Identity[]) =>
  async (_ctx: Context, _family: Family, _demand: Demand): Promise<void> =>
    undefined;
