// What the engines say when a transaction is used as it must not be (defects of the caller, never of the user's input), or can be no more.

const LONELY = "a transaction may await nothing but its own tx";

export const defects = {
  waited: (sql: string | undefined) =>
    new Error(
      `${LONELY}: this one awaited something else (a timer, a file, a call, another transaction), after ${sql ?? "its start"}`,
    ),
  over: () => new Error("this transaction is over: its tx was used after the work had ended"),
  unsynced: (error: unknown) =>
    new Error(`the disk did not take a commit (${error instanceof Error ? error.message : error}): start again`, {
      cause: error,
    }),
  closed: () => new Error("the store is closed"),
} as const;
