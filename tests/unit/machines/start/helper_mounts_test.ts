import assert from "node:assert/strict";
import {
  mountInHelper,
  networkFilesOfHelper,
} from "../../../../src/machines/start/helper_mounts.ts";
import { inFolder, recordingHost } from "../../recording_host.ts";
import { pathsIn } from "../fixture.ts";
import { LEADER } from "../exec/leader.ts";

/** Returns the table that is mounted, and the command. */
async function mounted(folder: string, ids: number | null) {
  const { host, commands } = recordingHost({ answer: () => ({}) });
  const paths = pathsIn(folder);
  await host.files.makeDirectory(paths.stage);
  await mountInHelper(host, paths, LEADER, ids);
  return {
    table: await Deno.readTextFile(`${paths.stage}/helper.fstab`),
    command: commands().join("\n"),
  };
}

Deno.test("mountInHelper() mounts the machine's folders, by paths below the machine's root, in one process", () =>
  inFolder(async (folder) => {
    const { table, command } = await mounted(folder, null);
    assert.match(
      command,
      new RegExp(
        `^nsenter --mount=/proc/${LEADER.pid}/ns/mnt --root=/ --wd=/proc/${LEADER.pid}/root -- mount .*--all --fstab \\S+$`,
      ),
    );
    for (const folder of ["proc", "dev", "tmp", "builds", "cache"]) {
      assert.match(
        table,
        new RegExp(`^${folder} run/nspawn-runner/helper/${folder} none rbind 0 0$`, "m"),
      );
    }
    assert.doesNotMatch(table, /^\/| \//m, "the host's root is the root of the process");
    assert.doesNotMatch(table, /^etc\//m, "a link of the machine would lead out of it");
    assert.match(
      table,
      /^helper run\/nspawn-runner\/helper\/root tmpfs \S*mode=0711,nosuid,nodev 0 0$/m,
    );
  }));

Deno.test("mountInHelper() gives the home of stages to root of a machine with ids of its own", () =>
  inFolder(async (folder) => {
    assert.match((await mounted(folder, 65_536)).table, /tmpfs \S*,uid=65536,gid=65536 0 0$/m);
  }));

Deno.test("mountInHelper() fails with the first line of mount(8)", () =>
  inFolder(async (folder) => {
    const { host } = recordingHost({
      answer: () => ({ code: 64, stderr: "mount: tmp: wrong fs type\nmore\n" }),
    });
    const paths = pathsIn(folder);
    await host.files.makeDirectory(paths.stage);
    await assert.rejects(mountInHelper(host, paths, LEADER, null), {
      kind: "host",
      message: "Cannot mount the machine's folders in its helper root: mount: tmp: wrong fs type",
    });
  }));

Deno.test("networkFilesOfHelper() binds the machine's hosts file, and the host's name servers where there is a network", async () => {
  const bound = async (kind: "host" | "none", hasFile: boolean) => {
    const { host } = recordingHost();
    const stat = (path: string) => hasFile ? host.files.stat("/") : host.files.stat(`${path}/none`);
    const binds = await networkFilesOfHelper(
      { ...host, files: { ...host.files, stat } },
      "/store/hosts",
      { kind },
    );
    return binds.map(({ from, to }) => `${from}:${to}`);
  };
  const hosts = "/store/hosts:/run/nspawn-runner/helper/etc/hosts";
  const servers = "/etc/resolv.conf:/run/nspawn-runner/helper/etc/resolv.conf";
  assert.deepEqual(await bound("host", true), [hosts, servers]);
  assert.deepEqual(await bound("host", false), [hosts]);
  assert.deepEqual(await bound("none", true), [hosts]);
});
