// Rungs A and B: bwrap builds a root of its own from an allow list; nothing else of the host is there.
// As root there is no user namespace: mounts are made as root, then setpriv gives up root for the sandbox's own uid. (bwrap as root
// keeps uid 0, and uid 0 reads /etc/shadow and writes /proc/sys without any capability.)
import { lstatSync, readlinkSync } from "node:fs";
import { HOST_DIRS, HOST_ETC, HOST_LINKS, type Inside, type Launch } from "./inside.ts";
import { seccompFilter } from "./seccomp.ts";

const SECCOMP_FD = 4;
const ARGS_FD = 5;
const START_FD = 6;
const PASSWD_FD = 7;
const START = "/var/runtime/start";
/** What AWS's own sandbox user is called. */
const USER = "sbx_user1051";
const USER_ID = 993;

/** Parents of binds are named: bwrap makes them 0700 otherwise. */
const DIRS = ["/etc/ssl", "/tmp", "/opt", "/var/task", "/var/runtime", "/var/lang/bin"];

export const bubblewrap = ({ root }: { root: boolean }): Launch => ({
  argv: (uid) => ["bwrap", "--args", `${ARGS_FD}`, "--", ...(root ? dropTo(uid!) : []), "/bin/sh", START],
  inputs: 4,
  input(inside) {
    const uid = root ? inside.uid! : USER_ID;
    const filter = seccompFilter();
    return [
      filter ?? Buffer.alloc(0),
      Buffer.from(`${options(inside, { root, uid, filtered: filter !== undefined }).join("\0")}\0`),
      Buffer.from(inside.start),
      Buffer.from(`root:x:0:0:root:/root:/sbin/nologin\n${USER}:x:${uid}:${uid}::/tmp:/sbin/nologin\n`),
    ];
  },
});

const dropTo = (uid: number): string[] => [
  ...["/usr/bin/setpriv", "--reuid", `${uid}`, "--regid", `${uid}`, "--clear-groups"],
  ...["--bounding-set=-all", "--inh-caps=-all", "--no-new-privs", "--"],
];

function options(inside: Inside, { root, uid, filtered }: { root: boolean; uid: number; filtered: boolean }): string[] {
  return [
    ...(root
      ? ["--unshare-pid", "--unshare-ipc", "--unshare-uts", "--unshare-cgroup-try"]
      : ["--unshare-all", "--share-net", "--uid", `${uid}`, "--gid", `${uid}`]),
    // bwrap itself is process 1 inside: when it dies, by us or with us, the kernel kills every process inside.
    ...["--die-with-parent", "--new-session", "--hostname", "lambda", "--clearenv", "--cap-drop", "ALL"],
    ...(root ? ["CAP_SETUID", "CAP_SETGID", "CAP_SETPCAP"].flatMap((name) => ["--cap-add", name]) : []),
    ...DIRS.flatMap((dir) => ["--dir", dir]),
    ...hostView(),
    // AWS has no /dev/shm to write to either.
    ...["--proc", "/proc", "--dev", "/dev", "--tmpfs", "/dev/shm", "--remount-ro", "/dev/shm"],
    ...inside.binds.flatMap((bind) => [bind.write ? "--bind" : "--ro-bind", bind.from, bind.to]),
    ...["--perms", "0444", "--ro-bind-data", `${START_FD}`, START],
    ...["--perms", "0444", "--ro-bind-data", `${PASSWD_FD}`, "/etc/passwd"],
    ...["--remount-ro", "/", "--chdir", "/"],
    ...(filtered ? ["--seccomp", `${SECCOMP_FD}`] : []),
  ];
}

let view: string[] | undefined;

/** /usr with what points into it, and of /etc what a program needs to resolve names and trust certificates. */
function hostView(): string[] {
  view ??= [
    ...HOST_DIRS.flatMap((dir) => ["--ro-bind", dir, dir]),
    ...HOST_LINKS.flatMap((path) => {
      const stat = lstatSync(path, { throwIfNoEntry: false });
      if (!stat) return [];
      return stat.isSymbolicLink() ? ["--symlink", readlinkSync(path), path] : ["--ro-bind", path, path];
    }),
    ...HOST_ETC.flatMap((name) => ["--ro-bind-try", `/etc/${name}`, `/etc/${name}`]),
  ];
  return view;
}
