// The system calls that a function cannot make: what builds namespaces and mounts, looks into other processes, or reaches the parts of the
// kernel where its holes are mostly found. A BPF program, as seccomp(2) and <linux/filter.h> have it; bwrap loads it.
import { endianness } from "node:os";

/** Undefined on a processor whose numbers are not in the table. */
export function seccompFilter(): Buffer | undefined {
  const arch = ARCHITECTURES.find(({ name }) => name === process.arch);
  if (!arch || endianness() !== "LE") return undefined;
  filter ??= assemble(program(arch.column, arch.audit));
  return filter;
}

let filter: Buffer | undefined;

const ARCHITECTURES = [
  { name: "x64", column: 0, audit: 0xc000003e },
  { name: "arm64", column: 1, audit: 0xc00000b7 },
] as const;

/** Numbers on x86_64 and arm64; -1 where there is none. */
const DENIED: Readonly<Record<string, readonly [x64: number, arm64: number]>> = {
  mount: [165, 40],
  umount2: [166, 39],
  pivot_root: [155, 41],
  chroot: [161, 51],
  move_mount: [429, 429],
  open_tree: [428, 428],
  open_tree_attr: [467, 467],
  fsopen: [430, 430],
  fsconfig: [431, 431],
  fsmount: [432, 432],
  fspick: [433, 433],
  mount_setattr: [442, 442],
  setns: [308, 268],
  unshare: [272, 97],
  name_to_handle_at: [303, 264],
  open_by_handle_at: [304, 265],
  fanotify_init: [300, 262],
  quotactl: [179, 60],
  quotactl_fd: [443, 443],
  swapon: [167, 224],
  swapoff: [168, 225],
  acct: [163, 89],
  ptrace: [101, 117],
  process_vm_readv: [310, 270],
  process_vm_writev: [311, 271],
  process_madvise: [440, 440],
  pidfd_getfd: [438, 438],
  kcmp: [312, 272],
  bpf: [321, 280],
  perf_event_open: [298, 241],
  userfaultfd: [323, 282],
  io_uring_setup: [425, 425],
  io_uring_enter: [426, 426],
  io_uring_register: [427, 427],
  add_key: [248, 217],
  request_key: [249, 218],
  keyctl: [250, 219],
  init_module: [175, 105],
  finit_module: [313, 273],
  delete_module: [176, 106],
  kexec_load: [246, 104],
  kexec_file_load: [320, 294],
  reboot: [169, 142],
  syslog: [103, 116],
  vhangup: [153, 58],
  iopl: [172, -1],
  ioperm: [173, -1],
  uselib: [134, -1],
  modify_ldt: [154, -1],
};
const CLONE = [56, 220] as const;
const CLONE3 = [435, 435] as const;
const IOCTL = [16, 29] as const;
const SOCKET = [41, 198] as const;

const NEW_NAMESPACES = 0x7e02_0000;
/** Typing into the terminal that started the cloud. */
const TERMINAL_IOCTLS = [0x5412, 0x541c];
/** UNIX, INET, INET6, NETLINK. */
const FAMILIES = [1, 2, 10, 16];
const X32_BIT = 0x4000_0000;

const EPERM = 1;
const ENOSYS = 38;
const EAFNOSUPPORT = 97;

// struct seccomp_data: nr, arch, instruction pointer (8), args (8 each; the low half first).
const NR = 0;
const ARCH = 4;
const arg = (index: number): number => 16 + 8 * index;

type Line =
  | { readonly load: number }
  | { readonly if: "eq" | "ge" | "any"; readonly k: number; readonly goto: string }
  | { readonly label: string; readonly result: number };

const allow = 0x7fff_0000;
const kill = 0x8000_0000;
const errno = (number: number): number => 0x0005_0000 | number;

function program(column: 0 | 1, audit: number): Line[] {
  return [
    { load: ARCH },
    { if: "eq", k: audit, goto: "known" },
    // Another architecture's calls have other numbers: none of the rules below would hold.
    { label: "foreign", result: kill },
    { label: "known", result: -1 },
    { load: NR },
    ...(column === 0 ? [{ if: "ge", k: X32_BIT, goto: "absent" } as const] : []),
    ...Object.values(DENIED)
      .map((numbers) => numbers[column])
      .filter((number) => number >= 0)
      .map((k) => ({ if: "eq", k, goto: "denied" }) as const),
    // Its flags are behind a pointer, out of a filter's sight. libc falls back to clone.
    { if: "eq", k: CLONE3[column], goto: "absent" },
    { if: "eq", k: CLONE[column], goto: "clone" },
    { if: "eq", k: IOCTL[column], goto: "ioctl" },
    { if: "eq", k: SOCKET[column], goto: "socket" },
    { label: "rest", result: allow },
    { label: "clone", result: -1 },
    { load: arg(0) },
    { if: "any", k: NEW_NAMESPACES, goto: "denied" },
    { label: "thread", result: allow },
    { label: "ioctl", result: -1 },
    { load: arg(1) },
    ...TERMINAL_IOCTLS.map((k) => ({ if: "eq", k, goto: "denied" }) as const),
    { label: "harmless", result: allow },
    { label: "socket", result: -1 },
    { load: arg(0) },
    ...FAMILIES.map((k) => ({ if: "eq", k, goto: "family" }) as const),
    { label: "strange", result: errno(EAFNOSUPPORT) },
    { label: "family", result: allow },
    { label: "denied", result: errno(EPERM) },
    { label: "absent", result: errno(ENOSYS) },
  ];
}

const LOAD = 0x20;
const RETURN = 0x06;
const JUMPS = { eq: 0x15, ge: 0x35, any: 0x45 } as const;

/** Instructions are `u16 code, u8 jump if true, u8 jump if false, u32 k`; jumps go forward only. A label with result -1 is only a place. */
function assemble(lines: readonly Line[]): Buffer {
  const places = new Map<string, number>();
  let index = 0;
  for (const line of lines) {
    if ("label" in line) places.set(line.label, index);
    if (!("label" in line && line.result === -1)) index++;
  }
  const code = Buffer.alloc(index * 8);
  let at = 0;
  const put = (instruction: number, then: number, k: number): void => {
    code.writeUInt16LE(instruction, at * 8);
    code.writeUInt8(then, at * 8 + 2);
    code.writeUInt32LE(k, at * 8 + 4);
    at++;
  };
  for (const line of lines) {
    if ("load" in line) put(LOAD, 0, line.load);
    else if ("goto" in line) put(JUMPS[line.if], places.get(line.goto)! - at - 1, line.k);
    else if (line.result !== -1) put(RETURN, 0, line.result);
  }
  return code;
}
