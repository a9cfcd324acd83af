import assert from "node:assert/strict";
import { weakChroots, weakConfiguration } from "../../../src/doctor/weakenings.ts";
import { find } from "./fixture.ts";

type Row = readonly [topic: string, found: string];

/** Lines of the configuration, and the rows that they give. */
const CONFIGURATIONS: readonly (readonly [string, readonly Row[]])[] = [
  ["", []],
  ['network = "host"\nseccomp = false\nprivate_users = "off"', []], // these have rows of their own
  ["nesting = true", [["all chroots", "nesting = true"]]],
  [
    'capabilities = ["CAP_MKNOD"]\ndevices = ["/dev/kvm"]\nsyscalls = ["@keyring"]',
    [[
      "all chroots",
      "capabilities = CAP_MKNOD; devices = /dev/kvm; syscalls = @keyring",
    ]],
  ],
  ['network_allow = ["192.0.2.0/24", "10.0.0.0/8", "2001:db8::/32"]', []],
  [
    'network_allow = ["192.0.2.0/24", "169.254.169.254", "fd00::/8"]',
    [[
      "network_allow",
      "169.254.169.254, fd00::/8: jobs may read credentials of the host from metadata services",
    ]],
  ],
  ['[overrides]\nnetwork = "private"', []],
  [
    '[overrides]\nnetwork = "host"',
    [[
      "overrides.network",
      "each job may choose the host's network: its loopback, metadata services and other machines",
    ]],
  ],
];

for (const [lines, rows] of CONFIGURATIONS) {
  Deno.test(`weakConfiguration() finds ${rows.map(([topic]) => topic)} in ${lines}`, async () => {
    const findings = await find(
      weakConfiguration,
      {},
      (folder) => Deno.writeTextFile(`${folder}/config.toml`, `${lines}\n`, { append: true }),
    );
    assert.deepEqual(findings.map(({ topic, found }) => [topic, found]), rows);
    assert.ok(findings.every(({ state, fix }) => state === "weak" && fix !== null));
  });
}

Deno.test("weakChroots() names chroots that open more than the configuration", async () => {
  const findings = await find(weakChroots, {}, async (folder) => {
    await Deno.writeTextFile(`${folder}/config.toml`, "nesting = true\n", { append: true });
    await Deno.mkdir(`${folder}/defs`);
    for (
      const [name, lines] of Object.entries({
        builder: 'nesting = true\ncapabilities = ["CAP_SYS_PTRACE"]',
        closed: 'network = "private"\nnesting = false',
        open: 'network = "host"\nprivate_users = "off"\nseccomp = false',
        wrong: "nesting = 1",
      })
    ) await Deno.writeTextFile(`${folder}/defs/${name}.toml`, `suite = "trixie"\n${lines}\n`);
  });
  assert.deepEqual(findings.map(({ topic, state, found }) => [topic, state, found]), [
    ["chroot builder", "weak", "capabilities = CAP_SYS_PTRACE"],
    ["chroot open", "weak", 'network = "host"; private_users = "off"; seccomp = false'],
  ]);
});
