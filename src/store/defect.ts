// What both engines say when a transaction is used as it must not be. These are defects of the caller, never of the user's input.

const LONELY = "a transaction may await nothing but its own tx";

export const defects = {
  waited: (sql: string | undefined) =>
    new Error(
      `${LONELY}: this one awaited something else (a timer, a file, a call, another transaction), after ${sql ?? "its start"}`,
    ),
  over: () => new Error("this transaction is over: its tx was used after the work had ended"),
  closed: () => new Error("the store is closed"),
} as const;
