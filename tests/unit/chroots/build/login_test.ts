import assert from "node:assert/strict";
import { logIn, loginArgv, logInDirectly } from "../../../../src/chroots/build/login.ts";
import { isMachineName } from "../../../../src/machines/record/name.ts";
import type { Answer } from "../../recording_host.ts";
import { type Fixture, machine, named, withStore } from "../fixture.ts";

const chroot = ({ folder }: Fixture, path = "store/x") => ({
  name: named("x"),
  path: `${folder}/${path}`,
  generation: null,
  image: null,
  own: [],
});

/** A shell that changes the tree that it works in, and ends with a code. */
const shell = (code: number) => async (argv: readonly string[]): Promise<Answer | void> => {
  if (argv[0] !== "systemd-nspawn") return;
  const tree = argv.find((word) => word.startsWith("--directory="))?.slice("--directory=".length);
  await Deno.writeTextFile(`${tree}/usr/mark`, "changed");
  return { code };
};

const HERE = { terminal: false, isRegistered: true, pid: 4194304, timezone: [] } as const;

Deno.test("loginArgv() makes a valid machine name of every chroot's name", () => {
  for (const name of ["bookworm", "a_b", "a-", "x.y", "a".repeat(64), "a_.-_", "9"]) {
    const argv = loginArgv(named(name), "/tree", { ...HERE, terminal: true });
    const machine = argv.find((word) => word.startsWith("--machine="))?.slice("--machine=".length);
    assert.ok(isMachineName(machine ?? ""), machine);
  }
});

Deno.test("loginArgv() passes a terminal on, and registers where systemd is PID 1", () => {
  const [terminal, pipe] = [
    loginArgv(named("x"), "/tree", { ...HERE, terminal: true }),
    loginArgv(named("x"), "/tree", { ...HERE, isRegistered: false, timezone: ["--timezone=off"] }),
  ];
  assert.ok(terminal.includes("--console=interactive") && !terminal.includes("--register=no"));
  assert.ok(pipe.includes("--console=pipe") && pipe.includes("--register=no"));
  assert.ok(pipe.includes("--timezone=off"));
  assert.ok(!terminal.includes("--boot"));
});

Deno.test("logIn() changes a copy, tests it, makes it current, and keeps the old generation", () =>
  withStore(async (f) => {
    await f.generation("x", 3);
    assert.deepEqual(await logIn(f.context, chroot(f)), { kind: "exited", code: 0 });
    assert.deepEqual(await f.generations("x"), [[3, 4], 4]);
    assert.equal(await f.mark("x"), "changed");
    assert.equal(await f.mark(".generations/x/3"), "mark 3");
    assert.deepEqual(f.tested.map(({ tree }) => tree), [`${f.folder}/store/.making/x/root`]);
    const started = f.processes.find(({ argv }) => argv[0] === "systemd-nspawn")!;
    assert.ok("stdin" in started.options && started.options.stdin === "inherit");
    assert.equal(started.options.env?.["TERM"], "xterm");
    assert.equal(f.handlers(), 0);
  }, { tool: shell(0), env: { TERM: "xterm" } }));

Deno.test("logIn() discards the changes of a failed shell without a terminal, and returns its exit code", () =>
  withStore(async (f) => {
    await f.generation("x", 3);
    assert.deepEqual(await logIn(f.context, chroot(f)), { kind: "exited", code: 7 });
    assert.deepEqual(await f.generations("x"), [[3], 3]);
    assert.equal(await f.mark("x"), "mark 3");
    assert.deepEqual(await f.context.host.files.list(`${f.folder}/store/.making`), []);
    assert.match(f.err(), /the changes are discarded/);
  }, { tool: shell(7) }));

/** A person's answer, and whether the changes are kept; the shell's last command failed. */
const ANSWERS: readonly (readonly [string | null, boolean])[] = [
  ["", true],
  ["y", true],
  [null, true],
  ["n", false],
  ["No", false],
];

for (const [answer, keeps] of ANSWERS) {
  Deno.test(`logIn() ${keeps ? "keeps" : "discards"} the changes at a terminal after ${JSON.stringify(answer)}`, () =>
    withStore(async (f) => {
      await f.generation("x", 3);
      await logIn(f.context, chroot(f));
      assert.deepEqual(await f.generations("x"), keeps ? [[3, 4], 4] : [[3], 3]);
      assert.match(f.err(), /Keep the changes, as the new generation of x\? \[Y\/n\] /);
    }, { tool: shell(1), terminals: ["stdin", "stdout", "stderr"], answer }));
}

Deno.test("logIn() discards the changes when it is interrupted, whatever the answer", () =>
  withStore(async (f) => {
    await f.generation("x", 3);
    await logIn(f.context, chroot(f));
    assert.deepEqual(await f.generations("x"), [[3], 3]);
  }, {
    tool: (argv, { controller }) => {
      if (argv[0] === "systemd-nspawn") controller.abort();
    },
    terminals: ["stdin", "stderr"],
    answer: "y",
  }));

Deno.test("logIn() keeps the old generation when jobs could not run in the changed tree", () =>
  withStore(async (f) => {
    await f.generation("x", 3);
    await assert.rejects(logIn(f.context, chroot(f)), /no git/);
    assert.deepEqual(await f.generations("x"), [[3], 3]);
  }, { tool: shell(0), trial: () => Promise.reject(new Error("no git")) }));

Deno.test("logIn() keeps the trees that running jobs read", () =>
  withStore(async (f) => {
    for (const number of [1, 2, 3]) await f.generation("x", number, { previous: number - 1 });
    f.machines.push(machine("x", `${f.folder}/store/.generations/x/1`));
    await logIn(f.context, chroot(f));
    assert.deepEqual(await f.generations("x"), [[1, 3, 4], 4]);
  }, { tool: shell(0) }));

Deno.test("logInDirectly() refuses while jobs read the tree, but not while they have copies", () =>
  withStore(async (f) => {
    await f.tree("x");
    const { path } = chroot(f);
    f.machines.push(machine("x", path));
    await assert.rejects(logInDirectly(f.context, chroot(f)), {
      message: "Cannot log in to chroot x: in use by run-1",
      hint: /without --direct/,
    });
    assert.equal(await f.mark("x"), "old");
    f.machines.splice(0, 1, machine("x", path, "btrfs"));
    assert.deepEqual(await logInDirectly(f.context, chroot(f)), { kind: "exited", code: 7 });
    assert.deepEqual(f.dropped, [path, path], "before and after the shell");
    assert.equal(await f.mark("x"), "changed");
    assert.equal(f.tested.length, 0);
  }, { tool: shell(7) }));
