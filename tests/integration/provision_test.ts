/** Provisioning of chroots: users, playbooks, other chroots as sources. */

import assert from "node:assert/strict";
import { until } from "../hosts/init_process.ts";
import { onEachBoot, onEachHost } from "../hosts/shared.ts";
import { CHROOT, newJob } from "../hosts/site.ts";
import { skipReal } from "../skip.ts";
import {
  define,
  listed,
  outputOf,
  PATIENCE,
  smallFolder,
  succeed,
  unfinishedTrees,
  untilBuildLeftovers,
  withStore,
} from "./store.ts";

const PLAYBOOK = `- hosts: all
  vars:
    nspawn_runner_chroot_suite: bookworm
    nspawn_runner_maint_recreate: false
  tasks:
    - name: a file with what the host says of itself
      copy:
        content: "{{ ansible_facts['distribution'] }} {{ inventory_hostname }}\\n"
        dest: /srv/played
    - name: a user of a system
      user: {name: builder, uid: 1234, shell: /bin/bash}
    - command: sh -c 'echo again >> /srv/times'
`;

onEachHost(
  "a real playbook builds a chroot, and maintenance runs it again on a copy",
  async (site) => {
    const found = await site.host.exec(["sh", "-c", "command -v ansible-playbook"]);
    if (found.code !== 0) return skipReal("a real playbook", "no ansible-playbook here");
    await withStore(site, {}, async (own) => {
      const definition =
        `source = "dir:${site.host.store}/${CHROOT}"\nplaybook = "plays/base.yaml"\n`;
      await own.host.exec(["mkdir", "-p", `${own.definitions}/plays`]);
      await own.put(PLAYBOOK, `${own.definitions}/plays/base.yaml`);
      await define(own, "played", `${definition}user = "builder"\n`);
      await succeed(own, "chroot-create", "played");
      const look = "cat /srv/played; id -un; pwd; cat /srv/times";
      assert.equal(await outputOf(own, "played", look), "Debian played\nbuilder\n/\nagain\n");
      await own.put(
        PLAYBOOK.replace("file with", "file_that_fails:\n    - nonsense:"),
        `${own.definitions}/plays/base.yaml`,
      );
      const failed = await own.call(["chroot-maintenance", "played"], PATIENCE);
      assert.equal(failed.code, 1, failed.stderr);
      assert.deepEqual((await listed(own, "played"))?.generations, [1]);
      await own.put(PLAYBOOK, `${own.definitions}/plays/base.yaml`);
      // Another test checks its packages.
      await define(own, "played", `${definition}user = "builder"\nrecreate = false\n`);
      await own.call(["chroot-login", "played", "--direct"], {
        stdin: "mv /usr/bin/apt-get /usr/bin/apt-got\n",
      });
      await succeed(own, "chroot-maintenance", "played");
      assert.equal(await outputOf(own, "played", "cat /srv/times"), "again\nagain\n");
    });
  },
  ["standalone"],
);

/** A playbook that would go on to its second command if nothing ended it. */
const LONG_PLAYBOOK = `- hosts: all
  vars: {nspawn_runner_chroot_suite: bookworm}
  tasks:
    - name: what takes its time
      command: sh -c 'echo x >> /srv/played; sleep 600'
      loop: [1, 2]
`;

onEachHost(
  "a playbook ends when its nspawn-runner ends, by any signal",
  async (site) => {
    const found = await site.host.exec(["sh", "-c", "command -v ansible-playbook"]);
    if (found.code !== 0) return skipReal("a killed playbook", "no ansible-playbook here");
    await withStore(site, {}, async (own) => {
      await own.host.exec(["mkdir", "-p", own.definitions]);
      await own.put(LONG_PLAYBOOK, `${own.definitions}/x.yaml`);
      await define(own, "x", `source = "dir:${site.host.store}/${CHROOT}"\n`);
      const running = own.start(["chroot-create", "x"], PATIENCE);
      const isPlayed = async () =>
        (await own.host.exec(["test", "-s", `${own.store}/.making/x/root/srv/played`])).code ===
          0 ||
        null;
      assert.ok(await until(isPlayed, 200_000));
      await own.host.signal(running, "SIGKILL");
      await succeed(own, "gc");
      await running.ended; // no process holds its pipes any more
      if (site.host.kind === "systemd") await untilBuildLeftovers(own, /^$/);
      assert.equal(await unfinishedTrees(own), "");
    });
  },
);

const USER = `setup = ["useradd --create-home --groups audio ci", "echo secret > /root/secret"]
user = "ci"
`;

const AS_USER = `id -un; id -Gn; echo "$HOME $USER"; cat "$0" | head -1 | cut -c1-2
cat /root/secret 2>/dev/null || echo refused
echo x > /builds/mine && echo y > "$HOME/mine" && stat -c %U /builds /builds/mine
ls /run/nspawn-runner 2>/dev/null || echo hidden
grep -q "^CapEff:.0*$" /proc/self/status && echo none`;

onEachBoot(
  "scripts run as the definition's user, with the user's home and groups, and cannot read other users' files",
  async (site) => {
    await withStore(site, { boot: site.boots }, async (own) => {
      await define(own, "x", `source = "dir:${site.host.store}/${CHROOT}"\n${USER}`);
      await succeed(own, "chroot-create", "x");
      assert.equal(
        await outputOf(own, "x", AS_USER),
        "ci\nci audio\n/home/ci ci\nid\nrefused\nci\nci\nhidden\nnone\n",
      );
      await define(own, "x", `user = "nobody-knows"\n`);
      const refused = await own.call(["prepare", "x", "--id", "42"]);
      assert.equal(refused.code, 1);
      assert.match(
        refused.stderr,
        /Cannot run scripts as user "nobody-knows": the chroot has none/,
      );
    });
  },
);

/** Does what the installation of the package tzdata does. */
const SET_ZONE = "ln -s /usr/share/zoneinfo/Etc/UTC /etc/localtime.new && " +
  "mv -T /etc/localtime.new /etc/localtime && echo set";

onEachHost(
  "a chroot without time zones can install them, in a job and in its build",
  async (site) => {
    await withStore(site, {}, async (own) => {
      const folder = await smallFolder(site);
      assert.notEqual(
        (await own.host.exec(["test", "-e", `${folder}/usr/share/zoneinfo`])).code,
        0,
      );
      await define(own, "x", `source = "dir:${folder}"\n`);
      await succeed(own, "chroot-create", "x");
      assert.equal(await outputOf(own, "x", SET_ZONE), "set\n");
      const login = await own.call(["chroot-login", "x"], { ...PATIENCE, stdin: `${SET_ZONE}\n` });
      assert.deepEqual([login.code, login.stdout], [0, "set\n"], login.stderr);
      await define(own, "x", `source = "dir:${folder}"\nsetup = ["${SET_ZONE}"]\n`);
      await succeed(own, "chroot-maintenance", "x");
    });
  },
);

/** A setup that shows who runs it, and leaves files of several owners. */
const OWNERS = `setup = ["cat /proc/self/uid_map >/srv/map; touch /srv/root /srv/user",
  "chown 1000:1000 /srv/user; echo changed >>/srv/user", "env >/srv/environment"]`;

onEachHost(
  "a chroot is set up by user ids of its own, with true owners on the disk, and with the proxies",
  async (site) => {
    await withStore(site, {}, async (own) => {
      const folder = await smallFolder(site);
      await own.host.exec([
        "sh",
        "-c",
        `touch ${folder}/srv/large; chown 100000:100000 ${folder}/srv/large`,
      ]);
      await define(own, "x", `source = "dir:${folder}"\n${OWNERS}\n`);
      const proxy = "http://proxy.example:3128";
      const options = { ...PATIENCE, env: { https_proxy: proxy } };
      const created = await own.call(["chroot-create", "x"], options);
      assert.equal(created.code, 0, created.stderr);
      const look =
        `cd ${own.store}/x/srv && stat --format=%u:%g large root user && cat map environment`;
      const { stdout } = await own.host.exec(["sh", "-c", look]);
      assert.match(stdout, /^100000:100000\n0:0\n1000:1000\n *0 +1[0-9]{9} +1048576\n/);
      const foreign = [
        "find",
        `${own.store}/x/`,
        "-xdev",
        "-uid",
        "+65535",
        "-not",
        "-name",
        "large",
      ];
      assert.equal((await own.host.exec(foreign)).stdout, "", "nspawn leaves no other owners");
      for (const line of [`https_proxy=${proxy}`, "HOME=/root", "DEBIAN_FRONTEND=noninteractive"]) {
        assert.ok(stdout.split("\n").includes(line), `${line}: ${stdout}`);
      }
    });
  },
);

onEachHost(
  "copied files keep owners that a machine has, and others are refused",
  async (site) => {
    await withStore(site, {}, async (own) => {
      const root = await smallFolder(site);
      const folder = `${site.host.store}/.tests/copied-${newJob()}`;
      const lay = `mkdir -p ${folder} && cd ${folder} && ln -s /dev/null link && mkfifo pipe &&
echo large >large && chown 1000000:1000001 large && chmod 600 large`;
      assert.equal((await own.host.exec(["sh", "-c", lay])).code, 0);
      await define(own, "x", `source = "dir:${root}"\ncopy = { "${folder}" = "/srv/folder" }\n`);
      await succeed(own, "chroot-create", "x");
      const look = "cd $0/srv/folder && stat --format='%F %u:%g %a' large pipe && readlink link";
      const copied = await own.host.exec(["sh", "-c", look, `${own.store}/x`]);
      assert.equal(
        copied.stdout,
        "regular file 1000000:1000001 600\nfifo 0:0 644\n/dev/null\n",
        copied.stderr,
      );
      await own.host.exec(["chown", "1048576", `${folder}/large`]);
      const refused = await own.call(["chroot-maintenance", "x"], PATIENCE);
      assert.equal(refused.code, 1, refused.stderr);
      assert.match(refused.stderr, /cannot copy .*\/large: its owner or group is above 1048575/);
      const host = await own.with({ private_users: "off" });
      await define(host, "x", `source = "dir:${root}"\ncopy = { "${folder}" = "/srv/folder" }\n`);
      await succeed(host, "chroot-maintenance", "x");
      const owner = ["stat", "--format=%u", `${own.store}/x/srv/folder/large`];
      assert.equal((await own.host.exec(owner)).stdout, "1048576\n");
      await own.host.exec(["rm", "-rf", folder, root]);
    });
  },
);

onEachHost(
  "a stranger's programs are not set up as the host's root, unless the configuration trusts images",
  async (site) => {
    const tar = `${site.store}/.tests/small-${newJob()}.tar`;
    const packed = await site.host.exec(["tar", "-C", await smallFolder(site), "-cf", tar, "."]);
    assert.equal(packed.code, 0, packed.stderr);
    await withStore(site, { private_users: "off" }, async (own) => {
      await define(own, "x", `source = "tar:${tar}"\n`);
      await succeed(own, "chroot-create", "x"); // nothing of it runs but in a job's machine
      await define(
        own,
        "x",
        `source = "tar:${tar}"\nsetup = ["cat /proc/self/uid_map >/srv/map"]\n`,
      );
      const refused = await own.call(["chroot-maintenance", "x"], PATIENCE);
      assert.equal(refused.code, 1);
      assert.match(refused.stderr, new RegExp(`annot run programs of tar:${tar}: .*no user ids`));
      assert.deepEqual((await listed(own, "x"))?.generations, [1]);
      const login = await own.call(["chroot-login", "x"], { ...PATIENCE, stdin: "echo in\n" });
      assert.deepEqual([login.code, login.stdout], [1, ""], login.stderr);
      const trusting = await own.with({ trust_images: true });
      await define(
        trusting,
        "x",
        `source = "tar:${tar}"\nsetup = ["cat /proc/self/uid_map >/srv/map"]\n`,
      );
      await succeed(trusting, "chroot-maintenance", "x");
      assert.match(await outputOf(trusting, "x", "cat /srv/map"), /^ *0 +0 +4294967295$/m);
    });
    await site.host.exec(["rm", tar]);
  },
);
