/** prepare, run and cleanup as GitLab Runner calls them, on a host without systemd. */

import assert from "node:assert/strict";
import { main } from "../../../src/cli/main.ts";
import { writeLease } from "../../../src/machines/record/lease.ts";
import { leaseOf } from "../machines/fixture.ts";
import { inFolder } from "../recording_host.ts";
import { LEADER, MACHINE, scene, SECRET, SERVER_HASH, withMachine } from "./fixture.ts";

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
    assert.equal(lines[0], `Image bookworm (${store}/bookworm)`);
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
    assert.equal(processes.length, 0);
  });
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

Deno.test("run gives a script's own code where GitLab Runner looks for it", async () => {
  await inFolder(async (folder) => {
    const { host, store, env, err } = await scene(
      folder,
      (nonce) => `${nonce} started\n${nonce} 3\n`,
    );
    await withMachine(host, store);
    await Deno.writeTextFile(`${folder}/script`, `echo ${SECRET}\n`);
    assert.equal(await main(["run", `${folder}/script`, "build_script"], host), 11);
    assert.equal(await Deno.readTextFile(env["BUILD_EXIT_CODE_FILE"]!), "3\n");
    assert.equal(err(), "", "the job's log is the job's");
    delete env["BUILD_FAILURE_EXIT_CODE"];
    assert.equal(await main(["run", `${folder}/script`, "build_script"], host), 3, "by hand");
  });
});

Deno.test("run that is cancelled is a script that was ended, and leaves its machine up", async () => {
  await inFolder(async (folder) => {
    let cancel = () => {};
    const { host, store, env, send, handlers } = await scene(folder, () => {
      cancel();
      return "";
    });
    cancel = () => send("SIGTERM");
    await withMachine(host, store);
    await Deno.writeTextFile(`${folder}/script`, "sleep 60\n");
    assert.equal(await main(["run", `${folder}/script`, "build_script"], host), 11);
    assert.equal(await Deno.readTextFile(env["BUILD_EXIT_CODE_FILE"]!), "143\n");
    assert.deepEqual(await host.files.list(`${store}/.leases`), [`${MACHINE}.json`]);
    assert.equal(handlers(), 0);
  });
});

Deno.test("run takes the shell that --shell names before the script's own", async () => {
  await inFolder(async (folder) => {
    const seen: string[] = [];
    const { host, store } = await scene(folder, (nonce, argv) => {
      seen.push(argv.slice(argv.indexOf(nonce) + 1).join(" "));
      return `${nonce} 0\n`;
    });
    await withMachine(host, store);
    await Deno.writeTextFile(`${folder}/script`, "#!/bin/dash\ntrue\n");
    assert.equal(await main(["run", `${folder}/script`], host), 0);
    assert.equal(await main(["run", "--shell", "zsh", `${folder}/script`], host), 0);
    assert.deepEqual(seen.map((words) => /dash/.test(words)), [true, false]);
    assert.match(seen[1]!, /\bzsh\b/);
  });
});

Deno.test("run shows no word of a script, not even with --debug", async () => {
  await inFolder(async (folder) => {
    const { host, store, err, commands } = await scene(folder, (nonce) => `${nonce} 0\n`);
    await withMachine(host, store);
    await Deno.writeTextFile(`${folder}/script`, `echo ${SECRET}\n`);
    assert.equal(await main(["--debug", "run", `${folder}/script`], host), 0);
    for (const text of [err(), ...commands()]) assert.ok(!text.includes(SECRET));
  });
});

Deno.test("run without a machine, or whose machine is lost, is a failure of the host", async () => {
  await inFolder(async (folder) => {
    const { host, store, err } = await scene(folder);
    await Deno.writeTextFile(`${folder}/script`, "true\n");
    assert.equal(await main(["run", `${folder}/script`], host), 12);
    assert.match(err(), new RegExp(`${MACHINE}: there is none`));
    await withMachine(host, store, { leader: { ...LEADER, start: 1 } });
    assert.equal(await main(["run", `${folder}/script`], host), 12);
  });
});

Deno.test("run of a script that is not there is refused, by its path", async () => {
  await inFolder(async (folder) => {
    const { host, err } = await scene(folder);
    assert.equal(await main(["run", `${folder}/none`], host), 11);
    assert.match(err(), /none: no such file/);
  });
});

Deno.test("run takes away what an earlier stage left, also when it fails before its script", async () => {
  await inFolder(async (folder) => {
    const { host, env } = await scene(folder);
    await Deno.writeTextFile(env["BUILD_EXIT_CODE_FILE"]!, "37\n");
    await main(["run", `${folder}/none`], host);
    assert.equal(await host.files.read(env["BUILD_EXIT_CODE_FILE"]!), null);
  });
});

Deno.test("cleanup ends this job's machine and no other, and again is done", async () => {
  await inFolder(async (folder) => {
    const { host, store, commands, err } = await scene(folder);
    await withMachine(host, store);
    await writeLease(host, leaseOf(store, "666", { supervisor: "standalone" }));
    assert.equal(await main(["cleanup"], host), 0);
    assert.deepEqual(await host.files.list(`${store}/.leases`), ["run-666.json"]);
    assert.ok(!commands().join().includes("run-666"));
    assert.equal(err(), "", "what cleanup says would be a warning in the runner's log");
    assert.equal(await main(["-v", "cleanup"], host), 0);
    assert.match(err(), /Nothing to remove/);
  });
});

Deno.test("a stage that cannot forget the exit code of the last one is a failure of the host", async () => {
  await inFolder(async (folder) => {
    const { host, env } = await scene(folder);
    await Deno.mkdir(`${env["BUILD_EXIT_CODE_FILE"]!}/full`, { recursive: true });
    assert.equal(await main(["cleanup"], host), 12);
  });
});

Deno.test("a stage never quotes a response file that it cannot read", async () => {
  await inFolder(async (folder) => {
    const { host, env, err } = await scene(folder);
    await Deno.writeTextFile(env["JOB_RESPONSE_FILE"]!, `{"token": "${SECRET}", "id": `);
    for (const stage of [["gitlab-config"], ["prepare"], ["run", "x"], ["cleanup"]]) {
      assert.equal(await main(["--debug", ...stage], host), 12);
    }
    assert.ok(!err().includes(SECRET));
  });
});
