import assert from "node:assert/strict";
import {
  checkChroots,
  chooseChroots,
  maintainChroot,
  maintainChroots,
} from "../../../../src/chroots/build/maintain.ts";
import { bootstrap, ENTER, type Fixture, named, test } from "../fixture.ts";

const PLAYBOOK = "- hosts: all\n  tasks: []\n";

const tools = ({ processes }: Fixture) =>
  processes.filter(({ argv }) => argv[0] === "setpriv")
    .map(({ argv }) =>
      argv.find((word) => ["mmdebstrap", "ansible-playbook", "cp"].includes(word))
    );

test("maintainChroot() creates a defined chroot that is missing, then runs its playbook", async (f) => {
  await f.put("defs/x.yaml", PLAYBOOK);
  assert.equal(await maintainChroot(f.context, named("x")), "created");
  assert.deepEqual(tools(f), ["mmdebstrap", "ansible-playbook"]);
  assert.equal(await f.mark("x"), "new");
});

test("maintainChroot() runs the playbook on a copy, which becomes current", async (f) => {
  await f.tree("x");
  await f.put("defs/x.yaml", PLAYBOOK);
  assert.equal(await maintainChroot(f.context, named("x")), "updated");
  assert.deepEqual(tools(f), ["cp", "ansible-playbook"]);
  assert.equal(await f.mark("x"), "played");
  assert.deepEqual(await f.context.host.files.list(`${f.folder}/store/.leaving`), []);
}, {
  async tool(argv, { folder, mark }) {
    if (argv[0] !== "ansible-playbook") return;
    assert.equal(await mark("x"), "old");
    await Deno.writeTextFile(`${folder}/store/.making/x/root/usr/mark`, "played");
  },
});

test("maintainChroot() leaves the chroot as it was when the playbook fails", async (f) => {
  await f.tree("x");
  await f.put("defs/x.yaml", PLAYBOOK);
  await assert.rejects(maintainChroot(f.context, named("x")), {
    message: `Cannot maintain chroot x: cannot run playbook ${f.folder}/defs/x.yaml: it failed`,
  });
  assert.equal(await f.mark("x"), "old");
}, { tool: ([program]) => ({ code: program === "ansible-playbook" ? 2 : 0 }) });

test("maintainChroot() recreates a chroot whose playbook demands it", async (f) => {
  await f.tree("x");
  const vars = "{nspawn_runner_chroot_suite: sid, nspawn_runner_maint_recreate: true}";
  await f.put("defs/x.yaml", `- hosts: all\n  vars: ${vars}\n`);
  assert.equal(await maintainChroot(f.context, named("x")), "recreated");
  assert.deepEqual(tools(f), ["mmdebstrap", "ansible-playbook"]);
  assert.ok(f.processes.some(({ argv }) => argv.includes("sid")));
});

test("maintainChroot() does nothing without apt, setup and playbook", async (f) => {
  await f.tree("x");
  assert.match(await maintainChroot(f.context, named("x")), /nothing to do/);
  assert.equal(f.processes.length, 0);
});

/** The commands that ran in a tree, in their order. */
const inside = ({ processes }: Fixture) =>
  processes.filter(({ argv }) => argv.includes(ENTER))
    .map(({ argv }) => argv.slice(argv.indexOf(ENTER) + 2).join(" "));

test("maintainChroot() upgrades packages on a copy, then copies files, runs setup and the playbook", async (f) => {
  await f.tree("x");
  await f.put("store/x/usr/bin/apt-get");
  const definition = 'setup = ["one", "two"]\ncopy = { "/etc/hosts" = "/srv/hosts" }\n';
  await f.put("defs/x.toml", definition);
  await f.put("defs/x.yaml", PLAYBOOK);
  assert.equal(await maintainChroot(f.context, named("x")), "updated");
  const [upgrade, copy, ...setup] = inside(f);
  assert.match(upgrade!, /apt-get .*dist-upgrade/s);
  assert.match(copy!, /^sh -euc mkdir .* sh \/\S+\/0 \/srv\/hosts$/s);
  assert.deepEqual(setup, ["sh -euc one", "sh -euc two"]);
  assert.deepEqual(tools(f), [
    "cp",
    "cp",
    undefined,
    undefined,
    undefined,
    undefined,
    "ansible-playbook",
  ]);
});

test("maintainChroot() keeps the chroot when a command of its setup fails", async (f) => {
  await f.tree("x");
  await f.put("defs/x.toml", 'setup = ["false"]');
  await assert.rejects(maintainChroot(f.context, named("x")), {
    message: "Cannot maintain chroot x: cannot provision the tree: a command failed",
  });
  assert.equal(await f.mark("x"), "old");
}, { tool: (argv) => ({ code: argv.includes(ENTER) ? 1 : 0 }) });

test("maintainChroot() follows `recreate` of the definition before that of the playbook", async (f) => {
  await f.tree("x");
  await f.put("defs/x.yaml", "- hosts: all\n  vars: {nspawn_runner_maint_recreate: true}\n");
  await f.put("defs/x.toml", "recreate = false");
  assert.equal(await maintainChroot(f.context, named("x")), "updated");
  await f.put("defs/x.toml", 'recreate = true\nsuite = "sid"');
  assert.equal(await maintainChroot(f.context, named("x")), "recreated");
});

test(
  "maintainChroots() continues after a failure, logs each result, and fails at the end",
  async (f) => {
    for (const name of ["a", "b", "c"]) {
      await f.tree(name);
      await f.put(`defs/${name}.yaml`, PLAYBOOK);
    }
    const names = await chooseChroots(f.context, []);
    await assert.rejects(maintainChroots(f.context, names), {
      kind: "host",
      message: "Cannot maintain b: 1 of 3 failed",
    });
    assert.match(f.err(), /^a: updated$/m);
    assert.match(f.err(), /^b: failed: /m);
    assert.match(f.err(), /^c: updated$/m);
  },
  { tool: (argv) => ({ code: argv.some((word) => word.endsWith("/b.yaml")) ? 2 : 0 }) },
);

test("maintainChroots() begins no other chroot after an interrupt", async (f) => {
  for (const name of ["a", "b"]) await f.put(`defs/${name}.yaml`, PLAYBOOK);
  const names = await chooseChroots(f.context, []);
  await assert.rejects(maintainChroots(f.context, names), /interrupted/);
  assert.equal(tools(f).length, 1);
}, {
  async tool(argv, { controller }) {
    await bootstrap(argv);
    controller.abort();
  },
});

test("chooseChroots() returns all defined chroots, or those that are named", async (f) => {
  await f.tree("bare");
  await f.put("defs/a.toml");
  await f.put("store/b.yml");
  assert.deepEqual(await chooseChroots(f.context, []), ["a", "b"]);
  assert.deepEqual(await chooseChroots(f.context, ["x/bare"]), ["bare"]);
  assert.deepEqual(await chooseChroots(f.context, ["debian:b"]), ["b"]);
  await assert.rejects(chooseChroots(f.context, ["unknown"]), /no such chroot/);
  await assert.rejects(chooseChroots(f.context, ["/etc"]), { kind: "refused" });
  assert.deepEqual(await chooseChroots(f.context, ["b", "bare", "debian:b"]), ["b", "bare"]);
  await assert.rejects(chooseChroots(f.context, ["b", "unknown"]), /no such chroot/);
});

test("checkChroots() logs what would be done, and does nothing", async (f) => {
  await f.tree("bare");
  await f.tree("played");
  await f.put("defs/played.yaml", PLAYBOOK);
  await f.put("defs/anew.toml", "recreate = true");
  await f.tree("anew");
  await f.put("defs/missing.toml");
  await f.put("defs/wrong.toml", "nonsense = 1");
  const names = await chooseChroots(f.context, ["bare", "played", "anew", "missing", "wrong"]);
  await assert.rejects(checkChroots(f.context, names), {
    message: "Cannot check wrong: 1 of 5 failed",
  });
  for (
    const line of [
      "bare: nothing to do",
      "played: would be updated",
      "anew: would be recreated",
      "missing: would be created",
      "wrong: failed: ",
    ]
  ) {
    assert.match(f.err(), new RegExp(`^${line}`, "m"));
  }
  assert.deepEqual(tools(f), []);
});

test("chooseChroots() puts a chroot before those that extend it", async (f) => {
  await f.put("defs/a.toml", 'extends = "c"');
  await f.put("defs/b.toml", "");
  await f.put("defs/c.toml", 'extends = "d"');
  await f.put("defs/d.toml", 'extends = "a"'); // a cycle, which the build of each reports
  assert.deepEqual([...await chooseChroots(f.context, [])].sort(), ["a", "b", "c", "d"]);
  await f.put("defs/d.toml", "");
  assert.deepEqual(await chooseChroots(f.context, []), ["d", "c", "a", "b"]);
  assert.deepEqual(await chooseChroots(f.context, ["a", "d"]), ["d", "a"]);
});
