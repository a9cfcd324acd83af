import assert from "node:assert/strict";
import {
  BUILD_MACHINE_PREFIX,
  END_ABANDONED_SCRIPT,
  endAbandonedMachines,
  EXPORT_MOUNTS,
  MACHINE_RECORDS,
  removeExportMount,
} from "../../../src/linux/nspawn_leftovers.ts";
import { inFolder, recordingHost } from "../recording_host.ts";

Deno.test("endAbandonedMachines() runs no process where no name has the prefix, and logs what it ended", async () => {
  const ended = `${BUILD_MACHINE_PREFIX}login-x-7`;
  const { host, commands, err } = recordingHost({ answer: () => ({ stdout: `${ended}\n` }) });
  for (
    const [folder, name] of [[EXPORT_MOUNTS, `${BUILD_MACHINE_PREFIX}setup-42`], [
      MACHINE_RECORDS,
      ended,
    ], ["", ""]]
  ) {
    const list = (path: string) => Promise.resolve(path === folder ? ["run-42", name!] : ["other"]);
    await endAbandonedMachines({ ...host, files: { ...host.files, list } });
  }
  assert.equal(commands().length, 2);
  assert.match(
    commands()[0]!,
    new RegExp(` sh ${MACHINE_RECORDS} ${EXPORT_MOUNTS} ${BUILD_MACHINE_PREFIX}$`),
  );
  assert.match(err(), new RegExp(`^Ending machine ${ended}: `, "m"));
});

function exportHost(isThere: boolean) {
  const recording = recordingHost({ answer: () => ({ code: 32 }) });
  const removed: string[] = [];
  const files = {
    ...recording.host.files,
    lstat: () => isThere ? recording.host.files.lstat("/") : Promise.resolve(null),
    remove: (path: string) => Promise.resolve(void removed.push(path)),
  };
  return { ...recording, host: { ...recording.host, files }, removed };
}

Deno.test("removeExportMount() removes the folder of a killed nspawn, mounted or not", async () => {
  const { host, commands, removed } = exportHost(true);
  await removeExportMount(host, "run-42");
  const path = "/run/systemd/nspawn/unix-export/run-42";
  assert.deepEqual(commands(), [`umount --quiet ${path}`]);
  assert.deepEqual(removed, [path]);
});

Deno.test("removeExportMount() runs no process where there is no folder", async () => {
  const { host, commands, removed } = exportHost(false);
  await removeExportMount(host, "run-42");
  assert.deepEqual([commands(), removed], [[], []]);
});

/** No process has this id: it is above the kernel's PID_MAX_LIMIT. */
const NOBODY = 4_194_305;

/** Ends the machine's process as machinectl(1) does, and records its arguments. */
const MACHINECTL = `#!/bin/sh
for name; do :; done
echo "$*" >>"$0.log"
[ "$1" = terminate ] || kill -KILL "$(sed -n s/^LEADER=//p "$RECORDS/$name")"
`;

Deno.test("END_ABANDONED_SCRIPT ends machines whose build has ended, and no others", async () => {
  await inFolder(async (folder) => {
    const [records, exports, bin] = ["records", "exports", "bin"].map((name) =>
      `${folder}/${name}`
    );
    for (const path of [records, exports, bin]) await Deno.mkdir(path!);
    await Deno.writeTextFile(`${bin}/machinectl`, MACHINECTL, { mode: 0o755 });
    await Deno.writeTextFile(`${bin}/umount`, "#!/bin/sh\n", { mode: 0o755 });
    const leaders = [1, 2].map(() => new Deno.Command("sleep", { args: ["60"] }).spawn());
    const [gone, kept] = [`w-login-${NOBODY}`, `w-login-${Deno.pid}`];
    await Deno.writeTextFile(`${records}/${gone}`, `LEADER=${leaders[0]!.pid}\n`);
    await Deno.writeTextFile(`${records}/${kept}`, `LEADER=${leaders[1]!.pid}\n`);
    for (const name of [`w-x-${NOBODY}`, `w-x-${Deno.pid}`, "w-x-y", `v-${NOBODY}`]) {
      await Deno.mkdir(`${exports}/${name}`);
    }
    const command = new Deno.Command("sh", {
      args: ["-c", END_ABANDONED_SCRIPT, "sh", records!, exports!, "w-"],
      env: { PATH: `${bin}:${Deno.env.get("PATH")}`, RECORDS: records! },
    });
    const ended = leaders[0]!.status;
    const { stdout } = await command.output();
    assert.equal((await ended).signal, "SIGKILL");
    leaders[1]!.kill("SIGTERM");
    assert.equal((await leaders[1]!.status).signal, "SIGTERM", "it was still running");
    assert.equal(new TextDecoder().decode(stdout), `${gone}\n`);
    assert.equal(
      await Deno.readTextFile(`${bin}/machinectl.log`),
      `kill --signal=KILL ${gone}\nterminate ${gone}\n`,
    );
    const left = (await Array.fromAsync(Deno.readDir(exports!))).map(({ name }) => name).sort();
    assert.deepEqual(left, [`v-${NOBODY}`, `w-x-${Deno.pid}`, "w-x-y"].sort());
  });
});
