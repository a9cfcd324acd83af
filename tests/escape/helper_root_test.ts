/** Jobs that try to change the helper root, in which GitLab Runner's own stages run after their script. */

import assert from "node:assert/strict";
import { assertDone, begin, planOf, withAttempt } from "../conformance/stages.ts";
import { onEachHost } from "../hosts/shared.ts";
import { BUSYBOX, withTwoRoots } from "../integration/helper_root.ts";

/** Ways to write to the tree; each prints a line where it succeeds. */
const ATTACK = `#!/usr/bin/env sh
exec 2>/dev/null
root=/run/nspawn-runner/helper
change() {
  echo evil >$root/usr/bin/git && echo "$1: changed git"
  rm -f $root/etc/shadow 2>/dev/null && [ ! -e $root/etc/shadow ] && echo "$1: removed shadow"
  touch $root/usr/bin/new && echo "$1: new file"
  chmod 777 $root/usr/bin && echo "$1: opened a folder"
}
change plainly
for mount in $root /run/nspawn-runner; do
  mount -o remount,rw $mount && mount -o remount,bind,rw $mount && change "after remount of $mount"
done
mkdir /tmp/again && mount --bind $root /tmp/again && mount -o remount,bind,rw /tmp/again &&
  touch /tmp/again/new && echo "by another mount"
mknod /tmp/disk b 8 0 && cat /tmp/disk >/dev/null && echo "by the disk"
mkdir -p /root/home
(while :; do echo evil >/root/home/mark; sleep 0.1; done) &
exit 0
`;

for (const private_users of ["auto", "off"]) {
  onEachHost(
    `no job changes the helper root, private_users ${private_users}`,
    (site) =>
      withTwoRoots(site, { private_users }, async (own) => {
        const { host, store } = own;
        const look = async () => {
          const list =
            `cd ${store}/helper/ && find . -xdev -printf '%p %m %U:%G %s %T@\\n' | sort | sha256sum`;
          return (await host.exec(["sh", "-c", list])).stdout;
        };
        const before = await look();
        await withAttempt(own, planOf(BUSYBOX), async (job) => {
          await begin(job);
          assertDone(
            await job.run("get_sources", `mkdir -p ${job.project()}; echo left >$HOME/mark`),
          );
          const attack = await job.runScript("step_script", ATTACK);
          assertDone(attack);
          assert.equal(attack.stdout, "");
          const upload = await job.run(
            "upload_artifacts_on_success",
            "git --version; ls -A $HOME; ls /usr/bin/new; cat /proc/[0-9]*/cmdline | tr '\\0' ' ' | grep -c home/mark",
          );
          assert.match(upload.stdout, /^git version [\d.]+\n(ls: .*\n)?0?$/m);
          assert.doesNotMatch(upload.stdout, /mark/);
        });
        assert.equal(await look(), before);
      }),
  );
}
