import assert from "node:assert/strict";
import { createChroot, recreate } from "../../../../src/chroots/build/create.ts";
import { changeChroot } from "../../../../src/chroots/generations/change_chroot.ts";
import type { ChrootName } from "../../../../src/config/chroot_name.ts";
import type { ChrootContext } from "../../../../src/chroots/generations/context.ts";
import { tryLock } from "../../../../src/chroots/generations/lock.ts";
import { readRecord } from "../../../../src/chroots/generations/record.ts";
import { addGeneration } from "../../../../src/chroots/generations/current.ts";
import { rollBack } from "../../../../src/chroots/generations/rollback.ts";
import { findTree } from "../../../../src/chroots/find/lookup.ts";
import { refused } from "../../../../src/failure.ts";
import { hasProgram } from "../../../../src/linux/tool.ts";
import { skip } from "../../../skip.ts";
import {
  bootstrap,
  type Fixture,
  type FixtureOptions,
  machine,
  named,
  withStore,
} from "../fixture.ts";

/** A test of what needs a bootstrap tool to be found, though it never runs. */
function test(
  name: string,
  act: (fixture: Fixture) => Promise<void>,
  options: FixtureOptions = {},
) {
  Deno.test(name, () =>
    withStore(async (fixture) => {
      const { host } = fixture.context;
      const tools = [hasProgram(host, "mmdebstrap"), hasProgram(host, "debootstrap")];
      if (!(await Promise.all(tools)).includes(true)) return skip(name, "no bootstrap tool here");
      await act(fixture);
    }, options));
}

const recreateChroot = (work: ChrootContext, name: ChrootName) =>
  changeChroot(work, name, "recreate", () => recreate(work, name));

const left = async ({ context: { host }, folder }: Fixture) => [
  ...await host.files.list(`${folder}/store/.making`),
  ...await host.files.list(`${folder}/store/.leaving`),
];

test("createChroot() makes a chroot, its root open and its id empty, and records it", async (f) => {
  await createChroot(f.context, named("bookworm"), undefined);
  assert.equal(await f.mark("bookworm"), "new");
  assert.equal(await Deno.readTextFile(`${f.folder}/store/bookworm/etc/machine-id`), "");
  assert.equal((await Deno.stat(`${f.folder}/store/bookworm`)).mode! & 0o777, 0o755);
  const record = await readRecord(f.context.host, f.config.store, named("bookworm"), 1);
  assert.deepEqual([record?.origin, record?.made], ["bookworm", "2030-01-01T00:00:00.000Z"]);
  assert.deepEqual([record?.previous, record?.pin, record?.image], [null, null, null]);
  assert.equal(await Deno.readLink(`${f.folder}/store/bookworm`), ".generations/bookworm/1");
  assert.ok((record?.size ?? 0) > 0);
  assert.deepEqual(await left(f), []);
  assert.match(f.err(), /from bookworm, as its name says/);
});

test(
  "createChroot() gives the tool a clean environment and words that no shell reads",
  async (f) => {
    await createChroot(f.context, named("x"), "noble");
    const made = f.processes.find(({ argv }) => argv[0] === "setpriv");
    const words: readonly string[] = made?.argv ?? [];
    assert.ok(words.includes("noble"));
    assert.ok(words.includes("http://mirror.example/debian"));
    assert.ok(words.includes("--variant=minbase"));
    const env = made?.options.env ?? {};
    assert.equal(env["http_proxy"], "http://proxy.example");
    assert.equal(env["LANG"], "C.UTF-8");
    assert.equal(env["CUSTOM_ENV_SECRET"], undefined);
    assert.equal(env["CI_JOB_TOKEN"], undefined);
  },
  {
    env: { http_proxy: "http://proxy.example", CUSTOM_ENV_SECRET: "s", CI_JOB_TOKEN: "s" },
  },
);

test("createChroot() refuses what exists, with a pointer to maintenance", async (f) => {
  await f.tree("x");
  await f.put("store/file");
  for (const name of ["x", "file"]) {
    await assert.rejects(createChroot(f.context, named(name), "sid"), {
      kind: "refused",
      message: `Cannot create chroot ${name}: it exists already`,
      hint: `Bring it up to date: nspawn-runner chroot-maintenance ${name}`,
    });
  }
  assert.equal(await f.mark("x"), "old");
});

test("createChroot() leaves nothing when the tool fails", async (f) => {
  await assert.rejects(createChroot(f.context, named("x"), "sid"), {
    kind: "host",
    message: /^Cannot create chroot x: cannot run .*sid.*: it ended with 9$/,
    hint: /suite sid/,
  });
  assert.deepEqual(await left(f), []);
  assert.equal(await f.mark("x"), null);
}, {
  async tool(argv) {
    await bootstrap(argv);
    return argv[0]?.endsWith("bootstrap") || argv[0]?.endsWith("debstrap") ||
        argv[0] === "eatmydata"
      ? { code: 9 }
      : {};
  },
});

test("createChroot() ends the tool and leaves nothing when it is interrupted", async (f) => {
  await assert.rejects(createChroot(f.context, named("x"), "sid"), {
    message: "Cannot create chroot x: interrupted",
  });
  assert.ok(f.killed.some(({ signal }) => signal === "SIGKILL"));
  assert.deepEqual(await left(f), []);
  assert.equal(await f.mark("x"), null);
}, {
  async tool(argv, { controller }) {
    await bootstrap(argv);
    controller.abort();
  },
});

test("createChroot() fails with the pid of who makes the same", async (f) => {
  const lock = await tryLock(f.context.host, f.config.store, named("x"));
  try {
    await assert.rejects(createChroot(f.context, named("x"), "sid"), {
      message: `Cannot change chroot x: process ${Deno.pid} works on it`,
    });
  } finally {
    lock?.release();
  }
  await createChroot(f.context, named("x"), "sid");
});

test("createChroot() removes what killed ones left, and nothing that is being made", async (f) => {
  await f.put("store/.making/killed/root/usr/file");
  await f.put("store/.making/busy/root/usr/file");
  await f.put("store/.leaving/gone~1/0/usr/file");
  await f.put("store/.making/not ours/file");
  const lock = await tryLock(f.context.host, f.config.store, named("busy"));
  try {
    await createChroot(f.context, named("x"), "sid");
  } finally {
    lock?.release();
  }
  assert.deepEqual(await left(f), ["busy", "not ours"]);
});

test("createChroot() touches nothing outside of a tree whose folders lead out of it", async (f) => {
  await f.put("outside/machine-id", "the host's");
  await assert.rejects(createChroot(f.context, named("x"), "sid"), {
    kind: "refused",
    message:
      `Cannot create chroot x: cannot use the new tree: its etc leads out of it, to ${f.folder}/outside`,
  });
  assert.deepEqual(await f.context.host.files.list(`${f.folder}/outside`), ["machine-id"]);
  assert.equal(await Deno.readTextFile(`${f.folder}/outside/machine-id`), "the host's");
  assert.equal(f.tested.length, 0);
}, {
  async tool(argv) {
    await bootstrap(argv);
    const tree = argv.find((word) => word.endsWith("/root"));
    if (tree === undefined || !argv.includes("mmdebstrap")) return;
    await Deno.remove(`${tree}/etc`, { recursive: true });
    await Deno.symlink("../../../../outside", `${tree}/etc`);
  },
});

test("createChroot() leaves nothing when its tree is not fit for jobs", async (f) => {
  await assert.rejects(createChroot(f.context, named("x"), "sid"), {
    message: "Cannot create chroot x: no git",
  });
  assert.deepEqual(await f.generations("x"), [[], null]);
  assert.deepEqual(await left(f), []);
}, { trial: () => Promise.reject(refused("no git")) });

test("createChroot() brings a chroot back that nothing leads to any more", async (f) => {
  await f.generation("x", 1);
  await f.generation("x", 2);
  await Deno.remove(`${f.folder}/store/x`);
  const { host, config: { store } } = f.context;
  const newest = await findTree(host, store, named("x"));
  assert.equal(newest, `${f.folder}/store/.generations/x/2`, "until then, too");
  await assert.rejects(createChroot(f.context, named("x"), "sid"), /exists already/);
  assert.deepEqual(await f.generations("x"), [[1, 2], 2]);
});

test(
  "createChroot() waits at a terminal for who works on the chroot, then looks what he made",
  async (f) => {
    const lock = await tryLock(f.context.host, f.config.store, named("x"));
    let slept = 0;
    const sleep = async () => {
      if (++slept < 3) return;
      await f.generation("x", 1);
      lock?.release();
    };
    const host = { ...f.context.host, clock: { ...f.context.host.clock, sleep } };
    await assert.rejects(createChroot({ ...f.context, host }, named("x"), "sid"), /exists already/);
    assert.equal(slept, 3);
    assert.match(
      f.err(),
      new RegExp(`^Waiting for process ${Deno.pid}, which works on chroot x$`, "m"),
    );
  },
  { terminals: ["stdin", "stderr"] },
);

test("recreate() has the old one in its place until the new one is complete", async (f) => {
  await f.generation("x", 1);
  await recreateChroot(f.context, named("x"));
  assert.equal(await f.mark("x"), "new");
  assert.deepEqual(await f.generations("x"), [[1, 2], 2]);
  assert.deepEqual(await left(f), []);
}, {
  async tool(argv, { mark }) {
    if (argv.some((word) => word.endsWith("/root"))) assert.equal(await mark("x"), "mark 1");
    await bootstrap(argv);
  },
});

test("recreate() keeps the old one when the new one fails", async (f) => {
  await f.tree("x");
  await assert.rejects(recreateChroot(f.context, named("x")), /Cannot recreate chroot x/);
  assert.equal(await f.mark("x"), "old");
  assert.deepEqual(await left(f), []);
}, { tool: (argv) => ({ code: argv.includes("unstable") ? 1 : 0 }) });

test("recreate() makes generation zero of a directory that another program made", async (f) => {
  await f.tree("x");
  await recreateChroot(f.context, named("x"));
  assert.deepEqual(await f.generations("x"), [[0, 1], 1]);
  assert.equal(await f.mark(".generations/x/0"), "old");
  const record = await readRecord(f.context.host, f.config.store, named("x"), 1);
  assert.equal(record?.previous, 0);
});

test("recreate() does not move a tree from which a machine is being started", async (f) => {
  await f.tree("x");
  f.machines.push({ ...machine("x", `${f.folder}/store/x`), starting: true });
  let slept = 0;
  const sleep = () => {
    assert.equal(f.machines[0]?.starting, true);
    if (++slept === 3) f.machines.pop();
    return Promise.resolve();
  };
  const host = { ...f.context.host, clock: { ...f.context.host.clock, sleep } };
  await recreateChroot({ ...f.context, host }, named("x"));
  assert.equal(slept, 3);
  assert.deepEqual(await f.generations("x"), [[0, 1], 1]);
});

test("recreate() gives up where such a machine never starts, with a word on gc", async (f) => {
  await f.tree("x");
  f.machines.push({ ...machine("x", `${f.folder}/store/x`), starting: true });
  await assert.rejects(recreateChroot(f.context, named("x")), { message: /run-1/, hint: /gc/ });
  assert.equal(await f.mark("x"), "old");
  assert.equal((await Deno.lstat(`${f.folder}/store/x`)).isSymlink, false);
});

test("recreate() keeps as many generations as are wanted, and those that machines use", async (f) => {
  for (const number of [1, 2, 3, 4]) await f.generation("x", number, { previous: number - 1 });
  f.machines.push(machine("x", `${f.folder}/store/.generations/x/2`));
  await recreateChroot(f.context, named("x"));
  assert.deepEqual(await f.generations("x"), [[2, 4, 5], 5]);
  f.machines.pop();
  await recreateChroot({ ...f.context, config: { ...f.config, keep_generations: 3 } }, named("x"));
  assert.deepEqual(await f.generations("x"), [[4, 5, 6], 6]);
  await recreateChroot({ ...f.context, config: { ...f.config, keep_generations: 1 } }, named("x"));
  assert.deepEqual(await f.generations("x"), [[7], 7]);
  assert.deepEqual(await f.context.host.files.list(`${f.folder}/store/.generations/x`), [
    "7",
    "7.json",
  ]);
});

test("recreate() keeps generation zero for a machine that started before it was one", async (f) => {
  await f.tree("x");
  f.machines.push(machine("x", `${f.folder}/store/x`));
  const config = { ...f.config, keep_generations: 1 };
  await recreateChroot({ ...f.context, config }, named("x"));
  assert.deepEqual(await f.generations("x"), [[0, 1], 1]);
  f.machines.pop();
  await recreateChroot({ ...f.context, config }, named("x"));
  assert.deepEqual(await f.generations("x"), [[2], 2]);
});

/** Every step between a complete tree and its being current, and what is current when it is killed there. */
const SWITCHES: readonly (readonly [string, (method: string, path: string) => boolean])[] = [
  ["its record", (method, path) => method === "replace" && path.endsWith("/1.json")],
  ["the tree's move", (method, path) => method === "rename" && path.endsWith("/root")],
  ["the new link", (method, path) => method === "symlink" && path === ".generations/x/1"],
  ["the link's move", (method, path) => method === "rename" && path.endsWith("/.link")],
  [
    "the removal of older ones",
    (method, path) => method === "makeDirectory" && path.includes(".leaving/x~"),
  ],
];

for (const [step, isStep] of SWITCHES) {
  test(`recreate() that is killed at ${step} leaves a chroot that works`, async (f) => {
    await f.tree("x");
    const { host } = f.context;
    let killed = false;
    const files = new Proxy(host.files, {
      get: (all, method: string) => (...words: [string]) => {
        const act = all[method as "list"] as (...words: [string]) => Promise<string[]>;
        if (!killed && isStep(method, words[0])) killed = true;
        return killed ? Promise.reject(new Error("killed")) : act(...words);
      },
    });
    const config = { ...f.config, keep_generations: 1 };
    await assert.rejects(
      recreateChroot({ ...f.context, config, host: { ...host, files } }, named("x")),
    );
    assert.ok(killed);
    const found = await findTree(host, f.config.store, named("x"));
    const isNew = step === "the removal of older ones";
    assert.equal(found, `${f.folder}/store/.generations/x/${isNew ? 1 : 0}`);
    assert.equal(await Deno.readTextFile(`${found}/usr/mark`), isNew ? "new" : "old");
    await recreateChroot({ ...f.context, config }, named("x"));
    assert.equal((await f.generations("x"))[0].length, 1);
    assert.equal(await f.mark("x"), "new");
    assert.deepEqual(await left(f), []);
  });
}

test("rollBack() goes back to what was current before, or to the one that is named", async (f) => {
  for (const number of [3, 4, 5]) await f.generation("x", number, { previous: number - 1 });
  assert.equal(await rollBack(f.context, named("x"), undefined), 4);
  assert.deepEqual(await f.generations("x"), [[3, 4, 5], 4]);
  assert.equal(await rollBack(f.context, named("x"), undefined), 3);
  await assert.rejects(rollBack(f.context, named("x"), undefined), {
    kind: "refused",
    message: "Cannot roll back chroot x: there is no earlier generation",
    hint: "There are: 3, 4, 5; 3 is current",
  });
  assert.equal(await rollBack(f.context, named("x"), 5), 5);
  await assert.rejects(rollBack(f.context, named("x"), 5), /5 is current already/);
  await assert.rejects(rollBack(f.context, named("x"), 9), /there is no generation 9/);
});

test("rollBack() refuses where there are no generations yet", async (f) => {
  await f.tree("x");
  await assert.rejects(rollBack(f.context, named("x"), undefined), { message: /no generations/ });
});

test("addGeneration() after a way back keeps the good one, and drops the one that was bad", async (f) => {
  for (const number of [3, 4]) await f.generation("x", number, { previous: number - 1 });
  await rollBack(f.context, named("x"), undefined);
  await f.tree(".making/x/root", "newest");
  const made = { origin: "sid", pin: null, recipe: null, image: null, size: 1, made: "2030" };
  assert.equal(await addGeneration(f.context, named("x"), made), 5);
  assert.deepEqual(await f.generations("x"), [[3, 5], 5]);
});

test("recreate() takes the suite that it was made from before", async (f) => {
  await createChroot(f.context, named("x"), "noble");
  await recreateChroot(f.context, named("x"));
  assert.match(f.err(), /from noble, as before/);
});

test("recreate() refuses a symlink, whose tree is somebody else's", async (f) => {
  await f.put("elsewhere/usr/mark", "theirs");
  await Deno.mkdir(f.config.store);
  await Deno.symlink(`${f.folder}/elsewhere`, `${f.folder}/store/x`);
  await assert.rejects(recreateChroot(f.context, named("x")), {
    kind: "refused",
    message: `Cannot recreate chroot x: it is a symlink to ${f.folder}/elsewhere`,
  });
  assert.equal(await f.mark("x"), "theirs");
});
