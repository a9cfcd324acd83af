import assert from "node:assert/strict";
import { maintainChroot, planMaintenance } from "../../../../src/chroots/build/maintain.ts";
import { type Fixture, named, test } from "../fixture.ts";

/** Returns what maintenance does to a chroot with this definition. */
async function planned(f: Fixture, definition: string) {
  await f.put("defs/x.toml", definition.replaceAll("DIR", f.folder));
  return await planMaintenance(f.context, named("x"));
}

test("a build does not read what jobs can replace by a link", async (f) => {
  await f.put("jobs/root/usr/file");
  await f.put("jobs/file");
  await f.put("jobs/image/index.json");
  await f.put("jobs/play/x.yaml", "[]");
  await f.put("own/usr/file");
  await f.put("defs/other.toml", `binds = ["${f.folder}/jobs:/jobs"]`);
  await Deno.symlink("jobs/file", `${f.folder}/link`);
  await f.tree("x");
  const definitions = [
    'copy = { "DIR/jobs/file" = "/x" }',
    'copy = { "DIR/link" = "/x" }',
    'copy = { "DIR/own/usr" = "/x", "DIR/jobs" = "/y" }',
    'copy = { "DIR" = "/x" }',
    'source = "dir:DIR/jobs/root"\nrecreate = true',
    'source = "tar:DIR/jobs/file"\nrecreate = true',
    'source = "oci:DIR/jobs/image:tag"',
    'playbook = "DIR/jobs/play/x.yaml"',
  ];
  const refusal = {
    kind: "refused",
    message: new RegExp(
      `jobs can replace it, since they write to ${f.folder}/jobs$|chroot x: cannot use`,
    ),
    hint: /links that jobs left.*:ro/,
  };
  for (const definition of definitions) {
    await f.put("defs/x.toml", definition.replaceAll("DIR", f.folder));
    await assert.rejects(maintainChroot(f.context, named("x")), refusal, definition);
    assert.deepEqual(f.built, []);
  }
  await f.put("defs/other.toml", `binds = ["${f.folder}/jobs:/jobs:ro"]`);
  assert.equal(await planned(f, definitions[2]!), "update");
  await maintainChroot(f.context, named("x"));
  assert.equal(f.built.length, 1);
});

test("a build does not run Ansible where jobs write beside the playbook", async (f) => {
  await f.put("play/x.yaml", "[]");
  await f.put("play/roles/web/tasks/main.yaml", "[]");
  await f.put("jobs/library/module.py");
  await f.tree("x");
  await f.put("defs/x.toml", `playbook = "${f.folder}/play/x.yaml"`);
  const refusal = async (bound: string) => {
    await f.put("defs/other.toml", `binds = ["${f.folder}/${bound}:/jobs"]`);
    await assert.rejects(maintainChroot(f.context, named("x")), {
      kind: "refused",
      message: new RegExp(`/play: jobs can replace it, since they write to ${f.folder}/${bound}$`),
    });
    assert.deepEqual(f.built, []);
  };
  await refusal("play/roles");
  await refusal("play/roles/web");
  await f.put("defs/other.toml", `binds = ["${f.folder}/jobs:/jobs"]`);
  await maintainChroot(f.context, named("x"));
  assert.equal(f.built.length, 1);
});

test("copy refuses what is missing, devices, and links to them", async (f) => {
  await f.tree("x");
  await f.put("folder/file");
  await Deno.symlink("/dev/null", `${f.folder}/device`);
  await Deno.symlink("/dev/null", `${f.folder}/folder/device`);
  const cases: readonly (readonly [string, RegExp])[] = [
    ["none", /Cannot copy .*\/none: no such file/i],
    ["device", /Cannot copy .*\/device: it is a device/i],
  ];
  for (const [file, message] of cases) {
    await f.put("defs/x.toml", `copy = { "${f.folder}/${file}" = "/x" }`);
    await assert.rejects(maintainChroot(f.context, named("x")), { kind: "refused", message });
  }
  assert.deepEqual(f.built, []);
  await f.put("defs/x.toml", `copy = { "${f.folder}/folder" = "/x" }`);
  await maintainChroot(f.context, named("x"));
  assert.equal(f.built.length, 1);
});

for (const ids of [1, Infinity]) {
  test(`copy refuses an owner that the machine cannot have, with ${ids} ids`, async (f) => {
    await f.tree("x");
    await f.put("folder/file");
    if (Deno.uid() === 0) await Deno.chown(`${f.folder}/folder/file`, 1, 0);
    await f.put("defs/x.toml", `copy = { "${f.folder}/folder" = "/x" }`);
    const maintained = maintainChroot(f.context, named("x"));
    if (ids === Infinity) return void await maintained;
    await assert.rejects(maintained, {
      kind: "refused",
      message: /annot copy .*\/folder.*: its owner or group is above 0, which no machine has/,
    });
  }, { ids });
}
