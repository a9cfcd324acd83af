import assert from "node:assert/strict";
import { createChroot } from "../../../../src/chroots/build/create.ts";
import { findTree } from "../../../../src/chroots/find/lookup.ts";
import { tryLock } from "../../../../src/chroots/generations/lock.ts";
import { readRecord } from "../../../../src/chroots/generations/record.ts";
import { refused } from "../../../../src/failure.ts";
import { skip } from "../../../skip.ts";
import { bootstrap, type Fixture, named, recreateChroot, test } from "../fixture.ts";

const left = async ({ context: { host }, folder }: Fixture) => [
  ...await host.files.list(`${folder}/store/.making`),
  ...await host.files.list(`${folder}/store/.leaving`),
];

test("createChroot() makes a chroot with a readable root and an empty machine id, and records it", async (f) => {
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
  assert.match(f.err(), /from bookworm, after the chroot's name/);
});

test("createChroot() keeps no device nodes of a source", async (f) => {
  if (Deno.uid() !== 0) return skip("createChroot() keeps no device nodes", "not root");
  await createChroot(f.context, named("x"), "sid");
  const tree = `${f.folder}/store/x`;
  assert.deepEqual(await f.context.host.files.list(`${tree}/srv`), ["null"]);
  assert.ok((await Deno.lstat(`${tree}/srv/null`)).isSymlink);
}, {
  async tool(argv) {
    await bootstrap(argv);
    const tree = argv.find((word) => word.endsWith("/root"));
    await Deno.mkdir(`${tree}/srv`);
    await Deno.symlink("/dev/null", `${tree}/srv/null`);
    const mknod = new Deno.Command("mknod", { args: [`${tree}/srv/zero`, "c", "1", "5"] });
    assert.ok((await mknod.output()).success);
  },
});

test(
  "createChroot() gives the tool a clean environment, and arguments that no shell reads",
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

test("createChroot() refuses a chroot that exists, and points to maintenance", async (f) => {
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

test("createChroot() fails with the pid of the process that makes the same chroot", async (f) => {
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

test("createChroot() removes leftovers of killed builds, and no build that runs", async (f) => {
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

test(
  "createChroot() touches nothing outside of a tree with symlinks that lead out of it",
  async (f) => {
    await f.put("outside/machine-id", "the host's");
    await assert.rejects(createChroot(f.context, named("x"), "sid"), {
      kind: "refused",
      message:
        `Cannot create chroot x: cannot use the new tree: its folder /etc leads out of the tree, to ${f.folder}/outside`,
    });
    assert.deepEqual(await f.context.host.files.list(`${f.folder}/outside`), ["machine-id"]);
    assert.equal(await Deno.readTextFile(`${f.folder}/outside/machine-id`), "the host's");
    assert.equal(f.tested.length, 0);
  },
  {
    async tool(argv) {
      await bootstrap(argv);
      const tree = argv.find((word) => word.endsWith("/root"));
      if (tree === undefined || !argv.includes("mmdebstrap")) return;
      await Deno.remove(`${tree}/etc`, { recursive: true });
      await Deno.symlink("../../../../outside", `${tree}/etc`);
    },
  },
);

test("createChroot() leaves nothing when jobs could not run in its tree", async (f) => {
  await assert.rejects(createChroot(f.context, named("x"), "sid"), {
    message: "Cannot create chroot x: no git",
  });
  assert.deepEqual(await f.generations("x"), [[], null]);
  assert.deepEqual(await left(f), []);
}, { trial: () => Promise.reject(refused("no git")) });

test("createChroot() restores a chroot whose symlink was lost", async (f) => {
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
  "createChroot() waits at a terminal for the process that works on the chroot, then looks again",
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

test("recreate() keeps the old generation current until the new one is complete", async (f) => {
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

test("recreate() keeps the old generation when the build fails", async (f) => {
  await f.tree("x");
  await assert.rejects(recreateChroot(f.context, named("x")), /Cannot recreate chroot x/);
  assert.equal(await f.mark("x"), "old");
  assert.deepEqual(await left(f), []);
}, { tool: (argv) => ({ code: argv.includes("unstable") ? 1 : 0 }) });

test("recreate() takes the suite that the chroot was made from before", async (f) => {
  await createChroot(f.context, named("x"), "noble");
  await recreateChroot(f.context, named("x"));
  assert.match(f.err(), /from noble, as before/);
});

test("recreate() refuses a symlink to a tree outside of the store", async (f) => {
  await f.put("elsewhere/usr/mark", "theirs");
  await Deno.mkdir(f.config.store);
  await Deno.symlink(`${f.folder}/elsewhere`, `${f.folder}/store/x`);
  await assert.rejects(recreateChroot(f.context, named("x")), {
    kind: "refused",
    message: `Cannot recreate chroot x: it is a symlink to ${f.folder}/elsewhere`,
  });
  assert.equal(await f.mark("x"), "theirs");
});
