import assert from "node:assert/strict";
import { createChroot, recreateChroot } from "../../../src/chroots/create.ts";
import { tryLock } from "../../../src/chroots/lock.ts";
import { readRecord } from "../../../src/chroots/record.ts";
import { hasProgram } from "../../../src/chroots/tool.ts";
import { skip } from "../../skip.ts";
import {
  bootstrap,
  type Fixture,
  type FixtureOptions,
  machine,
  named,
  withStore,
} from "./fixture.ts";

/** A test of what needs a bootstrap tool to be found, though it never runs. */
function test(
  name: string,
  act: (fixture: Fixture) => Promise<void>,
  options: FixtureOptions = {},
) {
  Deno.test(name, () =>
    withStore(async (fixture) => {
      const { host } = fixture.work;
      const tools = [hasProgram(host, "mmdebstrap"), hasProgram(host, "debootstrap")];
      if (!(await Promise.all(tools)).includes(true)) return skip(name, "no bootstrap tool here");
      await act(fixture);
    }, options));
}

const left = async ({ work: { host }, folder }: Fixture) => [
  ...await host.files.list(`${folder}/store/.making`),
  ...await host.files.list(`${folder}/store/.leaving`),
];

test("createChroot() makes a chroot, its root open and its id empty, and records it", async (f) => {
  await createChroot(f.work, named("bookworm"), undefined);
  assert.equal(await f.mark("bookworm"), "new");
  assert.equal(await Deno.readTextFile(`${f.folder}/store/bookworm/etc/machine-id`), "");
  assert.equal((await Deno.stat(`${f.folder}/store/bookworm`)).mode! & 0o777, 0o755);
  const record = await readRecord(f.work.host, f.config.store, named("bookworm"));
  assert.deepEqual([record?.suite, record?.made], ["bookworm", "2030-01-01T00:00:00.000Z"]);
  assert.ok((record?.size ?? 0) > 0);
  assert.deepEqual(await left(f), []);
  assert.match(f.err(), /from bookworm, as its name says/);
});

test(
  "createChroot() gives the tool a clean environment and words that no shell reads",
  async (f) => {
    await createChroot(f.work, named("x"), "noble");
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
    await assert.rejects(createChroot(f.work, named(name), "sid"), {
      kind: "refused",
      message: `Cannot create chroot ${name}: it exists already`,
      hint: `Bring it up to date: nspawn-runner chroot-maintenance ${name}`,
    });
  }
  assert.equal(await f.mark("x"), "old");
});

test("createChroot() leaves nothing when the tool fails", async (f) => {
  await assert.rejects(createChroot(f.work, named("x"), "sid"), {
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
  await assert.rejects(createChroot(f.work, named("x"), "sid"), {
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
  const lock = await tryLock(f.work.host, f.config.store, named("x"));
  try {
    await assert.rejects(createChroot(f.work, named("x"), "sid"), {
      message: `Cannot change chroot x: process ${Deno.pid} works on it`,
    });
  } finally {
    lock?.release();
  }
  await createChroot(f.work, named("x"), "sid");
});

test("createChroot() removes what killed ones left, and nothing that is being made", async (f) => {
  await f.put("store/.making/killed/root/usr/file");
  await f.put("store/.making/busy/root/usr/file");
  await f.put("store/.leaving/gone~1/usr/file");
  await f.put("store/.making/not ours/file");
  const lock = await tryLock(f.work.host, f.config.store, named("busy"));
  try {
    await createChroot(f.work, named("x"), "sid");
  } finally {
    lock?.release();
  }
  assert.deepEqual(await left(f), ["busy", "not ours"]);
});

test("createChroot() brings back what an interrupted replacement had taken away", async (f) => {
  await f.tree("x");
  await Deno.mkdir(`${f.folder}/store/.leaving`);
  await Deno.rename(`${f.folder}/store/x`, `${f.folder}/store/.leaving/x~5~replaced`);
  await assert.rejects(createChroot(f.work, named("x"), "sid"), /exists already/);
  assert.equal(await f.mark("x"), "old");
  assert.deepEqual(await left(f), []);
});

test("recreateChroot() has the old one in its place until the new one is complete", async (f) => {
  await f.tree("x");
  await recreateChroot(f.work, named("x"));
  assert.equal(await f.mark("x"), "new");
  assert.deepEqual(await left(f), []);
}, {
  async tool(argv, { mark }) {
    if (argv.some((word) => word.endsWith("/root"))) assert.equal(await mark("x"), "old");
    await bootstrap(argv);
  },
});

test("recreateChroot() keeps the old one when the new one fails", async (f) => {
  await f.tree("x");
  await assert.rejects(recreateChroot(f.work, named("x")), /Cannot recreate chroot x/);
  assert.equal(await f.mark("x"), "old");
  assert.deepEqual(await left(f), []);
}, { tool: (argv) => ({ code: argv.includes("unstable") ? 1 : 0 }) });

test("recreateChroot() keeps the old tree as long as a machine reads it", async (f) => {
  await f.tree("x");
  f.users.push(machine("x", "overlay", "2029-12-31T00:00:00.000Z"));
  await recreateChroot(f.work, named("x"));
  assert.equal(await f.mark("x"), "new");
  const [kept] = await left(f);
  assert.match(kept ?? "", /^x~\d+$/);
  f.users.splice(0, 1, machine("x", "overlay", "2031-01-01T00:00:00.000Z")); // of the new tree
  await createChroot(f.work, named("other"), "sid");
  assert.deepEqual(await left(f), []);
});

test("recreateChroot() takes the suite that it was made from before", async (f) => {
  await createChroot(f.work, named("x"), "noble");
  await recreateChroot(f.work, named("x"));
  assert.match(f.err(), /from noble, as before/);
});

test("recreateChroot() refuses a symlink, whose tree is somebody else's", async (f) => {
  await f.put("elsewhere/usr/mark", "theirs");
  await Deno.mkdir(f.config.store);
  await Deno.symlink(`${f.folder}/elsewhere`, `${f.folder}/store/x`);
  await assert.rejects(recreateChroot(f.work, named("x")), {
    kind: "refused",
    message: `Cannot recreate chroot x: it is a symlink to ${f.folder}/elsewhere`,
  });
  assert.equal(await f.mark("x"), "theirs");
});
