// The register: one import and one entry for each service.
import type { AnyService } from "./kernel/service.ts";

export const services: readonly AnyService[] = [];
