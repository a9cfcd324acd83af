/** Which commands on chroots tidy the store, and which leave all but their own chroot alone. */

import assert from "node:assert/strict";
import { withChroots } from "../../../src/app/with_chroots.ts";
import type { CommandRun, Invocation } from "../../../src/app/command.ts";
import { run as exportRun } from "../../../src/commands/chroot_export.ts";
import { run as maintenanceRun } from "../../../src/commands/chroot_maintenance.ts";
import { run as pushRun } from "../../../src/commands/chroot_push.ts";
import { run as rollbackRun } from "../../../src/commands/chroot_rollback.ts";
import { writeLease } from "../../../src/machines/record/lease.ts";
import { type Fixture, withPrograms, withStore } from "../chroots/fixture.ts";
import { leaseOf } from "../machines/fixture.ts";

const PLAIN: Invocation = {
  positionals: {},
  allPositionals: [],
  options: {},
  lists: {},
  switches: new Set(),
  rest: [],
};

/**
 * What is left in a store by processes that were killed: a machine, two builds, a shifted layer.
 */
async function leaveBehind({ context: { host }, config, put }: Fixture): Promise<void> {
  await writeLease(host, leaseOf(config.store, "7")); // of another boot
  await put("store/.making/killed/root/usr/file");
  await put("store/.leaving/gone~1/0/usr/file");
  await put("store/.shifted/gone/65536/file");
}

/** Lists a folder by find(1); by default the files and symlinks in it. */
async function pathsIn(folder: string, ...tests: string[]): Promise<string[]> {
  const args = tests.length > 0 ? tests : ["-not", "-type", "d", "-printf", "%P %l\\n"];
  const { stdout } = await new Deno.Command("find", { args: [folder, ...args] }).output();
  return new TextDecoder().decode(stdout).split("\n").filter((line) => line !== "").sort();
}

/** Lists all entries of a folder with their mode and the time of their last change. */
const statesIn = (folder: string) => pathsIn(folder, "-printf", "%P %l %m %C@\\n");

const run = (command: CommandRun, invocation: Partial<Invocation>, f: Fixture) =>
  command({ ...PLAIN, ...invocation }, {
    host: withPrograms(f.context.host),
    config: () => Promise.resolve(f.config),
    configPath: undefined,
  });

Deno.test("chroot-maintenance --check changes nothing, whatever killed processes left", () =>
  withStore(async (f) => {
    await leaveBehind(f);
    await f.put("defs/missing.toml", 'suite = "bookworm"');
    await f.put("defs/anew.toml", "recreate = true");
    await f.generation("anew", 1);
    await f.generation("lost", 1);
    await Deno.remove(`${f.folder}/store/lost`);
    const before = await statesIn(f.folder);
    await run(maintenanceRun, { switches: new Set(["check"]) }, f);
    assert.deepEqual(await statesIn(f.folder), before);
    assert.match(f.err(), /^anew: would be recreated\nmissing: would be created\n$/);
    assert.deepEqual(f.killed, []);
  }));

/**
 * Commands that change no other chroot than the one that they are given, and the words after their
 * name.
 */
const OWN_WORK: Readonly<Record<string, readonly [CommandRun, Record<string, string>]>> = {
  "chroot-export": [exportRun, { image: "x", file: "x.tar.zst" }],
  "chroot-push": [pushRun, { image: "x", target: "registry.example/ci/x:1" }],
  "chroot-rollback": [rollbackRun, { image: "x" }],
};

for (const [name, [command, positionals]] of Object.entries(OWN_WORK)) {
  Deno.test(`${name} leaves machines, builds and layers alone that killed processes left`, () =>
    withStore(async (f) => {
      await leaveBehind(f);
      await f.generation("x", 1);
      await f.generation("x", 2, { previous: 1 });
      const { file = "" } = positionals;
      const before = await pathsIn(f.folder);
      await run(command, { positionals: { ...positionals, file: `${f.folder}/${file}` } }, f);
      const after = await pathsIn(f.folder);
      const gone = before.filter((path) => !after.includes(path));
      assert.deepEqual(gone, name === "chroot-rollback" ? ["store/x .generations/x/2"] : []);
      assert.doesNotMatch(f.err(), /Ending machine/);
    }, { tool }));
}

/** tar(1) writes the file that skopeo is to push. */
async function tool([program, ...args]: readonly string[]): Promise<{ stdout: string }> {
  const file = args.find((word) => word.startsWith("--file="))?.slice("--file=".length);
  if (program === "tar" && file !== undefined) await Deno.writeTextFile(file, "");
  return { stdout: `${"1".repeat(64)}\n` };
}

Deno.test("chroot-maintenance ends overdue machines first, and tidies the store", () =>
  withStore(async (f) => {
    await leaveBehind(f);
    await f.generation("x", 1);
    await run(maintenanceRun, { allPositionals: ["x"] }, f);
    assert.match(f.err(), /^x: nothing to do$/m);
    const left = (await pathsIn(f.folder)).filter((path) => /(killed|gone).*file|run-7/.test(path));
    assert.deepEqual(left, []);
  }));

Deno.test("the helper root of a machine is in use like its chroot", () =>
  withStore(async (f) => {
    const { host } = f.context;
    const helper = `${f.config.store}/.generations/helper/2`;
    await writeLease(host, leaseOf(f.config.store, "7", { helper }));
    const context = { host, config: () => Promise.resolve(f.config), configPath: undefined };
    const used = await withChroots(context, ({ machines }) => machines.list());
    assert.deepEqual(used.map(({ chroot }) => chroot.path), [`${f.config.store}/bookworm`, helper]);
  }));
