import assert from "node:assert/strict";
import { machineName } from "../../../../src/machines/record/name.ts";
import { machinePaths } from "../../../../src/machines/record/paths.ts";
import { addHosts, hostsFile } from "../../../../src/machines/start/hosts_file.ts";
import { inFolder, recordingHost } from "../../recording_host.ts";

/** Writes the file on a host with that /etc/hosts. */
async function hostsIn(
  folder: string,
  ofHost = "",
  extra: readonly string[] = [],
): Promise<string> {
  const { host: real } = recordingHost();
  const read = (path: string) =>
    path === "/etc/hosts" ? Promise.resolve(ofHost) : real.files.read(path);
  const host = { ...real, files: { ...real.files, read } };
  const paths = machinePaths(folder, machineName("42", undefined));
  await Deno.mkdir(paths.own, { recursive: true });
  const { from, to, readOnly } = await hostsFile(host, `${folder}/tree`, paths, "run-42", extra);
  assert.deepEqual([to, readOnly], ["/etc/hosts", false]);
  return await Deno.readTextFile(from);
}

Deno.test("hostsFile() adds the machine's name to what its chroot has", () =>
  inFolder(async (folder) => {
    await Deno.mkdir(`${folder}/tree/etc`, { recursive: true });
    await Deno.writeTextFile(`${folder}/tree/etc/hosts`, "10.0.0.1 cache");
    assert.equal(await hostsIn(folder), "10.0.0.1 cache\n127.0.1.1\trun-42\n");
  }));

Deno.test("hostsFile() follows no link out of the chroot", () =>
  inFolder(async (folder) => {
    await Deno.mkdir(`${folder}/outside`, { recursive: true });
    await Deno.mkdir(`${folder}/tree`);
    await Deno.writeTextFile(`${folder}/outside/hosts`, "secret");
    await Deno.symlink("../outside", `${folder}/tree/etc`);
    assert.match(await hostsIn(folder), /^127\.0\.0\.1\tlocalhost\n[^]*\trun-42\n$/);
    await Deno.remove(`${folder}/tree/etc`);
    await Deno.mkdir(`${folder}/tree/etc`);
    await Deno.symlink("../../outside/hosts", `${folder}/tree/etc/hosts`);
    assert.doesNotMatch(await hostsIn(folder), /secret/);
  }));

Deno.test("hostsFile() adds the names of the host but those of its loopback, after the configured ones", () =>
  inFolder(async (folder) => {
    await Deno.mkdir(`${folder}/tree/etc`, { recursive: true });
    await Deno.writeTextFile(`${folder}/tree/etc/hosts`, "10.0.0.1 cache\n");
    const ofHost = `127.0.0.1 localhost\n127.0.1.1 git.lan\n::1 ip6-localhost\nff02::1 ip6-allnodes
0.0.0.0 ads.example\nnonsense here\n192.0.2.7  nas.lan nas # the disk\n2001:db8::7 nas.lan\n192.0.2.8\n`;
    assert.equal(
      await hostsIn(folder, ofHost, ["gitlab.lan:192.0.2.10", "six:2001:db8::1"]),
      "192.0.2.10\tgitlab.lan\n2001:db8::1\tsix\n10.0.0.1 cache\n127.0.1.1\trun-42\n" +
        "192.0.2.7\tnas.lan nas\n2001:db8::7\tnas.lan\n",
    );
  }));

Deno.test("addHosts() puts lines before those of a file, of which it reads a bounded part", () =>
  inFolder(async (folder) => {
    const { host } = recordingHost();
    const paths = machinePaths(folder, machineName("42", undefined));
    const path = `${paths.own}/hosts`;
    await Deno.mkdir(paths.own, { recursive: true });
    await Deno.writeTextFile(path, "127.0.1.1\trun-42\n");
    await addHosts(host, paths, ["10.0.0.2\tdb", "10.0.0.3\tbuild"]);
    assert.equal(
      await Deno.readTextFile(path),
      "10.0.0.2\tdb\n10.0.0.3\tbuild\n127.0.1.1\trun-42\n",
    );
    await Deno.writeTextFile(path, "x".repeat(1_000_000));
    await addHosts(host, paths, ["10.0.0.2\tdb"]);
    assert.ok((await Deno.stat(path)).size < 300_000);
  }));
