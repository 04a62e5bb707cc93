// Real time, which the movable clock does not move: a sandboxed process lives in it, and so do its deadlines.
import { performance } from "node:perf_hooks";

/** Epoch ms, with a fraction. */
export const realNow = (): number => performance.timeOrigin + performance.now();
