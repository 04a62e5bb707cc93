// CSV as it comes in pieces: records of cells, cells in double quotes where they hold a delimiter, a quote (doubled) or a line's end.

/** Records, one after the other, of whatever pieces the text comes in. An empty line is none. */
export async function* csvRecords(
  pieces: AsyncIterable<string>,
  { delimiter, longest }: { delimiter: string; longest: number },
): AsyncGenerator<readonly string[]> {
  let record: string[] = [];
  let cell = "";
  let length = 0;
  // "after": of a quoted cell, what comes next closes it, or is a quote of its own.
  let state: "start" | "plain" | "quoted" | "after" = "start";
  const endCell = () => {
    record.push(cell);
    cell = "";
    state = "start";
  };
  for await (const piece of pieces)
    for (const char of piece) {
      if (++length > longest) throw new RangeError(`a record is longer than ${longest} characters`);
      if (state === "quoted") {
        if (char === '"') state = "after";
        else cell += char;
      } else if (char === '"' && state !== "plain") {
        if (state === "after") cell += char;
        state = "quoted";
      } else if (char === delimiter) endCell();
      else if (char === "\n") {
        const empty = record.length === 0 && (cell === "" || cell === "\r") && state !== "after";
        if (state !== "after" && cell.endsWith("\r")) cell = cell.slice(0, -1);
        endCell();
        if (!empty) yield record;
        record = [];
        length = 0;
      } else if (!(char === "\r" && state === "after")) {
        cell += char;
        state = "plain";
      }
    }
  if (state === "quoted") throw new SyntaxError("the last cell's quotes are not closed");
  if (record.length === 0 && cell === "" && state === "start") return;
  endCell();
  yield record;
}
