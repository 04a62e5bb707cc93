// Rung E: no sandbox at all. A process group, resource limits and a clean environment; the tag finds what left the group.
import { DIE_WITH_PARENT, type Launch } from "./inside.ts";

const START_FD = 4;

export const bare: Launch = {
  // The script comes through a socket, which has no name to open: read it whole, then become it.
  argv: () => [...DIE_WITH_PARENT, "/bin/sh", "-c", `eval "$(cat <&${START_FD})"`],
  inputs: 1,
  input: ({ start }) => [Buffer.from(`exec ${START_FD}<&-\n${start}`)],
};
