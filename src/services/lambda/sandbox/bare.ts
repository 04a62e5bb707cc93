// Rung E: no sandbox at all. A process group, resource limits and a clean environment; the tag finds what left the group.
import { type Command, DIE_WITH_PARENT, type Inside } from "./inside.ts";

const START_FD = 4;

export const bare = (inside: Inside): Command => ({
  // The script comes through a socket, which has no name to open: read it whole, then become it.
  argv: [...DIE_WITH_PARENT, "/bin/sh", "-c", `eval "$(cat <&${START_FD})"`],
  fds: [Buffer.from(`exec ${START_FD}<&-\n${inside.start}`)],
});
