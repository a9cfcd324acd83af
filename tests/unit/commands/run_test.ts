/** run as GitLab Runner calls it, on a host without systemd. */

import assert from "node:assert/strict";
import { main } from "../../../src/cli/main.ts";
import { inFolder } from "../recording_host.ts";
import { LEADER, MACHINE, scene, SECRET, withMachine } from "./fixture.ts";

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
    const { host, store } = await scene(folder, (nonce, request) => {
      seen.push(request);
      return `${nonce} started\n${nonce} 0\n`;
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
    const { host, store, err, commands } = await scene(
      folder,
      (nonce) => `${nonce} started\n${nonce} 0\n`,
    );
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
