// Rung C: the layout of rungs A and B made with unshare(1), mount(8) and pivot_root(8), for a host without bubblewrap.
// As root without a user namespace, and setpriv takes the sandbox's own uid; as user within one, as its powerless root.
import {
  type Bind,
  DIE_WITH_PARENT,
  HOST_DIRS,
  HOST_ETC,
  HOST_LINKS,
  type Inside,
  type Launch,
  quoted,
} from "./inside.ts";

const LAYOUT_FD = 4;
const START_FD = 5;

export const unshared = ({ root }: { root: boolean }): Launch => ({
  argv: () => [
    ...DIE_WITH_PARENT,
    ...["unshare", ...(root ? [] : ["--user", "--map-root-user"]), "--mount", "--pid", "--ipc", "--uts"],
    // Both scripts come through sockets, which have no name to open: read them whole.
    ...["--fork", "--kill-child", "/bin/sh", "-c", `eval "$(cat <&${LAYOUT_FD})"`],
  ],
  inputs: 2,
  input: (inside) => [Buffer.from(layout(inside, root)), Buffer.from(`exec ${START_FD}<&-\n${inside.start}`)],
});

const DIRS = "usr etc/ssl tmp opt var/task var/runtime var/lang/bin proc dev old";
const DEVICES = "null zero full random urandom";

function layout(inside: Inside, root: boolean): string {
  const uid = root ? inside.uid! : 0;
  const identity = root ? `--reuid ${uid} --regid ${uid} --clear-groups ` : "";
  const passwd = `${root ? "root:x:0:0:root:/root:/sbin/nologin\\n" : ""}sbx_user1051:x:${uid}:${uid}::/tmp:/sbin/nologin\\n`;
  return `set -e
exec ${LAYOUT_FD}<&-
hostname lambda
new=${quoted(`${inside.workerDir}/root`)}
mkdir -p "$new"
mount -t tmpfs -o mode=0755,nosuid,nodev,size=4m tmpfs "$new"
cd "$new"
mkdir -p ${DIRS}
place() { if [ -d "$1" ]; then mkdir -p "$2"; else mkdir -p "\${2%/*}"; [ -e "$2" ] || : >"$2"; fi; }
bind() { place "$1" "$2"; mount -o bind,"$3" "$1" "$2"; }
${HOST_DIRS.map((dir) => `bind ${dir} .${dir} ro,nosuid,nodev`).join("\n")}
for path in ${HOST_LINKS.join(" ")}; do
  if [ -L "$path" ]; then ln -s "$(readlink "$path")" ".$path"
  elif [ -d "$path" ]; then bind "$path" ".$path" ro,nosuid,nodev; fi
done
for name in ${HOST_ETC.join(" ")}; do
  if [ -d "/etc/$name" ]; then bind "/etc/$name" "./etc/$name" ro,nosuid,nodev
  elif [ -f "/etc/$name" ]; then cp "/etc/$name" "./etc/$name"; fi
done
printf '${passwd}' >etc/passwd
for name in ${DEVICES}; do bind "/dev/$name" "./dev/$name" rw,nosuid; done
ln -s /proc/self/fd dev/fd; ln -s /proc/self/fd/0 dev/stdin; ln -s /proc/self/fd/1 dev/stdout; ln -s /proc/self/fd/2 dev/stderr
mount -t proc -o nosuid,nodev,noexec proc proc
${inside.binds.map(bindLine).join("\n")}
pivot_root . old
cd /
umount -l /old
rmdir /old
mount -o remount,bind,ro /
set +e
# This shell stays process 1: the kernel shields that one from signals, and a runtime must be able to die of them.
setpriv ${identity}--bounding-set=-all --inh-caps=-all --no-new-privs -- /bin/sh -c 'eval "$(cat <&${START_FD})"'
exit $?
`;
}

const bindLine = ({ from, to, write }: Bind): string =>
  `bind ${quoted(from)} ${quoted(`.${to}`)} ${write ? "rw" : "ro"},nosuid,nodev`;
