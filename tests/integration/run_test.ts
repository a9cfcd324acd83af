/** The run stage: exit codes, output and environment of scripts. */

import assert from "node:assert/strict";
import { onEachMachine } from "../hosts/shared.ts";
import { runScript } from "../hosts/site.ts";

onEachMachine("run exits with the script's own code", async (site, id) => {
  for (const code of [0, 1, 3, 255]) {
    const done = await runScript(site, id, `exit ${code}\n`);
    assert.equal(done.code, code, done.stderr);
  }
});

onEachMachine("run exits with 128 + n for a script killed by a signal", async (site, id) => {
  for (const [signal, code] of [["TERM", 143], ["KILL", 137], ["PIPE", 141], ["HUP", 129]]) {
    const done = await runScript(site, id, `kill -${signal} $$\nsleep 5\n`);
    assert.equal(done.code, code, `${signal}: ${done.stderr}`);
  }
});

onEachMachine("run lets a broken pipe end a program as usual", async (site, id) => {
  const done = await runScript(
    site,
    id,
    "set -o pipefail\nyes | head -n 1\necho ${PIPESTATUS[0]}\n",
  );
  assert.equal(done.stdout, "y\n141\n");
});

onEachMachine("run passes 20,000 lines in order", async (site, id) => {
  const done = await runScript(site, id, "for i in $(seq 20000); do echo line $i; done\n");
  const lines = Array.from({ length: 20_000 }, (_, index) => `line ${index + 1}\n`);
  assert.equal(done.stdout, lines.join(""));
  assert.equal(done.code, 0);
});

onEachMachine("run passes binary output unchanged", async (site, id) => {
  const script = "python3 -c 'import sys; sys.stdout.buffer.write(bytes(range(256)) * 4096)'\n";
  const done = await runScript(site, id, script);
  const expected = Uint8Array.from({ length: 256 * 4096 }, (_, index) => index % 256);
  assert.equal(done.bytes.length, expected.length);
  assert.ok(done.bytes.every((byte, index) => byte === expected[index]));
});

onEachMachine("run keeps stdout and stderr apart", async (site, id) => {
  const done = await runScript(site, id, "echo out\necho err >&2\n");
  assert.equal(done.stdout, "out\n");
  assert.equal(done.stderr, "err\n");
});

onEachMachine("run streams output while the script runs", async (site, id) => {
  const path = await site.put("echo first\nwhile [ ! -e /go ]; do sleep 0.1; done\necho last\n");
  const running = site.start(["run", "--id", id, path]);
  await running.untilPrinted("first");
  await site.call(["shell", id], { stdin: "touch /go\n" });
  assert.equal((await running.ended).stdout, "first\nlast\n");
});

onEachMachine("run gives a script an empty stdin, and not its own text", async (site, id) => {
  const script = 'cat\nread -r word || echo "nothing to read"\necho "still here"\n';
  const done = await runScript(site, id, script, { stdin: "for nobody\n" });
  assert.equal(done.stdout, "nothing to read\nstill here\n");
  assert.equal(done.code, 0);
});

onEachMachine("run takes a script of 1 MiB", async (site, id) => {
  const filler = `: ${"x".repeat(1021)}\n`.repeat(1024);
  const done = await runScript(site, id, `${filler}echo the end\nexit 4\n`);
  assert.equal(done.stdout, "the end\n");
  assert.equal(done.code, 4);
});

onEachMachine("run expands nothing in a script", async (site, id) => {
  const text = "$$ ${HOME} %n %% \\n `id` 'quoted' \"twice\" ü";
  const done = await runScript(site, id, `cat <<'END'\n${text}\nEND\n`);
  assert.equal(done.stdout, `${text}\n`);
});

onEachMachine(
  "run gives a script root's environment, and nothing of the caller's",
  async (site, id) => {
    const done = await runScript(site, id, "env\nid -un\nlocale charmap\numask\npwd\n", {
      env: { CUSTOM_ENV_SECRET: "do not pass on", UNRELATED: "neither" },
    });
    const lines = done.stdout.split("\n");
    for (const line of ["HOME=/root", "USER=root", "LOGNAME=root", "root", "UTF-8", "0022"]) {
      assert.ok(lines.includes(line), `${line} in ${done.stdout}`);
    }
    assert.match(
      done.stdout,
      /^PATH=(\S+:)?\/usr\/local\/sbin:\/usr\/local\/bin:\/usr\/sbin:\/usr\/bin/m,
    );
    assert.doesNotMatch(done.stdout, /do not pass on|neither|BUILD_|JOB_RESPONSE/);
  },
);

onEachMachine(
  "run gives a script the host's DNS",
  async (site, id) => {
    const script = "grep ^nameserver /etc/resolv.conf\n";
    const here = await site.host.exec(["sh", "-c", script]);
    assert.equal((await runScript(site, id, script)).stdout, here.stdout);
    const lookup = "getent ahostsv4 example.org | cut -d' ' -f1 | sort -u\n";
    const outside = await site.host.exec(["sh", "-c", lookup]);
    assert.equal((await runScript(site, id, lookup)).stdout, outside.stdout);
  },
);

onEachMachine(
  "run uses the shell of the option, else of the first line, else bash",
  async (site, id) => {
    const script = "readlink /proc/$$/exe\n";
    const shellOf = async (text: string, ...options: string[]) => {
      const done = await site.call(["run", "--id", id, ...options, await site.put(text)]);
      return done.stdout.trim().split("/").at(-1);
    };
    assert.equal(await shellOf(script), "bash");
    assert.equal(await shellOf(`#!/bin/sh\n${script}`), "dash");
    assert.equal(await shellOf(`#!/usr/bin/env bash\n${script}`), "bash");
    assert.equal(await shellOf(`#!/bin/bash\n${script}`, "--shell", "sh"), "dash");
    const python = "#!/usr/bin/env python3\nprint('/snake')\n";
    assert.equal(await shellOf(python), "snake");
  },
);

onEachMachine("run reads eval $'…' with bash where a script is meant for sh", async (site, id) => {
  const done = await runScript(site, id, "#!/usr/bin/env sh\neval $'echo one\\necho \\'two\\''\n");
  assert.equal(done.stdout, "one\ntwo\n");
});

onEachMachine("run ends what a script left running in the background", async (site, id) => {
  const script = "(trap '' HUP; exec sleep 987) >/dev/null 2>&1 &\necho started\n";
  const done = await runScript(site, id, script);
  assert.equal(done.stdout, "started\n");
  const left = await runScript(site, id, "cat /proc/[0-9]*/cmdline | tr '\\0' ' '\n");
  assert.doesNotMatch(left.stdout, /sleep 987/);
});
