import assert from "node:assert/strict";
import { bindInput, verifyInput } from "../../../../src/machines/start/input.ts";
import type { Host } from "../../../../src/host/host.ts";
import { inFolder, recordingHost } from "../../recording_host.ts";
import { pathsIn } from "../fixture.ts";

/** Returns a host whose files belong to root, but for one. */
function hostOfRoot(foreign = ""): Host {
  const { host } = recordingHost();
  const lstat = async (path: string) => {
    const stat = await host.files.lstat(path);
    return stat === null ? null : { ...stat, uid: path === foreign ? 1000 : 0 };
  };
  return { ...host, files: { ...host.files, lstat } };
}

Deno.test("verifyInput() takes a folder of root below the folder of pipelines", () =>
  inFolder(async (store) => {
    const input = `${store}/.pipelines/1/jobs/2: 3/input`;
    await Deno.mkdir(input, { recursive: true, mode: 0o755 });
    await verifyInput(hostOfRoot(), store, input);
  }));

Deno.test("verifyInput() refuses other places, links, other owners, and folders that others write to", () =>
  inFolder(async (store) => {
    const folder = `${store}/.pipelines/1`;
    const input = `${folder}/input`;
    await Deno.mkdir(input, { recursive: true });
    await Deno.mkdir(`${store}/.pipelines-2/input`, { recursive: true });
    await Deno.mkdir(`${folder}/open/input`, { recursive: true });
    await Deno.chmod(`${folder}/open`, 0o1777);
    await Deno.symlink("/etc", `${folder}/link`);
    await Deno.symlink(folder, `${folder}/again`);
    await Deno.writeTextFile(`${folder}/file`, "");
    const refuses = (path: string, message: RegExp, host = hostOfRoot()) =>
      assert.rejects(verifyInput(host, store, path), {
        kind: "refused",
        message,
        hint: /NSPAWN_RUNNER_INPUT/,
      });
    const elsewhere = [
      ...["", "/etc", "input", `${store}/.pipelines`, `${store}/.pipelines/`, `${input}/`],
      ...[`${store}/.pipelines-2/input`, `${folder}/../../x`, `${folder}/./input`],
    ];
    for (const path of elsewhere) await refuses(path, /does not lie in/);
    for (const path of [`${folder}/none`, `${folder}/file`, `${folder}/link`]) {
      await refuses(path, /is no folder/);
    }
    await refuses(`${folder}/again/input`, /again is no folder/);
    await refuses(`${folder}/open/input`, /others than root may write to .*\/open$/);
    for (const foreign of [input, folder, `${store}/.pipelines`]) {
      await refuses(input, /does not belong to root/, hostOfRoot(foreign));
    }
  }));

Deno.test("bindInput() shows the folder in the machine and in its helper root", () =>
  inFolder(async (folder) => {
    const { host } = recordingHost();
    const paths = pathsIn(folder);
    await host.files.makeDirectory(paths.stage);
    const bound = async (hasHelper: boolean) =>
      (await bindInput(host, paths, "/input", hasHelper)).map(({ from, to, readOnly }) => {
        assert.ok(readOnly);
        return `${from}:${to}`;
      });
    const own = "/input:/run/nspawn-runner/input";
    assert.deepEqual(await bound(false), [own]);
    assert.deepEqual(await bound(true), [
      own,
      `${paths.stage}/helper-run:/run/nspawn-runner/helper/run`,
      "/input:/run/nspawn-runner/helper/run/nspawn-runner/input",
    ]);
    for (const point of ["input", "helper-run/nspawn-runner/input"]) {
      assert.ok((await Deno.stat(`${paths.stage}/${point}`)).isDirectory);
    }
  }));
