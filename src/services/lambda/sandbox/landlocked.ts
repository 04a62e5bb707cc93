// Rung D: Landlock, for a host that forbids namespaces (Docker's default, Ubuntu's AppArmor). It cannot show other paths than the real ones, but
// what is not on the list cannot be opened, and what is outside cannot be signalled or traced. https://docs.kernel.org/userspace-api/landlock.html
// No program of a usual host sets it up before it starts another: a few lines of Python do, through ctypes.
import { release } from "node:os";
import { DIE_WITH_PARENT, HOST_DIRS, HOST_ETC, HOST_LINKS, type Inside, type Launch } from "./inside.ts";

const RULES_FD = 4;
const START_FD = 5;

export const landlocked: Launch = {
  argv: () => [
    ...DIE_WITH_PARENT,
    ...["setpriv", ...(process.getuid!() === 0 ? ["--bounding-set=-all"] : []), "--inh-caps=-all", "--no-new-privs"],
    ...["--", "python3", "-I", "-S", "-c", LAUNCHER],
  ],
  inputs: 2,
  input: (inside) => [Buffer.from(JSON.stringify(rules(inside))), Buffer.from(`exec ${START_FD}<&-\n${inside.start}`)],
};

/** Paths that do not exist are left out by the launcher. */
const rules = ({ binds }: Inside) => ({
  read: [
    ...HOST_DIRS,
    ...HOST_LINKS,
    ...[...HOST_ETC, "passwd", "group"].map((name) => `/etc/${name}`),
    // Of other processes it tells little more than that they are there: reading their environment or memory counts as tracing them.
    "/proc",
    ...binds.filter(({ write }) => !write).map(({ from }) => from),
  ],
  write: ["null", "zero", "full", "random", "urandom"].map((name) => `/dev/${name}`),
  own: binds.filter(({ write }) => write).map(({ from }) => from),
});

/** Landlock keeps signals and abstract sockets in since its ABI 6. */
export function scopesSignals(): boolean {
  const [major = 0, minor = 0] = release().split(".").map(Number);
  return major > 6 || (major === 6 && minor >= 12);
}

// <linux/landlock.h>: access rights by bit; the ABI tells which ones the kernel knows. A right that is handled and not given is refused.
// The two logs have rules of their own: `echo >/dev/stderr` opens them by name.
const LAUNCHER = `
import _signal, ctypes, json, os, sys
sys.excepthook = lambda kind, error, trace: print(error, file=sys.stderr)
libc = ctypes.CDLL(None, use_errno=True)
def call(number, *args):
    result = libc.syscall(number, *args)
    if result < 0: raise OSError(ctypes.get_errno(), "landlock: " + os.strerror(ctypes.get_errno()))
    return result
CREATE, ADD, RESTRICT = 444, 445, 446
abi = call(CREATE, None, 0, 1)
ALL = (1 << (13 + (abi >= 2) + (abi >= 3) + (abi >= 5))) - 1
EXECUTE, WRITE, READ, READ_DIR, TRUNCATE, DEVICE = 1, 2, 4, 8, 1 << 14, 1 << 15
OF_FILES = EXECUTE | WRITE | READ | TRUNCATE | DEVICE
class Ruleset(ctypes.Structure):
    _fields_ = [("fs", ctypes.c_uint64), ("net", ctypes.c_uint64), ("scoped", ctypes.c_uint64)]
class Beneath(ctypes.Structure):
    _pack_ = 1
    _fields_ = [("allowed", ctypes.c_uint64), ("fd", ctypes.c_int32)]
attributes = Ruleset(ALL, 0, 3 if abi >= 6 else 0)
ruleset = call(CREATE, ctypes.byref(attributes), 24 if abi >= 6 else 16 if abi >= 4 else 8, 0)
def allow(fd, rights):
    if not os.path.isdir("/proc/self/fd/%d" % fd): rights &= OF_FILES
    call(ADD, ruleset, 1, ctypes.byref(Beneath(rights & ALL, fd)), 0)
def allow_path(path, rights):
    try: fd = os.open(path, os.O_PATH | os.O_CLOEXEC)
    except OSError: return
    allow(fd, rights)
    os.close(fd)
with os.fdopen(${RULES_FD}) as file: rules = json.load(file)
for path in rules["read"]: allow_path(path, EXECUTE | READ | READ_DIR)
for path in rules["write"]: allow_path(path, WRITE | READ | DEVICE)
for path in rules["own"]: allow_path(path, ALL & ~(1 << 6 | 1 << 11))
for fd in (1, 2):
    try: allow(fd, WRITE | READ)
    except OSError: pass # A pipe without a name needs no rule.
call(RESTRICT, ruleset, 0)
os.close(ruleset)
_signal.signal(_signal.SIGPIPE, _signal.SIG_DFL) # Python has it ignored.
os.execv("/bin/sh", ["sh", "-c", 'eval "$(cat <&${START_FD})"'])
`;
