import assert from "node:assert/strict";
import { wrapperScript } from "../../../../src/chroots/build/ansible.ts";
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
    const text = await Deno.readTextFile(variables.ansible_chroot_exe);
    assert.match(text, new RegExp(`^exec 'enter-machine' ${variables.ansible_host} "\\$@"$`, "m"));
  },
});

Deno.test("wrapperScript() enters the machine with any command, unless this program has ended", async () => {
  const run = async (pid: number) => {
    const file = await Deno.makeTempFile();
    await Deno.writeTextFile(file, wrapperScript(pid, ["printf", "<%s>", "it's"]), { mode: 0o700 });
    const args = [file, "/tree", "sh", "-c", 'a "b"'];
    const { code, stdout } = await new Deno.Command("sh", { args }).output();
    await Deno.remove(file);
    return [code, new TextDecoder().decode(stdout)];
  };
  assert.deepEqual(await run(Deno.pid), [0, `<it's><sh><-c><a "b">`]);
  assert.deepEqual(await run(4_194_305), [1, ""]); // above the kernel's PID_MAX_LIMIT
});
