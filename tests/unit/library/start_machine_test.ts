import assert from "node:assert/strict";
import { loadConfig } from "../../../src/config/load.ts";
import { hostForLibrary } from "../../../src/library/host.ts";
import type { OwnParts } from "../../../src/library/plan.ts";
import { startMachineOn } from "../../../src/library/start_machine.ts";
import type { MachineOptions } from "../../../src/library/types.ts";
import { listLeases } from "../../../src/machines/record/lease.ts";
import { playingHost } from "../app/playing_host.ts";
import { inFolder } from "../recording_host.ts";

/** Returns functions that start machines of the chroot "app" on a host that plays nspawn. */
async function open(folder: string, more = "") {
  const recording = playingHost(folder);
  const store = `${folder}/store`;
  await Deno.mkdir(`${store}/app/usr`, { recursive: true });
  const file = `${folder}/config.toml`;
  await Deno.writeTextFile(
    file,
    `store = "${store}"\ndefinitions = "${folder}/defs"\nnetwork = "none"\nprivate_users = "off"\n` +
      `storage = "overlay"\nboot = false\n${more}`,
  );
  const { host } = recording;
  const messages: string[] = [];
  const own = hostForLibrary(host, (message) => messages.push(message));
  const config = { ...await loadConfig(host, file), disk_reserve: 0 };
  return {
    ...recording,
    messages,
    leases: () => listLeases(host, store),
    start: (options: MachineOptions, parts?: OwnParts) =>
      startMachineOn(own, config, options, parts),
  };
}

Deno.test("startMachineOn() starts a machine with its options, which ends with this process", () =>
  inFolder(async (folder) => {
    const { start, leases, messages, commands } = await open(folder);
    const input = `${folder}/store/.pipelines/1/input`;
    await Deno.mkdir(input, { recursive: true });
    const bound = `${folder}/bound`;
    await Deno.mkdir(bound);
    const machine = await start({
      image: "app",
      binds: [`${bound}:/srv/x:ro`],
      limits: { tasks_max: "77" },
      lifetime: 60,
    }, { input });
    const [lease] = await leases();
    assert.equal(lease?.machine, machine.name);
    assert.match(machine.id, /^library-[0-9a-f]{8}$/);
    assert.equal(machine.name, `run-${machine.id}`);
    assert.equal(lease?.runner?.pid, 42);
    assert.equal(Date.parse(lease!.deadline) - Date.parse(lease!.created), 60_000);
    assert.equal(lease?.description, null);
    const line = commands().find((one) => one.includes("systemd-nspawn --quiet"));
    assert.match(line!, new RegExp(` --bind-ro=${bound}:/srv/x `));
    assert.match(line!, new RegExp(` --bind-ro=${input}:/run/nspawn-runner/input `));
    assert.ok(messages.length > 0);
  }));

Deno.test("startMachineOn() starts chroots that jobs may not use", () =>
  inFolder(async (folder) => {
    const { start } = await open(folder, 'allowed_images = ["other"]\n');
    assert.equal((await start({ image: "app" })).isBooted, false);
  }));

Deno.test("startMachineOn() takes default_image, and says where no image is named", () =>
  inFolder(async (folder) => {
    const { start } = await open(folder);
    await assert.rejects(start({}), { kind: "refused", hint: /default_image/ });
  }));

Deno.test("startMachineOn() boots no image of a registry, and rejects with the reason of a signal", () =>
  inFolder(async (folder) => {
    const { start } = await open(folder, 'pull = ["docker.io/library/*"]\n');
    await assert.rejects(start({ image: "alpine:3", boot: true }), {
      kind: "refused",
      message: /^Cannot boot "alpine:3"/,
    });
    const signal = AbortSignal.abort(new Error("enough"));
    await assert.rejects(start({ image: "app", signal }), /enough/);
  }));
