/** prepare as GitLab Runner calls it, on a host without systemd. */

import assert from "node:assert/strict";
import { main } from "../../../src/cli/main.ts";
import { FACTS_SCRIPT } from "../../../src/machines/network/private_network.ts";
import { SURVEY_SCRIPT } from "../../../src/machines/start/survey.ts";
import { inFolder } from "../recording_host.ts";
import { MACHINE, scene, SECRET, SERVER_HASH, withMachine } from "./fixture.ts";

Deno.test("prepare starts the trusted job's machine from its image, whatever the job overrides", async () => {
  await inFolder(async (folder) => {
    const { host, store, err, out, commands } = await scene(folder);
    assert.equal(await main(["prepare"], host), 0, err());
    assert.deepEqual(await host.files.list(`${store}/.leases`), [`${MACHINE}.json`]);
    const lease = await Deno.readTextFile(`${store}/.leases/${MACHINE}.json`);
    assert.equal(JSON.parse(lease).job, "42");
    assert.equal(out(), "");
    const lines = err().trimEnd().split("\n");
    assert.equal(lines.length, 3, err());
    assert.equal(lines[0], `Chroot bookworm (${store}/bookworm)`);
    assert.equal(
      lines[1],
      "Storage overlay, plain, no limits: systemd is not PID 1 on this host, no user namespace, network of its own",
    );
    assert.match(lines[2]!, new RegExp(`^Machine ${MACHINE} ready in \\d+\\.\\d s$`));
    for (const text of [lease, err(), ...commands()]) {
      assert.ok(!text.includes(SECRET) && !text.includes("evil") && !text.includes("run-666"));
    }
  });
});

Deno.test("prepare says what makes a machine weaker", async () => {
  await inFolder(async (folder) => {
    const { host, err } = await scene(folder);
    const path = `${folder}/config.toml`;
    const more = 'capabilities = ["CAP_MKNOD"]\nsyscalls = ["keyctl"]\n';
    await Deno.writeTextFile(path, more + await Deno.readTextFile(path));
    assert.equal(await main(["prepare"], host), 0, err());
    const weaker =
      "capabilities CAP_MKNOD, system calls keyctl, no user namespace, network of its own";
    assert.match(err(), new RegExp(`^Storage overlay, .*, ${weaker}$`, "m"));
  });
});

Deno.test("prepare says it where the filter of system calls is off", async () => {
  await inFolder(async (folder) => {
    const { host, err } = await scene(folder);
    const path = `${folder}/config.toml`;
    await Deno.writeTextFile(path, `seccomp = false\n${await Deno.readTextFile(path)}`);
    assert.equal(await main(["prepare"], host), 0, err());
    assert.match(
      err(),
      /^Storage overlay, .*, seccomp off, no user namespace, network of its own$/m,
    );
  });
});

Deno.test("prepare refuses an unknown image as a failed job, and leaves nothing", async () => {
  await inFolder(async (folder) => {
    const { host, store, err, processes } = await scene(folder);
    assert.equal(await main(["prepare", "trixie"], host), 11);
    assert.match(err(), /trixie/);
    assert.match(err(), /bookworm/, "it lists what there is");
    assert.deepEqual(await host.files.list(`${store}/.leases`), []);
    const asked = processes.map(({ argv }) => argv[2]);
    assert.deepEqual(asked, [SURVEY_SCRIPT, FACTS_SCRIPT], "nothing is changed");
  });
});

Deno.test("prepare surveys the host while it plans the machine, and its network if it will have one", async () => {
  const both = [SURVEY_SCRIPT, FACTS_SCRIPT];
  const found = { private: both, auto: both, host: [SURVEY_SCRIPT], none: [SURVEY_SCRIPT] };
  for (const [network, scripts] of Object.entries(found)) {
    await inFolder(async (folder) => {
      const { host, processes } = await scene(folder);
      const path = `${folder}/config.toml`;
      const text = (await Deno.readTextFile(path)).replace(/^network = .*\n/m, "");
      await Deno.writeTextFile(path, `network = "${network}"\n${text}`);
      // The plan fails: what ran until then began before.
      assert.equal(await main(["prepare", "trixie"], host), 11);
      assert.deepEqual(processes.map(({ argv }) => argv[2]), scripts, network);
    });
  }
});

Deno.test("prepare of a machine that is there already is a failure of the host, which may pass", async () => {
  await inFolder(async (folder) => {
    const { host, store, err } = await scene(folder);
    await withMachine(host, store);
    assert.equal(await main(["prepare"], host), 12);
    assert.match(err(), new RegExp(`exists already\nEnd it first: .* --id 42-${SERVER_HASH}\n$`));
  });
});

Deno.test("prepare that gets a signal undoes what it began", async () => {
  for (const signal of ["SIGTERM", "SIGINT", "SIGHUP"] as const) {
    await inFolder(async (folder) => {
      const { host, store, err, send, handlers } = await scene(
        folder,
        undefined,
        () => queueMicrotask(() => send(signal)),
      );
      assert.equal(await main(["prepare"], host), 12);
      assert.match(err(), /interrupted\n$/);
      assert.deepEqual(await host.files.list(`${store}/.leases`), []);
      assert.equal(handlers(), 0);
    });
  }
});

Deno.test("prepare searches no definition for an image that the config stage found to be pulled", async () => {
  await inFolder(async (folder) => {
    const { host, env, err } = await scene(folder);
    const change = async (file: string, change: (text: string) => string) => {
      const path = `${folder}/${file}`;
      await Deno.writeTextFile(path, change(await Deno.readTextFile(path)));
    };
    await change("config.toml", (text) => `pull = ["ruby:*"]\npull_policy = ["never"]\n${text}`);
    await change("response.json", (text) => text.replace('"bookworm"', '"ruby:3"'));
    await Deno.writeTextFile(`${folder}/bookworm.toml`, 'aliases = ["ruby-3"]');
    Object.assign(env, { NSPAWN_RUNNER_MACHINE: MACHINE, NSPAWN_RUNNER_CHROOT: "" });
    assert.equal(await main(["prepare"], host), 11);
    assert.match(err(), /Cannot use image ruby:3: it is not on this host/);
    assert.equal(await main(["prepare", "debian:ruby-3"], host), 0, err());
  });
});
