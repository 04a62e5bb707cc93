// The watcher's own thread: the main one may be busy for longer than the kernel keeps events. It talks in watch-protocol.ts's terms.
import { existsSync, statfsSync } from "node:fs";
import { parentPort, receiveMessageOnPort, workerData } from "node:worker_threads";
import { type Inotify, openInotify } from "./inotify.ts";
import { FsWatch, procWriters } from "./watch-fs.ts";
import { Pending } from "./watch-pending.ts";
import { Poll } from "./watch-poll.ts";
import type { Command, Engine, Fault, Hint, Report, Voice, WorkerOptions } from "./watch-protocol.ts";
import { Tree } from "./watch-tree.ts";

// The longest sleep: a worker that is told to end by force ends after it.
const LONGEST_SLEEP_MS = 250;
// Hints are sent in parcels, so that the first of many comes early.
const PARCEL = 256;
// Notices that are remembered, so as not to be said twice.
const MOST_NOTICES = 1_000;

// statfs(2)'s f_type of file systems whose changes may be made elsewhere, where no event tells of them.
const WITHOUT_EVENTS: ReadonlyMap<number, string> = new Map([
  [0x6969, "NFS"],
  [0x517b, "SMB"],
  [0xff534d42, "CIFS"],
  [0xfe534d42, "SMB2"],
  [0x01021997, "9p"], // WSL's drives of Windows, and some containers'
  [0x65735546, "FUSE or virtiofs"],
  [0x786f4256, "VirtualBox's shared folders"],
  [0x00c36400, "Ceph"],
  [0x5346414f, "AFS"],
]);

const port = parentPort!;
const options: WorkerOptions = workerData;
const say = (report: Report): void => port.postMessage(report);

let hints: Hint[] = [];
const said = new Set<string>();
const voice: Voice = {
  hint(hint) {
    hints.push(hint);
    if (hints.length >= PARCEL) send();
  },
  notice(text) {
    if (said.has(text) || said.size >= MOST_NOTICES) return;
    said.add(text);
    say({ notice: text });
  },
};

function send(): void {
  if (hints.length === 0) return;
  say({ hints });
  hints = [];
}

interface Waiter {
  readonly id: number;
  readonly since: number;
}

/** The engines, what is pending, and who waits for it. `step` does all that is to be done now. */
class Loop {
  readonly #events: Engine;
  readonly #poll: Engine;
  readonly #pending: Pending;
  #waiters: Waiter[] = [];
  #ended = false;

  constructor(events: Engine, poll: Engine, pending: Pending) {
    this.#events = events;
    this.#poll = poll;
    this.#pending = pending;
  }

  get ended(): boolean {
    return this.#ended;
  }

  obey(command: Command): void {
    if (command.do === "add") this.#answer(command.id, () => this.#add(command.root, command.again));
    else if (command.do === "remove") this.#answer(command.id, () => this.#remove(command.root));
    else if (command.do === "settle") this.#settle(command.id);
    else if (command.do === "found") for (const path of command.paths) this.#pending.found(path, "scan");
    else if (command.do === "stop") this.#end();
    else befall(command.fault);
  }

  /** Returns when it is wanted again, on performance.now(). */
  step(): number {
    this.#events.look(false);
    this.#poll.look(false);
    this.#pending.tick(() => this.#events.look(false));
    send();
    this.#waiters = this.#waiters.filter(({ id, since }) => {
      if (!this.#pending.settledSince(since)) return true;
      say({ answer: id });
      return false;
    });
    return Math.min(this.#events.nextLook(), this.#poll.nextLook(), this.#pending.nextTick());
  }

  #engineOf(root: string): Engine {
    const kind = WITHOUT_EVENTS.get(statfsSync(root).type >>> 0);
    if (kind === undefined) return this.#events;
    voice.notice(
      `${root} is on ${kind}, which reports no changes that are made elsewhere: it is polled every ${options.pollMs} ms`,
    );
    return this.#poll;
  }

  #add(root: string, again: boolean): void {
    if (again && !existsSync(root)) this.#events.expect(root);
    else this.#engineOf(root).add(root, false);
  }

  #remove(root: string): void {
    this.#events.remove(root);
    this.#poll.remove(root);
    this.#pending.forget(root);
  }

  #settle(id: number): void {
    this.#events.look(true);
    this.#poll.look(true);
    this.#waiters.push({ id, since: performance.now() });
  }

  #answer(id: number, work: () => void): void {
    try {
      work();
      say({ answer: id });
    } catch (error) {
      say({ answer: id, error: (error as Error).message });
    }
  }

  #end(): void {
    this.#events.close();
    this.#poll.close();
    this.#ended = true;
  }
}

function befall(fault: Fault): void {
  if (fault.fault === "crash") throw new Error("crashed, as a test wished");
  Atomics.wait(fault.gate, 0, 0, 30_000);
}

/** inotify: sleeps in poll(2), never in Node's own loop, so that nothing stands between an event and its hint. */
function watchExactly(inotify: Inotify): void {
  const pending = new Pending(options, inotify.writers, voice);
  const poll = new Poll(options.pollMs, pending, voice);
  const loop = new Loop(new Tree({ inotify, pending, voice, poll, maxWatches: options.maxWatches }), poll, pending);
  say({ ready: "inotify", fds: [inotify.fd, inotify.wakeFd], wakeFd: inotify.wakeFd });
  let next = 0;
  while (!loop.ended) {
    inotify.wait(Math.ceil(Math.min(Math.max(next - performance.now(), 0), LONGEST_SLEEP_MS)));
    for (let got = receiveMessageOnPort(port); got && !loop.ended; got = receiveMessageOnPort(port))
      loop.obey(got.message);
    if (!loop.ended) next = loop.step();
  }
}

/** fs.watch and polling: Node's own loop, for the callbacks of the one, and timers. */
function watchRoughly(engine: "fs.watch" | "poll"): void {
  const pending = new Pending(options, procWriters(options.settleMs), voice);
  const poll = new Poll(options.pollMs, pending, voice);
  let timer: NodeJS.Timeout | undefined;
  const wake = () => {
    clearTimeout(timer);
    const inMs = Math.min(Math.max(loop.step() - performance.now(), 1), LONGEST_SLEEP_MS);
    timer = setTimeout(wake, inMs);
  };
  const fsWatch = () => new FsWatch({ pending, voice, rescanMs: options.rescanMs, wake });
  const loop = new Loop(engine === "poll" ? poll : fsWatch(), poll, pending);
  port.on("message", (command: Command) => {
    // What fs.watch has to say of the time before the question comes through Node's loop: we let it.
    if (command.do === "settle") setTimeout(() => loop.obey(command), options.settleMs);
    else loop.obey(command);
    if (loop.ended) {
      clearTimeout(timer);
      port.close();
    } else wake();
  });
  say({ ready: engine, fds: [] });
}

async function inotifyIfThere(): Promise<Inotify | undefined> {
  if (options.engine !== "inotify") return undefined;
  try {
    return await openInotify();
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    const remedy = code === "EMFILE" ? " Raise the limit: sysctl fs.inotify.max_user_instances=1024." : "";
    voice.notice(
      `files cannot be watched exactly (${message}).${remedy} fs.watch is used instead: a file that is written slowly may be taken ` +
        `before it is complete, and what is lost is found at the next comparison, every ${options.rescanMs} ms`,
    );
    return undefined;
  }
}

const inotify = await inotifyIfThere();
if (inotify) watchExactly(inotify);
else watchRoughly(options.engine === "poll" ? "poll" : "fs.watch");
