/** Shifted layers: which, when they are made, and when they go. */

import assert from "node:assert/strict";
import type { Host, Stat } from "../../../../../src/host/host.ts";
import {
  identifyTree,
  shiftedLayerPath,
} from "../../../../../src/machines/storage/shifted/layer.ts";
import {
  makeFirstShiftedLayers,
  makeShiftedLayer,
} from "../../../../../src/machines/storage/shifted/make.ts";
import { canShift, shiftArgv } from "../../../../../src/machines/storage/shifted/shift.ts";
import { removeUnusedShiftedLayers } from "../../../../../src/machines/storage/shifted/remove_unused.ts";
import { writeLease } from "../../../../../src/machines/record/lease.ts";
import { overlay } from "../../../../../src/machines/storage/overlay.ts";
import {
  type Answer,
  FREE_LOCK,
  inFolder,
  PROGRAM_FILE,
  recordingHost,
} from "../../../recording_host.ts";
import { withOwnRun } from "../../supervisor/standalone_host.ts";
import { leaseOf } from "../../fixture.ts";

const FIRST = 0x6000_0000;
const never = new AbortController().signal;

/** A host on which owners are moved by writing who asked for it. */
function shiftingHost(answer: (argv: readonly string[]) => Answer | void = () => {}) {
  return recordingHost({
    async answer(argv) {
      if (argv[0] !== "unshare") return answer(argv);
      const said = answer(argv);
      const [folder, tree, ids] = argv.slice(-3);
      await Deno.mkdir(`${folder}/upper`);
      await Deno.writeTextFile(`${folder}/upper/made`, `${tree} ${ids}`);
      return said;
    },
  });
}

async function layerIn(host: Host, store: string, ids = FIRST): Promise<string> {
  await Deno.mkdir(`${store}/tree`, { recursive: true });
  const layer = await shiftedLayerPath(host, store, `${store}/tree`, ids);
  assert.ok(layer !== null, "this file system tells when a folder was made");
  return layer;
}

const makings = (commands: readonly string[]) =>
  commands.filter((command) => command.startsWith("unshare ")).length;

Deno.test("layerOf() is the same wherever a tree is moved to, and another for a tree in its place", () =>
  inFolder(async (store) => {
    const { host } = recordingHost();
    const layer = await layerIn(host, store);
    assert.match(layer, new RegExp(`^${store}/\\.shifted/\\d+-\\d+/${FIRST}$`));
    await Deno.rename(`${store}/tree`, `${store}/moved`);
    assert.equal(await shiftedLayerPath(host, store, `${store}/moved`, FIRST), layer);
    assert.notEqual(await layerIn(host, store), layer);
    assert.equal(await shiftedLayerPath(host, store, `${store}/none`, FIRST), null);
  }));

const UUID = "09efcfba-ff59-e349-9010-e7fab5f2a93f";

/** What stat(2) and btrfs say of a tree, and its key. */
const KEYS: readonly (readonly [string, Partial<Stat>, Answer, string | null])[] = [
  ["a folder", {}, {}, "7-5"],
  ["a folder of which nobody tells when it was made", { born: null }, {}, null],
  ["a subvolume", { ino: 256 }, { stdout: `snapshot\n\tUUID: \t\t${UUID}\n` }, UUID],
  ["a subvolume of an old mkfs", { ino: 256 }, { stdout: "\tUUID: \t-\n\tParent UUID: -\n" }, null],
  ["a subvolume without btrfs-progs", { ino: 256 }, { code: 127 }, null],
  ["a folder with that number on ext4", { ino: 256 }, { code: 3 }, "256-5"],
];

for (const [what, more, answer, expected] of KEYS) {
  Deno.test(`keyOf() of ${what} is ${expected}`, async () => {
    const { host } = recordingHost({ answer: () => answer });
    const tree: Stat = { ...PROGRAM_FILE, kind: "directory", ino: 7, born: new Date(5), ...more };
    const files = { ...host.files, stat: () => Promise.resolve(tree) };
    assert.equal(await identifyTree({ ...host, files }, "/tree"), expected);
  });
}

Deno.test("makeLayer() makes a layer once, and leaves nothing beside it", () =>
  inFolder(async (store) => {
    const { host, commands } = shiftingHost();
    const layer = await layerIn(host, store);
    const tree = { path: `${store}/tree`, isFixed: true };
    await Promise.all([1, 2].map(() => makeShiftedLayer(host, layer, tree, never)));
    await makeShiftedLayer(host, layer, tree, never);
    assert.equal(makings(commands()), 1);
    assert.equal(await Deno.readTextFile(`${layer}/upper/made`), `${tree.path} ${FIRST}`);
    assert.deepEqual(await host.files.list(`${layer}/..`), [`${FIRST}`]);
    assert.equal((await Deno.stat(`${store}/.shifted`)).mode! & 0o777, 0o700);
  }));

Deno.test("makeLayer() makes a layer anew when another program changed the tree", () =>
  inFolder(async (store) => {
    let state = "one";
    const { host, commands } = shiftingHost(({ 0: program }) =>
      program === "sh" ? { stdout: state } : undefined
    );
    const layer = await layerIn(host, store);
    const make = (isFixed = false) =>
      makeShiftedLayer(host, layer, { path: `${store}/tree`, isFixed }, never);
    for (let time = 0; time < 2; time++) await make();
    assert.equal(makings(commands()), 1);
    state = "two";
    for (let time = 0; time < 2; time++) await make();
    assert.equal(makings(commands()), 2);
    await make(true);
    assert.equal(makings(commands()), 3, "it has become a generation");
  }));

Deno.test("makeLayer() that fails or is interrupted leaves nothing that counts", () =>
  inFolder(async (store) => {
    let answer: Answer = { code: 1, stderr: "chown: x\ncp: No space left on device\n" };
    const { host } = shiftingHost(() => answer);
    const layer = await layerIn(host, store);
    const tree = { path: `${store}/tree`, isFixed: true };
    await assert.rejects(makeShiftedLayer(host, layer, tree, never), {
      kind: "host",
      message: /^Cannot shift the owners of the files in .*\/tree: cp: No space left on device$/,
      hint: /extended attributes/,
    });
    assert.deepEqual(await host.files.list(`${layer}/..`), []);
    answer = {};
    const interrupt = new AbortController();
    const { host: interrupted } = shiftingHost(() => interrupt.abort());
    const making = makeShiftedLayer(interrupted, layer, tree, interrupt.signal);
    await assert.rejects(making, { kind: "host", message: /interrupted/ });
    assert.equal(await host.files.lstat(layer), null);
    await makeShiftedLayer(host, layer, tree, never);
    assert.deepEqual(await host.files.list(`${layer}/..`), [`${FIRST}`], "the half made one went");
  }));

Deno.test("makeFirstLayers() makes those of the first two machines", () =>
  inFolder(async (store) => {
    const { host } = shiftingHost();
    const layer = await layerIn(host, store);
    await makeFirstShiftedLayers(host, store, `${store}/tree`, never);
    assert.deepEqual(await host.files.list(`${layer}/..`), [`${FIRST}`, `${FIRST + 65536}`]);
  }));

Deno.test("sweepLayers() keeps what a tree or a machine needs, and what is being made", () =>
  inFolder(async (store) => {
    const host = withOwnRun(recordingHost().host, `${store}/run`);
    const layer = await layerIn(host, store);
    const folder = `${store}/.shifted`;
    const used = `${folder}/2-2/${FIRST}`;
    const half = [`${layer}/../.making-${FIRST}-a`, `${layer}/../.making-${FIRST + 65536}-b`];
    const gone = ["1-1", ".leaving-x", ".trial-x"].map((entry) => `${folder}/${entry}`);
    for (const path of [layer, used, ...half, ...gone]) await Deno.mkdir(path, { recursive: true });
    await writeLease(host, leaseOf(store, "1", { ids: FIRST, layer: used }));
    const lock = await host.files.lock(`${layer}.lock`);
    async function* trees() {
      yield `${store}/none`;
      yield `${store}/tree`;
    }
    const told: string[] = [];
    await removeUnusedShiftedLayers(host, store, trees, (path) => !told.push(path));
    assert.equal(told.length, gone.length + 1);
    for (const path of [...half, ...gone]) assert.ok(await host.files.lstat(path), "only said");
    await removeUnusedShiftedLayers(host, store, trees);
    for (const path of [layer, used, half[0]!]) assert.ok(await host.files.lstat(path), path);
    for (const path of [half[1]!, ...gone]) assert.equal(await host.files.lstat(path), null, path);
    assert.deepEqual(await host.files.list(folder), [layer.split("/").at(-2), "2-2"].sort());
    await lock!.remove();
    await removeUnusedShiftedLayers(host, store, trees);
    assert.equal(await host.files.lstat(half[0]!), null);
  }));

Deno.test("sweepLayers() does nothing to a store without layers", () =>
  inFolder(async (store) => {
    const { host } = recordingHost();
    await removeUnusedShiftedLayers(host, store, () => assert.fail("nobody needs trees"));
    assert.deepEqual(await host.files.list(store), []);
  }));

/** nspawn's version and what the trial prints; whether a layer does. */
const TRIALS: readonly (readonly [number, Answer, boolean])[] = [
  [252, { stdout: `${FIRST} 4750\ncontent` }, true],
  [249, { stdout: `${FIRST} 4750\ncontent` }, false],
  [252, { stdout: "0 4750\ncontent" }, false],
  [252, { stdout: `${FIRST} 750\ncontent` }, false],
  [252, { stdout: `${FIRST} 4750\n` }, false],
  [252, { stdout: `${FIRST} 4750\ncontent`, code: 1 }, false],
];

for (const [version, answer, expected] of TRIALS) {
  Deno.test(`canShift() is ${expected} with nspawn ${version} that says ${JSON.stringify(answer)}`, () =>
    inFolder(async (store) => {
      const { host, commands } = recordingHost({
        answer: ([program]) =>
          program === "systemd-nspawn" ? { stdout: `systemd ${version} (x)\n` } : answer,
      });
      const known = new Map<string, string>();
      const files = {
        ...host.files,
        makeDirectory: (path: string) =>
          path.startsWith(store) ? host.files.makeDirectory(path) : Promise.resolve(),
        read: (path: string) => Promise.resolve(known.get(path) ?? null),
        replace: (path: string, text: string) => Promise.resolve(void known.set(path, text)),
        lock: () => Promise.resolve(FREE_LOCK),
      };
      const ask = () => canShift({ ...host, files }, store);
      assert.deepEqual([await ask(), await ask()], [expected, expected]);
      assert.ok(makings(commands()) <= 1, "tried once a boot");
      assert.deepEqual(await host.files.list(`${store}/.shifted`), []);
    }));
}

Deno.test("shiftArgv() gives no shell a path to read", () => {
  const words = shiftArgv("/s/$(x)", "/t/$(y)", FIRST);
  assert.deepEqual(words.slice(-3), ["/s/$(x)", "/t/$(y)", `${FIRST}`]);
  assert.ok(words.slice(0, -3).every((word) => !/\$\([xy]\)/.test(word)));
});

Deno.test("overlay puts a layer between the chroot and what the machine writes", () => {
  const root = overlay.root("/c", "/m/run-42", FIRST, "/s/1-1/7");
  const words = root.wrap!(["systemd-nspawn"]);
  assert.deepEqual(words.slice(-4), ["/m/run-42", "/c", "/s/1-1/7/upper", "systemd-nspawn"]);
  assert.match(words.join(" "), /metacopy=on.*lowerdir=shifted:lower,upperdir=upper/);
  assert.deepEqual(root.options, ["--directory=/m/run-42/root", "--private-users-ownership=off"]);
});
