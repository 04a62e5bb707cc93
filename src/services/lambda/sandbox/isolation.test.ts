// What a function cannot do, on every rung that this host has; and what it leaves behind: nothing.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { writeFile } from "node:fs/promises";
import { createServer } from "node:http";
import { homedir } from "node:os";
import { join } from "node:path";
import { describe, test } from "node:test";
import { fileURLToPath } from "node:url";
import type { Config } from "../../../kernel/mod.ts";
import { canUse } from "./cgroup.ts";
import { ladder } from "./ladder.ts";
import { json, openWorld, type Trial, text } from "./sandbox.fixture.ts";
import { probe } from "./sandbox.ts";

const TIME = { timeout: 20_000 };
const bash = (body: string) => ({ "lambda.sh": `handler() {\n${body}\n}` });

/** Every process of this host whose environment or command line holds `mark`. */
function marked(mark: string): number[] {
  const holds = (pid: string, file: string): boolean => {
    try {
      return readFileSync(`/proc/${pid}/${file}`, "latin1").includes(mark);
    } catch {
      return false; // Gone meanwhile.
    }
  };
  return readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name) && Number(name) !== process.pid)
    .filter((pid) => holds(pid, "environ") || holds(pid, "cmdline"))
    .map(Number);
}

/** The kernel ends and starts processes in its own time. A test that waits for ever ends by its own time limit. */
async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise((resolve) => setTimeout(resolve, 5));
}

const rungs = await ladder();
const CHOICES: Readonly<Record<string, Config["sandbox"]>> = {
  A: "bwrap",
  B: "bwrap",
  C: "unshare",
  D: "landlock",
  E: "none",
};

test("the probe tells of each rung whether it works, what it protects against and what is off", TIME, async () => {
  const probed = await probe();
  assert.equal(probed.at(-1)?.name, "E");
  assert.equal(probed.at(-1)?.works, true);
  for (const rung of probed) {
    assert.ok(rung.title && rung.protectsAgainst.length > 0 && rung.turnOn);
    assert.ok(rung.works || rung.why, `${rung.name} does not say why it does not work`);
  }
});

for (const rung of rungs) {
  const skip = rung.works ? false : `rung ${rung.name} does not work on this host: ${rung.why}`;
  const skipBare = skip || (rung.layout ? false : `rung ${rung.name} has the real paths`);
  const open = () => openWorld(CHOICES[rung.name]);

  describe(`rung ${rung.name}`, { skip }, () => {
    test("runs bash, node and python", TIME, async () => {
      await using world = await open();
      await using sh = await world.try(bash("cat"));
      await using node = await world.try(
        { "index.mjs": "export const handler = async (event) => event;" },
        { runtime: "nodejs24.x", handler: "index.handler" },
      );
      await using python = await world.try(
        { "app.py": "def handler(event, context): return event" },
        { runtime: "python3.13", handler: "app.handler" },
      );
      assert.deepEqual([await sh.answer([1]), await node.answer([2]), await python.answer([3])], [[1], [2], [3]]);
    });

    test("shows a function its own environment and nothing of the host's", TIME, async () => {
      await using world = await open();
      process.env.AWS_LIKE_TEST_SECRET = "not for functions";
      await using run = await world.try(bash("env"), { env: { MINE: "it's $HOME\n`id`" } });
      const seen = text(await run.invoke());
      delete process.env.AWS_LIKE_TEST_SECRET;
      assert.doesNotMatch(seen, /not for functions/);
      assert.match(seen, /^MINE=it's \$HOME\n`id`$/m);
      assert.match(seen, /^_HANDLER=lambda\.handler$/m);
      assert.match(seen, /^AWS_LAMBDA_FUNCTION_MEMORY_SIZE=256$/m);
      assert.doesNotMatch(seen, /^AWS_EXECUTION_ENV=/m);
    });

    test("does not obey LD_PRELOAD and the like outside the function", TIME, async () => {
      await using world = await open();
      await using run = await world.try(bash(`echo "\\"$BASH_ENV\\""`), {
        env: { BASH_ENV: "/tmp/x", LD_PRELOAD: "/nope.so" },
      });
      assert.equal(await run.answer(), "/tmp/x");
      const preloads = run.log("stderr").filter((line) => line.includes("/nope.so"));
      assert.ok(
        preloads.every((line) => !/setpriv|bwrap|mount/.test(line)),
        preloads.join("\n"),
      );
    });

    test("sees no home, no workspace, no other function and no process of the host", {
      ...TIME,
      skip: skipBare,
    }, async () => {
      await using world = await open();
      const secret = join(world.dir, "db.sqlite");
      await writeFile(secret, "secret");
      await using other = await world.try(bash("echo 1"));
      await other.invoke();
      const paths = [
        secret,
        world.dir,
        homedir(),
        "/etc/shadow",
        "/etc/passwd-",
        "/var/lib",
        "/run",
        "/sys",
        fileURLToPath(import.meta.url),
        `/proc/${process.pid}/environ`,
      ];
      const body = `for path in ${paths.join(" ")}; do [[ -e $path ]] && echo "$path"; done; echo /proc/[0-9]* | wc -w; ls /tmp /opt /var/task`;
      await using run = await world.try(bash(body));
      const seen = text(await run.invoke()).split("\n");
      const found = seen.filter((line) => paths.includes(line) && line !== `/proc/${process.pid}/environ`);
      assert.deepEqual(found, []);
      // bash itself, the handler's subshell, wc, and what builds the sandbox.
      const processes = Number(seen.find((line) => /^\d+$/.test(line)));
      assert.ok(processes > 0 && processes <= 6, `${processes} processes are visible`);
    });

    test("can write to /tmp alone", { ...TIME, skip: skipBare }, async () => {
      await using world = await open();
      const body = `for dir in / /usr /etc /var /var/task /var/runtime /opt /var/lang /proc/sys/kernel/hostname /dev/shm; do touch "$dir/x" 2>/dev/null && echo "$dir"; done; echo ok >/tmp/x && cat /tmp/x`;
      await using run = await world.try(bash(body));
      assert.equal(text(await run.invoke()), "ok");
      assert.equal(existsSync("/tmp/x") && readFileSync("/tmp/x", "utf8") === "ok\n", false);
    });

    test("has no privileges and cannot get any", { ...TIME, skip: skipBare }, async () => {
      await using world = await open();
      const body = `grep -E '^(CapEff|CapPrm|CapBnd|CapAmb|NoNewPrivs):' /proc/self/status | tr -s '\\t' ' '; { mount -t tmpfs x /tmp || unshare -Ur true || chroot / true; } 2>/dev/null && echo privileged; true`;
      await using run = await world.try(bash(body));
      const seen = text(await run.invoke());
      for (const name of ["CapEff", "CapPrm", "CapBnd", "CapAmb"]) assert.match(seen, new RegExp(`${name}: 0{16}`));
      assert.match(seen, /NoNewPrivs: 1/);
      if (rung.name !== "C") assert.doesNotMatch(seen, /privileged/); // There is no seccomp filter on C.
    });

    test("cannot signal, trace or read the host and its neighbours, nor change its own code or limits", {
      ...TIME,
      skip: skipBare,
    }, async () => {
      await using world = await open();
      const secret = `secret-${process.pid}`;
      await using other = await world.try(bash("echo $AWS_LAMBDA_RUNTIME_API"), { env: { OTHER: secret } });
      const neighbour = text(await other.invoke());
      // Each line is an attempt; what succeeds says its name.
      const attempts: Readonly<Record<string, string>> = {
        "signal the cloud": `kill -0 ${process.pid}`,
        "read another's environment": `cat /proc/[0-9]*/environ | tr '\\0' '\\n' | grep -q ${secret}`,
        "read another's /tmp": `ls ${world.dir}/state`,
        "leave by /proc": `ls /proc/1/root/root || ls /proc/1/cwd/../root/.ssh`,
        "change its code": `echo >>/var/task/lambda.sh || chmod u+w /var/task || mv /var/task/lambda.sh /tmp`,
        "change its runtime": `echo >>/var/runtime/bootstrap.sh`,
        "raise its limits": `ulimit -Hn 100000`,
        "change its cgroup": `ls -d /sys/fs/cgroup && echo 0 >/sys/fs/cgroup/cgroup.procs`,
        "make a device": `mknod /tmp/disk b 8 0`,
        "become root": `su -c true || setpriv --reuid 0 true`,
        "write to the kernel's settings": `echo x >/proc/sys/kernel/core_pattern || echo b >/proc/sysrq-trigger`,
        ...(rung.ownUid && {
          "answer for a neighbour": `curl -sf -m 2 http://${neighbour}/2018-06-01/ping`,
        }),
      };
      const body = Object.entries(attempts)
        .map(([name, line]) => `if { ${line}; } >/dev/null 2>&1 </dev/null; then echo "${name}"; fi`)
        .join("\n");
      await using run = await world.try(bash(`${body}\necho done`));
      assert.equal(text(await run.invoke({}, { timeoutMs: 10_000 })), "done");
      assert.equal(other.worker.state, "warm");
    });

    test("a timeout kills a daemon that has left its session and ignores TERM", TIME, async () => {
      await using world = await open();
      const mark = `daemon-${process.pid}-${rung.name}-timeout`;
      const body = `( trap '' TERM HUP; setsid env MARK=${mark} sleep 60 </dev/null >/dev/null 2>&1 & ) & sleep 60`;
      await using run = await world.try(bash(body));
      const invoked = run.invoke({}, { timeoutMs: 1_500 });
      await until(() => marked(mark).length > 0);
      assert.equal((await invoked).error?.kind, "timeout");
      assert.deepEqual(marked(mark), []);
    });

    test("nothing is left when a worker is disposed: no process, no directory", TIME, async () => {
      await using world = await open();
      const mark = `daemon-${process.pid}-${rung.name}-dispose`;
      const run = await world.try(
        bash(
          `setsid sleep 60 >/dev/null 2>&1 & mkdir -p "\${TMPDIR:-/tmp}/shut/in"; chmod 0 "\${TMPDIR:-/tmp}/shut"; echo 1`,
        ),
        {
          env: { MARK: mark },
        },
      );
      await run.invoke();
      assert.ok(marked(mark).length > 0);
      await run.worker[Symbol.asyncDispose]();
      assert.deepEqual(marked(mark), []);
      assert.equal(run.worker.state, "dead");
      assert.deepEqual(
        readdirSync(join(world.dir, "state", `run-${process.pid}`, "workers")).filter((name) => /^\d+$/.test(name)),
        [],
      );
      await assert.rejects(run.invoke(), /dead/);
    });

    test("kill -9 of the cloud itself leaves no process behind once it is started again", TIME, async () => {
      await using world = await open();
      const mark = `daemon-${process.pid}-${rung.name}-orphan`;
      const program = `
        import { openWorld } from "${import.meta.resolve("./sandbox.fixture.ts")}";
        const world = await openWorld("${CHOICES[rung.name]}", { stateDir: "${world.dir}/state" });
        const run = await world.try({ "lambda.sh": "handler() { setsid sleep 60 & sleep 60; }" }, { env: { MARK: "${mark}" } });
        run.invoke({}, { timeoutMs: 60_000 });
        console.log("running");`;
      const cloud = spawn(process.execPath, ["--input-type=module", "-e", program], {
        stdio: ["ignore", "pipe", "inherit"],
      });
      await once(cloud.stdout!, "data");
      await until(() => marked(mark).length >= 4); // The runtime, the call's subshell, and both sleeps.
      cloud.kill("SIGKILL");
      await once(cloud, "close");
      await using next = await openWorld(CHOICES[rung.name], { stateDir: join(world.dir, "state") });
      assert.equal(next.sandbox.rung.name, rung.name);
      await until(() => marked(mark).length === 0);
    });

    test("a crash leaves /tmp, loses the memory, and the next invocation is served", TIME, async () => {
      await using world = await open();
      const body = `count=$(cat "\${TMPDIR:-/tmp}/count" 2>/dev/null || echo 0); echo $((count + 1)) >"\${TMPDIR:-/tmp}/count"; (( $1 == 1 )) && kill -9 $$; echo "$count"`;
      await using run = await world.try(bash(body));
      assert.equal(await run.answer(0), 0);
      const crash = await run.invoke(1, { requestId: "8b3f6c2e" });
      assert.deepEqual(json(crash), {
        errorType: "Runtime.ExitError",
        errorMessage: "RequestId: 8b3f6c2e Error: Runtime exited with error: signal: killed",
      });
      assert.equal(await run.answer(0), 2);
    });

    test("10 MB on stdout are all logged, in lines, and do not hold up the answer", TIME, async () => {
      await using world = await open();
      await using run = await world.try(bash(`yes ${"x".repeat(99)} | head -n 100000 >&2; echo '"done"'`));
      assert.equal(await run.answer({}, { timeoutMs: 10_000 }), "done");
      assert.equal(run.log("stderr").length, 100_000);
      assert.ok(run.log("stderr").every((line) => line.length === 99));
    });

    test(
      "more memory than the function has is Runtime.ExitError to the caller and Runtime.OutOfMemory in the report",
      TIME,
      async () => {
        await using world = await open();
        const app = "import time\ndef handler(event, context):\n    block = bytearray(400 << 20)\n    time.sleep(5)";
        await using run = await world.try(
          { "app.py": app },
          { runtime: "python3.13", handler: "app.handler", memoryMb: 128 },
        );
        const result = await run.invoke({}, { timeoutMs: 10_000, requestId: "8b3f6c2e" });
        assert.deepEqual(json(result), {
          errorType: "Runtime.ExitError",
          errorMessage: "RequestId: 8b3f6c2e Error: Runtime exited with error: signal: killed",
        });
        assert.equal(result.error?.type, "Runtime.OutOfMemory");
        assert.equal(result.maxMemoryMb, 128);
      },
    );

    test("what a function leaves running is frozen between invocations, and goes on in the next", {
      ...TIME,
      skip: canUse("freezer") ? false : "no cgroup can be frozen on this host",
    }, async () => {
      await using world = await open();
      const body = `exec 2>/dev/null; cd "\${TMPDIR:-/tmp}"; [[ -e ticks ]] || { while sleep 0.01; do echo >>ticks; done & }; until [[ $(wc -c <ticks) -gt $1 ]]; do sleep 0.01; done; wc -c <ticks`;
      await using run = await world.try(bash(body));
      const first = Number(await run.answer(0));
      const workers = join(world.dir, "state", `run-${process.pid}`, "workers");
      const ticks = () => readFileSync(join(workers, "1", "tmp", "ticks")).length;
      // It is frozen a moment after its answer.
      await new Promise((resolve) => setTimeout(resolve, 50));
      const frozen = ticks();
      await new Promise((resolve) => setTimeout(resolve, 100));
      assert.equal(ticks(), frozen);
      assert.ok(Number(await run.answer(frozen + 3)) > Math.max(first, frozen + 3));
    });

    test("sandboxes run side by side", TIME, async () => {
      await using world = await open();
      const runs: Trial[] = await Promise.all(Array.from({ length: 4 }, () => world.try(bash(`sleep 0.2; echo "$1"`))));
      const answers = await Promise.all(runs.map((run, index) => run.answer(index)));
      assert.deepEqual(answers, [0, 1, 2, 3]);
      await Promise.all(runs.map((run) => run.worker[Symbol.asyncDispose]()));
    });

    test("reaches a server on the host's loopback: the cloud is one", TIME, async () => {
      await using world = await open();
      const server = createServer((_request, response) => response.end('"hello"')).listen(0, "127.0.0.1");
      await new Promise((resolve) => server.once("listening", resolve));
      const { port } = server.address() as { port: number };
      await using run = await world.try(bash(`curl -sS "$AWS_ENDPOINT_URL"`), {
        env: { AWS_ENDPOINT_URL: `http://127.0.0.1:${port}` },
      });
      assert.equal(await run.answer(), "hello");
      server.close();
    });
  });
}
