/** File systems as a job sees them. */

import assert from "node:assert/strict";
import { onEachBoot, onEachMachine } from "../hosts/shared.ts";
import { runScript, withMachine } from "../hosts/site.ts";

onEachMachine("/tmp is on the machine's storage", async (site, id) => {
  const { stdout } = await runScript(site, id, "stat --format='%d %a' / /tmp\n");
  const [root, tmp] = stdout.trim().split("\n").map((line) => line.split(" "));
  assert.deepEqual(tmp, [root![0], "1777"], stdout);
});

onEachBoot("tmp = tmpfs puts /tmp into memory", async (site) => {
  await withMachine(site, async (id) => {
    const { stdout } = await runScript(site, id, "stat --file-system --format=%T /tmp\n");
    assert.equal(stdout, "tmpfs\n");
  });
}, { settings: { tmp: "tmpfs" } });

/** 437 is openat2(2) on every architecture; its structure open_how is 24 bytes of zeros here. */
const SYNCHRONOUS = `set -e
cd /root
dd if=/dev/zero of=file bs=4k count=1 oflag=sync status=none
dd if=/dev/zero of=file bs=4k count=1 oflag=dsync status=none
perl -e 'my ($path, $how) = ("/etc/hostname", pack("QQQ", 0, 0, 0));
  syscall(437, -100, $path, $how, 24) >= 0 or die "openat2: $!\\n"'
sync file
`;

onEachMachine("synchronous writes and openat2(2) work", async (site, id) => {
  const done = await runScript(site, id, SYNCHRONOUS);
  assert.equal(done.code, 0, done.stderr);
});
