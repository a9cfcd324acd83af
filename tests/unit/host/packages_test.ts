import assert from "node:assert/strict";
import { installHint } from "../../../src/host/packages.ts";

Deno.test("installHint() names the package of the distribution", () => {
  const hints: readonly (readonly [string, string, string | undefined])[] = [
    ["systemd-nspawn", "ID=debian\n", "Install it: apt install systemd-container"],
    [
      "systemd-nspawn",
      'ID=ubuntu\nID_LIKE="debian"\n',
      "Install it: apt install systemd-container",
    ],
    ["btrfs", "ID=ubuntu\n", "Install it: apt install btrfs-progs"],
    ["mount", "ID=debian\n", "Install it: apt install mount"],
    ["mount", "ID=fedora\n", "Install it: dnf install util-linux-core"],
    ["mount", "ID=arch\n", "Install it: pacman -S util-linux"],
    ["mount", "VARIANT_ID=debian\nID=plan9\n", undefined],
    ["systemd-nspawn", "ID=fedora\n", "Install it: dnf install systemd-container"],
    [
      "systemd-nspawn",
      'ID="rocky"\nID_LIKE="rhel centos fedora"\n',
      "Install it: dnf install systemd-container",
    ],
    ["systemd-nspawn", "NAME=x\nID=arch\n", "Install it: pacman -S systemd"],
    [
      "ansible-playbook",
      "ID=linuxmint\nID_LIKE='ubuntu debian'\n",
      "Install it: apt install ansible-core",
    ],
    ["systemd-nspawn", "ID=plan9\n", undefined],
    ["unknown", "ID=debian\n", undefined],
    ["systemd-nspawn", "", undefined],
  ];
  for (const [program, release, hint] of hints) assert.equal(installHint(program, release), hint);
});
