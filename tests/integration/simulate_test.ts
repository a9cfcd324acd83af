/** simulate. */

import assert from "node:assert/strict";
import { onEachHost } from "../hosts/shared.ts";
import { CHROOT } from "../hosts/site.ts";

onEachHost(
  "simulate runs a command through all stages, and prints them with their durations",
  async (site) => {
    const done = await site.call([
      "simulate",
      "--image",
      CHROOT,
      "--",
      "echo",
      "it's",
      "a  test $HOME",
    ]);
    assert.equal(done.code, 0, done.stderr);
    assert.match(done.stdout, /^it's a {2}test \$HOME$/m);
    const said = `${done.stdout}${done.stderr}`;
    let last = -1;
    for (
      const stage of ["config", "prepare", "get_sources", "build_script", "after_script", "cleanup"]
    ) {
      const line = said.split("\n").find((text) => new RegExp(`\\b${stage}\\b.*\\d s`).test(text));
      assert.ok(line, `${stage} in:\n${said}`);
      const at = said.indexOf(line);
      assert.ok(at > last, `${stage} comes in its order:\n${said}`);
      last = at;
    }
  },
);

onEachHost("simulate exits with the code of the job", async (site) => {
  const own = await site.with({ boot: false, default_image: CHROOT });
  for (const code of [1, 2, 3, 125, 255]) {
    const done = await own.call(["simulate", "--", "sh", "-c", `exit ${code}`]);
    assert.equal(done.code, code, done.stderr);
    assert.match(`${done.stdout}${done.stderr}`, /after_script/, "it goes on after a failure");
  }
});

onEachHost("simulate runs a script of any language", async (site) => {
  const own = await site.with({ boot: false });
  const script = await own.put("#!/usr/bin/env python3\nimport sys\nprint(6 * 7)\nsys.exit(4)\n");
  const done = await own.call(["simulate", "--image", CHROOT, script]);
  assert.equal(done.code, 4, done.stderr);
  assert.match(done.stdout, /^42$/m);
});

onEachHost(
  "simulate gives a job its variables, which change its machine within bounds",
  async (site) => {
    const own = await site.with({ boot: false, default_image: CHROOT, "overrides.tasks_max": 300 });
    const simulated = (...variables: string[]) => {
      const options = variables.flatMap((variable) => ["--variable", variable]);
      return own.call(["simulate", ...options, "--", "sh", "-c", 'echo "$GREETING"']);
    };
    const done = await simulated("NSPAWN_TASKS_MAX=222", "GREETING=it's $HOME");
    assert.equal(done.code, 0, done.stderr);
    assert.match(done.stdout, /^it's \$HOME$/m);
    if (site.host.kind === "systemd") assert.match(done.stderr, /tasks max 222/);
    const refused = await simulated("NSPAWN_TASKS_MAX=301");
    assert.equal(refused.code, 1, refused.stderr);
    assert.match(refused.stderr, /at most 300 is allowed/);
    const wrong = await simulated("no-name=1");
    assert.deepEqual([wrong.code, /it is not of the form NAME=VALUE/.test(wrong.stderr)], [
      2,
      true,
    ]);
  },
);

onEachHost("simulate without arguments runs a sample job", async (site) => {
  const done = await site.call(["simulate", "--image", CHROOT]);
  assert.equal(done.code, 0, done.stderr);
  assert.match(done.stdout, /Debian/);
});

onEachHost("simulate exits with 125 when the machine is lost", async (site) => {
  const done = await site.call([
    "simulate",
    "--image",
    CHROOT,
    "--",
    "systemctl",
    "poweroff",
    "--force",
  ]);
  assert.equal(done.code, 125, done.stderr);
});

onEachHost("simulate exits with 2 for a usage error, 1 for an unknown image", async (site) => {
  assert.equal((await site.call(["simulate", "--no-such-option"])).code, 2);
  assert.equal((await site.call(["simulate", "--image", "nowhere", "--", "true"])).code, 1);
});

onEachHost("SIGINT to simulate ends the job with its machine", async (site) => {
  const running = site.start([
    "simulate",
    "--image",
    CHROOT,
    "--",
    "sh",
    "-c",
    "echo begun; sleep 600",
  ]);
  await running.untilPrinted("begun");
  const began = Date.now();
  await site.host.signal(running, "SIGINT");
  const done = await running.ended;
  assert.notEqual(done.code, 0);
  assert.ok(Date.now() - began < 120_000);
});
