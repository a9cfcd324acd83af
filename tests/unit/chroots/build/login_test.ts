import assert from "node:assert/strict";
import { logIn, logInDirectly } from "../../../../src/chroots/build/login.ts";
import type { BuildRequest } from "../../../../src/chroots/generations/context.ts";
import { type Fixture, machine, named, withStore } from "../fixture.ts";

const chroot = ({ folder }: Fixture, path = "store/x") => ({
  name: named("x"),
  path: `${folder}/${path}`,
  generation: null,
  image: null,
  own: [],
  service: null,
});

/** A shell that changes the tree that it works in, and ends with a code. */
const shell = (code: number) => async ({ tree }: BuildRequest): Promise<number> => {
  await Deno.writeTextFile(`${tree}/usr/mark`, "changed");
  return code;
};

Deno.test("logIn() changes a copy, tests it, makes it current, and keeps the old generation", () =>
  withStore(async (f) => {
    await f.generation("x", 3);
    assert.deepEqual(await logIn(f.context, chroot(f)), { kind: "exited", code: 0 });
    assert.deepEqual(await f.generations("x"), [[3, 4], 4]);
    assert.equal(await f.mark("x"), "changed");
    assert.equal(await f.mark(".generations/x/3"), "mark 3");
    assert.deepEqual(f.tested.map(({ tree }) => tree), [`${f.folder}/store/.making/x/root`]);
    assert.deepEqual(f.built.map(({ tree, files }) => [tree, files]), [
      [`${f.folder}/store/.making/x/root`, null],
    ]);
  }, { shell: shell(0) }));

Deno.test("logIn() discards the changes of a failed shell without a terminal, and returns its exit code", () =>
  withStore(async (f) => {
    await f.generation("x", 3);
    assert.deepEqual(await logIn(f.context, chroot(f)), { kind: "exited", code: 7 });
    assert.deepEqual(await f.generations("x"), [[3], 3]);
    assert.equal(await f.mark("x"), "mark 3");
    assert.deepEqual(await f.context.host.files.list(`${f.folder}/store/.making`), []);
    assert.match(f.err(), /the changes are discarded/);
  }, { shell: shell(7) }));

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
    }, { shell: shell(1), terminals: ["stdin", "stdout", "stderr"], answer }));
}

Deno.test("logIn() discards the changes when it is interrupted, whatever the answer", () =>
  withStore(async (f) => {
    await f.generation("x", 3);
    await logIn(f.context, chroot(f));
    assert.deepEqual(await f.generations("x"), [[3], 3]);
  }, {
    shell: (_request, { controller }) => {
      controller.abort();
      return Promise.resolve(0);
    },
    terminals: ["stdin", "stderr"],
    answer: "y",
  }));

Deno.test("logIn() keeps the old generation when jobs could not run in the changed tree", () =>
  withStore(async (f) => {
    await f.generation("x", 3);
    await assert.rejects(logIn(f.context, chroot(f)), /no git/);
    assert.deepEqual(await f.generations("x"), [[3], 3]);
  }, { shell: shell(0), trial: () => Promise.reject(new Error("no git")) }));

Deno.test("logIn() keeps the trees that running jobs read", () =>
  withStore(async (f) => {
    for (const number of [1, 2, 3]) await f.generation("x", number, { previous: number - 1 });
    f.machines.push(machine("x", `${f.folder}/store/.generations/x/1`));
    await logIn(f.context, chroot(f));
    assert.deepEqual(await f.generations("x"), [[1, 3, 4], 4]);
  }, { shell: shell(0) }));

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
  }, { shell: shell(7) }));

Deno.test("logIn() and logInDirectly() name the image that a chroot was made from, since its programs run", () =>
  withStore(async (f) => {
    await f.generation("x", 1, { stranger: "docker:x" });
    await logIn(f.context, chroot(f));
    await logInDirectly(f.context, chroot(f));
    assert.deepEqual(f.built.map(({ stranger }) => stranger), ["docker:x", "docker:x"]);
    assert.match(f.built[1]!.tree, /\.generations\/x\/2$/);
  }));
