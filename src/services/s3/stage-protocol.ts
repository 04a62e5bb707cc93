// What the main thread and a thread that stages (stage-worker.ts) say to each other. A body has a number of its own.
import type { Algorithm } from "./checksums.ts";
import type { Digests } from "./hashes.ts";

export type Order =
  | { readonly id: number; readonly open: { readonly fd: number; readonly algorithms: readonly Algorithm[] } }
  | { readonly id: number; readonly chunks: readonly Uint8Array[] }
  /** `abandon`: nobody wants the digests; the descriptor is about to be closed. */
  | { readonly id: number; readonly end: "finish" | "abandon" };

export type Report =
  | { readonly id: number; readonly taken: number }
  | { readonly id: number; readonly done: Digests | undefined }
  | { readonly id: number; readonly failed: { readonly message: string; readonly code: string | undefined } };
