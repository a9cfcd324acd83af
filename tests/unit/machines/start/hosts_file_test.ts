import assert from "node:assert/strict";
import { machineName } from "../../../../src/machines/record/name.ts";
import { machinePaths } from "../../../../src/machines/record/paths.ts";
import { hostsFile } from "../../../../src/machines/start/hosts_file.ts";
import { inFolder, recordingHost } from "../../recording_host.ts";

const { host } = recordingHost();

async function hostsIn(folder: string): Promise<string> {
  const paths = machinePaths(folder, machineName("42", undefined));
  await Deno.mkdir(paths.own, { recursive: true });
  const { from, to, readOnly } = await hostsFile(host, `${folder}/tree`, paths, "run-42");
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
