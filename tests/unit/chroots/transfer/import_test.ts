import assert from "node:assert/strict";
import { readRecord } from "../../../../src/chroots/generations/record.ts";
import { exportChroot } from "../../../../src/chroots/transfer/export.ts";
import { importChroot } from "../../../../src/chroots/transfer/import.ts";
import { type Fixture, type FixtureOptions, named, test } from "../fixture.ts";

type Members = Readonly<Record<string, string>>;

const HEADER = JSON.stringify({ format: 1, name: "x", record: null });
const SUM = "0".repeat(64);

/** Returns members with a list of checksums, which nothing verifies here. */
function withSums(members: Members): Members {
  const names = Object.keys(members);
  return { ...members, SHA256SUMS: names.map((name) => `${SUM}  ${name}\n`).join("") };
}

const PLAIN = { "nspawn-runner.json": HEADER, "root.tar": "" };

/** Answers tar by unpacking members, or a tree with a mark, and lets every checksum match. */
function unpacking(members: Members, more: (folder: string) => Promise<void> = async () => {}) {
  const tool: FixtureOptions["tool"] = async (argv) => {
    if (argv.includes("--to-stdout")) return { stdout: members["nspawn-runner.json"] ?? "" };
    const folder = argv.find((word) => word.startsWith("--directory="))?.slice(12);
    if (argv[0] !== "tar" || folder === undefined) return;
    if (folder.endsWith("/root")) {
      await Deno.mkdir(`${folder}/usr`);
      return await Deno.writeTextFile(`${folder}/usr/mark`, "imported");
    }
    for (const [name, text] of Object.entries(members)) {
      await Deno.writeTextFile(`${folder}/${name}`, text);
    }
    await more(folder);
  };
  return { tool };
}

async function importFile(f: Fixture, name?: string): Promise<string> {
  await f.put("x.tar.zst");
  return await importChroot(f.context, `${f.folder}/x.tar.zst`, name ? named(name) : undefined);
}

test("importChroot() makes a generation of the chroot that the file names", async (f) => {
  assert.equal(await importFile(f), "x");
  assert.equal(await f.mark("x"), "imported");
  assert.deepEqual(await f.generations("x"), [[1], 1]);
  assert.deepEqual(await f.context.host.files.list(`${f.folder}/defs`), []);
}, unpacking(withSums(PLAIN)));

test("importChroot() makes a generation of the chroot that is asked for", async (f) => {
  assert.equal(await importFile(f, "other"), "other");
  assert.equal(await f.mark("other"), "imported");
}, unpacking(withSums(PLAIN)));

const DEFINED = { "definition.toml": 'shell = "sh"', "playbook.yaml": "- hosts: all\n", ...PLAIN };

/** Headers of files, and the stranger whose programs they bring. */
const STRANGERS: readonly (readonly [string, string | null])[] = [
  ['"record":null,"stranger":"docker:y"', "docker:y"],
  [
    '"record":{"version":1,"origin":"tar:y","made":"2029","pin":null,"recipe":null,"image":null}',
    "tar:y",
  ],
  ['"record":null', null],
];

for (const [fields, stranger] of STRANGERS) {
  test(`importChroot() records the stranger ${stranger} of a file with ${fields}`, async (f) => {
    await importFile(f);
    const record = await readRecord(f.context.host, f.config.store, named("x"), 1);
    assert.equal(record?.stranger, stranger);
    assert.equal(f.tested[0]?.stranger, stranger);
  }, unpacking(withSums({ ...PLAIN, "nspawn-runner.json": `{"format":1,"name":"x",${fields}}` })));
}

test("exportChroot() names the stranger of a tree behind a symlink", async (f) => {
  await f.generation("image", 1, { stranger: "docker:y" });
  await Deno.symlink("image", `${f.folder}/store/x`);
  const chroot = {
    name: named("x"),
    path: "",
    generation: null,
    image: null,
    own: [],
    service: null,
  };
  await exportChroot(f.context, chroot, `${f.folder}/x.tar.zst`).catch(() => {});
  assert.deepEqual(headers.map((header) => JSON.parse(header)), [
    { format: 1, name: "x", record: null, stranger: "docker:y" },
  ]);
}, {
  async tool(argv) {
    if (argv[0] !== "tar" || !argv.includes("nspawn-runner.json")) return;
    const folder = argv.find((word) => word.startsWith("--directory="))!.slice(12);
    headers.push(await Deno.readTextFile(`${folder}/nspawn-runner.json`));
  },
});
const headers: string[] = [];

test("importChroot() writes definition and playbook where the chroot has neither", async (f) => {
  await importFile(f);
  assert.equal(await Deno.readTextFile(`${f.folder}/defs/x.toml`), 'shell = "sh"');
  assert.equal(await Deno.readTextFile(`${f.folder}/defs/x.yaml`), "- hosts: all\n");
  assert.equal(f.tested[0]?.settings.shell, "sh");
}, unpacking(withSums(DEFINED)));

test("importChroot() keeps the chroot's own definition, and tests with its settings", async (f) => {
  await f.put("defs/x.toml", 'shell = "bash"');
  await importFile(f);
  assert.deepEqual(await f.context.host.files.list(`${f.folder}/defs`), ["x.toml"]);
  assert.equal(await Deno.readTextFile(`${f.folder}/defs/x.toml`), 'shell = "bash"');
  assert.equal(f.tested[0]?.settings.shell, "bash");
}, unpacking(withSums(DEFINED)));

test("importChroot() does not write a playbook outside of the folder of definitions", async (f) => {
  await assert.rejects(importFile(f), {
    message: /^Cannot import chroot x: .*there is no playbook \/nowhere\/p\.yaml on this host$/,
  });
  assert.deepEqual(await f.generations("x"), [[], null]);
  assert.deepEqual(await f.context.host.files.list(`${f.folder}/defs`), []);
}, unpacking(withSums({ ...DEFINED, "definition.toml": 'playbook = "/nowhere/p.yaml"' })));

/** What is wrong with a file, and what unpacking it gives. */
const DAMAGED: Readonly<Record<string, ReturnType<typeof unpacking>>> = {
  "evil does not belong there": unpacking(withSums({ ...PLAIN, evil: "" })),
  "root.tar is missing": unpacking(withSums({ "nspawn-runner.json": HEADER })),
  "SHA256SUMS is missing": unpacking(PLAIN),
  "its checksums are incomplete": unpacking({ ...withSums(PLAIN), "playbook.yaml": "" }),
  "root.tar does not belong there": unpacking(withSums(PLAIN), async (folder) => {
    await Deno.remove(`${folder}/root.tar`);
    await Deno.symlink("/etc/passwd", `${folder}/root.tar`);
  }),
  "it cannot be unpacked": {
    tool: (argv) => argv.includes("--to-stdout") ? { stdout: HEADER } : { code: 2 },
  },
  "a checksum does not match": {
    async tool(argv, fixture) {
      if (argv[0] === "sh") return { code: 1 };
      return await unpacking(withSums(PLAIN)).tool?.(argv, fixture);
    },
  },
};

for (const [reason, options] of Object.entries(DAMAGED)) {
  test(`importChroot() refuses a file: ${reason}`, async (f) => {
    await assert.rejects(importFile(f), {
      kind: "refused",
      message: `Cannot import chroot x: cannot import ${f.folder}/x.tar.zst: ${reason}`,
      hint: "Copy the file again, or export it again",
    });
    assert.equal(await f.mark("x"), null);
    assert.equal(f.tested.length, 0);
    assert.deepEqual(await f.context.host.files.list(`${f.folder}/store/.making`), []);
  }, options);
}

/** Headers that no chroot-export writes. */
const HEADERS = [
  "",
  "{}",
  "[]",
  '{"format":2,"name":"x"}',
  '{"format":1,"name":"../x"}',
  '{"format":1,"name":"x","record":null,"stranger":7}',
];

for (const header of HEADERS) {
  test(`importChroot() refuses a file with the header ${JSON.stringify(header)}`, async (f) => {
    await assert.rejects(importFile(f), {
      kind: "refused",
      message: `Cannot import ${f.folder}/x.tar.zst: it is not an export of nspawn-runner`,
    });
    assert.deepEqual(await f.context.host.files.list(f.config.store), []);
  }, unpacking({ "nspawn-runner.json": header }));
}

test("importChroot() refuses a file that does not exist", async (f) => {
  await assert.rejects(importChroot(f.context, `${f.folder}/none`, undefined), /no such file$/);
});
