import assert from "node:assert/strict";
import {
  findPlaybook,
  playbookVariables,
  withoutTags,
} from "../../../../src/chroots/definition/playbook.ts";
import { named, withStore } from "../fixture.ts";

const read = async (text: string) => ({ ...await playbookVariables(text) });

Deno.test("playbookVariables() reads the first play's variables as text", async () => {
  assert.deepEqual(
    await read(`---
- hosts: all
  vars:
    nspawn_runner_chroot_suite: bookworm
    nspawn_runner_maint_recreate: yes
    number: 012
    nested: {a: 1}
- hosts: all
  vars: {nspawn_runner_chroot_suite: trixie}
`),
    { nspawn_runner_chroot_suite: "bookworm", nspawn_runner_maint_recreate: "yes", number: "012" },
  );
});

Deno.test("playbookVariables() reads nothing where there is no play", async () => {
  for (
    const text of ["", "---\n", "# empty\n", "[]", "{}", "just text", "- hosts: all\n", "- 1\n"]
  ) {
    assert.deepEqual(await read(text), {}, text);
  }
  assert.deepEqual(await read("- hosts: all\n  vars:\n"), {});
});

Deno.test("playbookVariables() skips an import that has no variables", async () => {
  const play = "- hosts: all\n  vars: {a: second}\n";
  assert.deepEqual(await read(`- import_playbook: common.yaml\n${play}`), { a: "second" });
  const imported = "- import_playbook: common.yaml\n  vars: {a: first}\n";
  assert.deepEqual(await read(imported + play), { a: "first" });
});

Deno.test("playbookVariables() ignores tags, and executes nothing", async () => {
  assert.deepEqual(
    await read(`
- hosts: all
  vars:
    vault: !vault |
      $ANSIBLE_VAULT;1.1;AES256
      3030
    raw: !unsafe '{{ x }}'
    evil: !!python/object/apply:os.system ["touch /nowhere"]
    verbatim: !<tag:example.org,2000:x> text
    flow: {a: !x, b: !y 1}
    list: [!unsafe one, !vault]
    nspawn_runner_chroot_suite: !!str bookworm
  tasks:
    - !foo debug: {msg: hello}
      when: true
`),
    {
      vault: "$ANSIBLE_VAULT;1.1;AES256\n3030\n",
      raw: "{{ x }}",
      verbatim: "text",
      nspawn_runner_chroot_suite: "bookworm",
    },
  );
});

Deno.test("playbookVariables() reads what follows texts that look like tags", async () => {
  assert.deepEqual(
    await read(`
- hosts: all
  vars:
    script: |
      if ! grep -q x; then echo "!vault"; fi
        !indented like a tag
      key: !deeper
    folded: >-
      !at the beginning
    quoted: "a !b: 'c' !"
    single: '! x'
    plain: it works!
    after: this # !comment
  tasks:
    - shell: test a != b && ! false
      when: not (x != y)
`).then(({ after, plain }) => ({ after, plain })),
    { after: "this", plain: "it works!" },
  );
});

Deno.test("playbookVariables() accepts what ansible-playbook accepts: equal keys, merges, lists of maps", async () => {
  assert.deepEqual(await read("- hosts: a\n  hosts: b\n  vars: {a: 1, a: 2}\n"), { a: "2" });
  const merged = `
- hosts: all
  vars:
    <<: &base {a: 1, b: 2}
    b: 3
`;
  const { a, b } = await read(merged);
  assert.deepEqual({ a, b }, { a: "1", b: "3" });
  assert.deepEqual(await read("- hosts: all\n  vars: [{a: 1}, {b: 2}]\n"), { a: "1", b: "2" });
});

Deno.test("playbookVariables() takes keys like __proto__ for plain keys", async () => {
  const variables = await playbookVariables(
    "- hosts: all\n  vars: {__proto__: x, constructor: y}\n",
  );
  assert.equal(Object.getPrototypeOf(variables), null);
  assert.equal(({} as Record<string, unknown>)["x"], undefined);
  assert.equal(variables["nspawn_runner_chroot_suite"], undefined);
});

Deno.test("withoutTags() leaves a negation and an address alone", () => {
  for (
    const text of ["when: a != b", "when: !(x)", "x: a!b", "x: 'a!'", "mail: me!there@example"]
  ) {
    assert.equal(withoutTags(text), text);
  }
});

Deno.test("withoutTags() keeps a mapping's keys in one column", () => {
  assert.equal(withoutTags("- !x a: 1\n  b: 2\n"), "- a: 1\n  b: 2\n");
});

Deno.test("findPlaybook() prefers the folder of definitions, then .yaml", () =>
  withStore(async ({ context: { host, config }, put, folder }) => {
    const find = async () => (await findPlaybook(host, config, named("x"), null))?.path;
    assert.equal(await find(), undefined);
    await put("store/x.yml");
    assert.equal(await find(), `${folder}/store/x.yml`);
    await put("store/x.yaml");
    assert.equal(await find(), `${folder}/store/x.yaml`);
    await put("defs/x.yml");
    assert.equal(await find(), `${folder}/defs/x.yml`);
  }));

Deno.test("findPlaybook() prefers the one beside the definition", () =>
  withStore(async ({ context: { host, config }, put, folder }) => {
    await put("defs/x.yaml");
    await put("store/x.yaml");
    const definition = { build: {}, machine: {} };
    const path = `${config.store}/x.toml`;
    const beside = { folder: config.store, path, definition, text: "" };
    const found = await findPlaybook(host, config, named("x"), beside);
    assert.equal(found?.path, `${folder}/store/x.yaml`);
  }));

Deno.test("findPlaybook() takes the file that the definition names, and refuses a missing one", () =>
  withStore(async ({ context: { host, config }, put, folder }) => {
    await put("defs/x.yaml");
    await put("defs/plays/base.yaml");
    const find = (playbook: string) => {
      const definition = { build: { playbook }, machine: {} };
      return findPlaybook(host, config, named("x"), {
        folder: `${folder}/defs`,
        path: `${folder}/defs/x.toml`,
        definition,
        text: "",
      });
    };
    for (const playbook of ["plays/base.yaml", `${folder}/defs/plays/base.yaml`]) {
      assert.equal((await find(playbook))?.path, `${folder}/defs/plays/base.yaml`);
    }
    await assert.rejects(find("none.yaml"), {
      kind: "refused",
      message: `Cannot read playbook ${folder}/defs/none.yaml: no such file`,
    });
  }));

Deno.test("findPlaybook() does not take a directory for a playbook", () =>
  withStore(async ({ context: { host, config }, put }) => {
    await put("store/x.yaml/usr/file");
    assert.equal(await findPlaybook(host, config, named("x"), null), null);
  }));

Deno.test("findPlaybook() warns of a playbook that is not YAML, and goes on", () =>
  withStore(async ({ context: { host, config }, put, err, folder }) => {
    const text = "- hosts: [\n  vars: {nspawn_runner_chroot_suite: sid}\n";
    await put("defs/x.yaml", text);
    const found = await findPlaybook(host, config, named("x"), null);
    const nothing = { suite: undefined, recreate: false, machine: {} };
    assert.deepEqual(found, { path: `${folder}/defs/x.yaml`, text, ...nothing });
    assert.match(err(), /No variables are read from .*x\.yaml/);
  }));

Deno.test("findPlaybook() accepts what YAML 1.1 takes for true", () =>
  withStore(async ({ context: { host, config }, put }) => {
    for (const [text, expected] of [["yes", true], ["True", true], ["on", true], ["no", false]]) {
      await put("defs/x.yaml", `- hosts: a\n  vars: {nspawn_runner_maint_recreate: ${text}}\n`);
      const found = await findPlaybook(host, config, named("x"), null);
      assert.equal(found?.recreate, expected, `${text}`);
    }
  }));

Deno.test("findPlaybook() leaves templates to Ansible", () =>
  withStore(async ({ context: { host, config }, put, err }) => {
    await put("defs/x.yaml", `- hosts: a\n  vars: {nspawn_runner_chroot_suite: "{{ s }}"}\n`);
    assert.equal((await findPlaybook(host, config, named("x"), null))?.suite, undefined);
    assert.match(err(), /only Ansible reads templates/);
  }));

Deno.test("findPlaybook() checks variables like the settings that they stand for", () =>
  withStore(async ({ context: { host, config }, put }) => {
    const vars =
      "{nspawn_runner_mirror: 'http://m.example/debian', nspawn_runner_cpu_weight: 200, " +
      "nspawn_runner_memory_high: 50%, nspawn_runner_memory_max: 2G, nspawn_runner_seccomp: no}";
    await put("defs/x.yaml", `- hosts: all\n  vars: ${vars}\n`);
    assert.deepEqual((await findPlaybook(host, config, named("x"), null))?.machine, {
      mirror: "http://m.example/debian",
      seccomp: false,
      limits: { cpu_weight: 200, memory_high: "50%", memory_max: "2G" },
    });
    await put("defs/x.yaml", "- hosts: all\n  vars: {nspawn_runner_memory_max: much}\n");
    await assert.rejects(findPlaybook(host, config, named("x"), null), {
      kind: "refused",
      message: /nspawn_runner_memory_max must be bytes/,
    });
  }));
