import assert from "node:assert/strict";
import { maintainChroot } from "../../../../src/chroots/build/maintain.ts";
import { named, test } from "../fixture.ts";

const PLAYBOOK = "- hosts: all\n  tasks: []\n";

test("runPlaybook() gives Ansible an inventory and a wrapper, and removes them", async (f) => {
  await f.tree("x");
  await f.put("defs/x.yaml", PLAYBOOK);
  await maintainChroot(f.context, named("x"));
  const made = f.processes.find(({ argv }) => argv.includes("ansible-playbook"));
  const config = made?.options.env?.["ANSIBLE_CONFIG"] ?? "";
  assert.match(config, /ansible\.cfg$/);
  await assert.rejects(Deno.stat(config), Deno.errors.NotFound);
}, {
  async tool(argv) {
    if (argv[0] !== "ansible-playbook") return;
    const inventory = JSON.parse(await Deno.readTextFile(argv[2] ?? ""));
    const variables = inventory.all.hosts["x"];
    assert.equal(variables.ansible_connection, "chroot");
    assert.match(variables.ansible_host, /\.making\/x\/root$/);
    const wrapper = await Deno.stat(variables.ansible_chroot_exe);
    assert.equal(wrapper.mode! & 0o777, 0o700);
  },
});
