// What the watcher and its worker say to each other, and what the ways of watching have in common.

export type Hint =
  /** A file whose writing has ended, or that was found and is not being written. */
  | { readonly kind: "finished"; readonly path: string }
  /** A file, or a directory with everything below it, is no longer there (or is now of the other kind: look). */
  | { readonly kind: "gone"; readonly path: string }
  /** A directory appeared, empty or not. Its files follow as hints of their own. */
  | { readonly kind: "directory"; readonly path: string }
  /** Events were lost, or a directory was replaced: compare everything below `root`. */
  | { readonly kind: "rescan"; readonly root: string; readonly reason: string };

export type EngineName = "inotify" | "fs.watch" | "poll";

export interface WorkerOptions {
  readonly engine: EngineName;
  readonly settleMs: number;
  readonly holdMs: number;
  readonly pollMs: number;
  readonly rescanMs: number;
  readonly maxWatches: number;
}

/** For tests: what may befall a worker. `stall` keeps it from reading until the gate is notified. */
export type Fault = { readonly fault: "stall"; readonly gate: Int32Array } | { readonly fault: "crash" };

export type Command =
  /** `again`: it was watched before, and need not be there now. */
  | { readonly do: "add"; readonly id: number; readonly root: string; readonly again: boolean }
  | { readonly do: "remove"; readonly id: number; readonly root: string }
  | { readonly do: "settle"; readonly id: number }
  | { readonly do: "found"; readonly paths: readonly string[] }
  | { readonly do: "befall"; readonly fault: Fault }
  | { readonly do: "stop" };

export type Report =
  /** `fds` are the watcher's to close, once the worker has ended; `wakeFd` is one of them. */
  | { readonly ready: EngineName; readonly fds: readonly number[]; readonly wakeFd?: number }
  | { readonly hints: readonly Hint[] }
  | { readonly notice: string }
  | { readonly answer: number; readonly error?: string };

/** One way of watching trees. All are driven by the worker's loop, and tell what they see to `Pending` and `Voice`. */
export interface Engine {
  /** Throws where the root is no directory. `hinting`: the files that are there are news. */
  add(root: string, hinting: boolean): void;
  /** A root that is not there now is watched when it is back. */
  expect(root: string): void;
  remove(root: string): void;
  /** Looks at what has happened by now. `full`: also what is looked at only now and then. */
  look(full: boolean): void;
  /** When `look` is wanted next, on performance.now(); Infinity: only when something happens. */
  nextLook(): number;
  close(): void;
}

/** Where the parts of the worker speak to. */
export interface Voice {
  hint(hint: Hint): void;
  /** Said once for each text. */
  notice(text: string): void;
}
