/** Privileges of jobs, with and without a user namespace. */

import assert from "node:assert/strict";
import type { Result } from "../hosts/command.ts";
import { onEachBoot, onEachHost, onEachMachine } from "../hosts/shared.ts";
import { CHROOT, newJob, runScript, type Site, withMachine } from "../hosts/site.ts";
import { skip } from "../skip.ts";
import { define, linkChroot, outputOf, smallFolder, succeed, withStore } from "./store.ts";

/** Numbers of system calls, which have no effect with these arguments even if they are allowed. */
const CALLS: Readonly<Record<string, Readonly<Record<string, number>>>> = {
  x86_64: {
    finit_module: 313,
    delete_module: 176,
    kexec_load: 246,
    keyctl: 250,
    add_key: 248,
    bpf: 321,
    perf_event_open: 298,
  },
  aarch64: {
    finit_module: 273,
    delete_module: 106,
    kexec_load: 104,
    keyctl: 219,
    add_key: 217,
    bpf: 280,
    perf_event_open: 241,
  },
};

/** Opens files for writing and closes them; nothing is written. */
const KNOBS = [
  "/proc/sys/kernel/core_pattern",
  "/proc/sys/kernel/modprobe",
  "/proc/sys/vm/drop_caches",
  "/proc/sysrq-trigger",
  "/sys/kernel/uevent_helper",
  "/sys/power/state",
  "/sys/fs/cgroup/release_agent",
];

const PROBE = `python3 - <<'END'
import ctypes, errno, os
for knob in ${JSON.stringify(KNOBS)}:
    try:
        os.close(os.open(knob, os.O_WRONLY))
        print(knob, "opened")
    except OSError as error:
        print(knob, errno.errorcode[error.errno])
libc = ctypes.CDLL(None, use_errno=True)
for name, number in ${JSON.stringify(CALLS)}[os.uname().machine].items():
    ctypes.set_errno(0)
    # A descriptor, a pointer or a command that there is not.
    done = libc.syscall(number, -1, 0, 0, 0, 0)
    print(name, "done" if done >= 0 else errno.errorcode[ctypes.get_errno()])
END
`;

const KINDS = [
  ["user ids of its own", "auto"],
  ["the host's ids", "off"],
] as const;

for (const [ids, private_users] of KINDS) {
  for (const boot of [true, false]) {
    const kind = `${ids}, ${boot ? "booted" : "plain"}`;
    onEachHost(`the kernel's settings cannot be changed, ${kind}`, async (site) => {
      const own = await (await mapping(site)).with({ boot, private_users });
      await withMachine(own, async (id) => {
        const { stdout, stderr } = await runScript(own, id, PROBE);
        const probed = stdout.trim().split("\n");
        assert.equal(probed.length, KNOBS.length + Object.keys(CALLS["x86_64"]!).length, stderr);
        for (const line of probed) assert.match(line, / (EROFS|EACCES|EPERM|ENOENT|ENOSYS)$/);
      });
    });
  }
}

onEachBoot(
  "seccomp refuses keyrings, bpf and perf, which work where it is off",
  async (site) => {
    const probe = async (seccomp: boolean) => {
      let lines: string[] = [];
      await withMachine(await site.with({ seccomp }), async (id) => {
        lines = (await runScript(site, id, PROBE)).stdout.split("\n");
      });
      return lines.filter((line) => /^(keyctl|add_key|bpf) /.test(line));
    };
    assert.deepEqual(await probe(true), ["keyctl EPERM", "add_key EPERM", "bpf EPERM"]);
    // Otherwise the kernel would refuse, and the test could not fail.
    assert.ok((await probe(false)).every((line) => !line.endsWith("EPERM")));
  },
);

/** Returns the same host with a store where machines have their own user ids: some hosts need btrfs for that. */
async function mapping(site: Site): Promise<Site> {
  const btrfs = site.host.kind === "standalone" ? await site.onBtrfs() : null;
  return await (btrfs ?? site).with({ private_users: "auto" });
}

/** Creates set-uid programs and a program with a file capability, and runs them as a user. */
const RAISED = `
id ci >/dev/null 2>&1 || useradd ci
cp "$(readlink -f "$(command -v python3)")" /usr/local/bin/raised
su ci -c 'id -un'
chmod 4755 /usr/local/bin/raised
su ci -c 'raised -c "import os; print(os.geteuid())"'
chmod 755 /usr/local/bin/raised
python3 -c 'import os, struct; os.setxattr("/usr/local/bin/raised", "security.capability",
  struct.pack("<IIIII", 0x02000001, 1 << 13, 0, 0, 0))'
unshare --net su ci -c 'raised -c "import socket as s; s.socket(s.AF_INET, s.SOCK_RAW, 1); print(\\"raw\\")"' 2>&1 | tail -1
`;

onEachMachine("set-uid programs and file capabilities work in a user namespace", async (given) => {
  const site = await mapping(given);
  await withMachine(site, async (id) => {
    if (!await isMapped(site, id)) return skip("sudo and ping", "no user ids of its own here");
    const done = await runScript(site, id, RAISED);
    assert.equal(done.stdout, "ci\n0\nraw\n", done.stderr);
  });
});

async function isMapped(site: Site, id: string): Promise<boolean> {
  return !/^ *0 +0 /.test((await runScript(site, id, "cat /proc/self/uid_map")).stdout);
}

onEachMachine("nothing raises privileges without a user namespace", async (site) => {
  await withMachine(await site.with({ private_users: "off" }), async (id) => {
    const done = await runScript(site, id, RAISED);
    const [user, euid, raw] = done.stdout.split("\n");
    assert.equal(user, "ci", "su of root still works");
    assert.notEqual(euid, "0");
    assert.notEqual(raw, "raw");
  });
});

/** Usual commands of administrators and packages in a machine. */
const WORK = `
set -e
useradd worker && su worker -c 'id -un'
touch /srv/file && chown worker:worker /srv/file && chmod 640 /srv/file && stat -c %U /srv/file
dpkg-reconfigure --frontend=noninteractive base-passwd >/dev/null 2>&1 && echo configured
`;

const BOOTED_WORK = `
mount -t tmpfs t /mnt && umount /mnt && echo mounted
systemd-tmpfiles --create && echo tidied
systemd-run --quiet --wait --pipe --property=PrivateTmp=yes --property=ProtectSystem=strict \\
  --property=PrivateDevices=yes echo sandboxed
systemctl is-system-running
`;

onEachMachine("root without a user namespace can do its usual work", async (site) => {
  await withMachine(await site.with({ private_users: "off" }), async (id) => {
    const done = await runScript(site, id, WORK + (site.boots ? BOOTED_WORK : ""));
    const booted = site.boots ? "mounted\ntidied\nsandboxed\nrunning\n" : "";
    assert.equal(done.stdout, `worker\nworker\nconfigured\n${booted}`, done.stderr);
  });
});

/** The numbers of a job's capabilities. */
const BOUNDING = "grep -E '^(CapBnd|CapEff|CapInh|NoNewPrivs)' /proc/self/status | tr -d '\\t'";

onEachHost(
  "a plain machine without a user namespace has at most a Docker container's privileges",
  async (site) => {
    const own = await site.with({ boot: false, private_users: "off" });
    await withMachine(own, async (id) => {
      // A job can change the machine's programs, so none of them may be used to drop capabilities.
      await runScript(
        own,
        id,
        "printf '#!/bin/sh\\nexec sh /run/nspawn-runner/x' >/usr/bin/setpriv\n",
      );
      const done = await runScript(own, id, BOUNDING);
      const words = ["CapInh:0000000000000000", "CapEff:00000000a00405fb"];
      assert.deepEqual(
        done.stdout.trim().split("\n"),
        [...words, "CapBnd:00000000a00405fb", "NoNewPrivs:1"],
        done.stderr,
      );
    });
    const more = await own.with({ capabilities: ["CAP_MKNOD", "CAP_SYS_ADMIN"] });
    await withMachine(more, async (id) => {
      const done = await runScript(more, id, BOUNDING);
      assert.match(done.stdout, /^CapBnd:00000000a82405fb$/m);
    });
  },
);

/** Adds a second root, in which /run is a link: nspawn would mount at its target, and a job could change the link. */
const LINK_RUN = `
mkdir -p "$2" && cp -a "$1" "$2/linked" && mv "$1" "$2/whole" && cd "$2/linked"
rmdir run && mkdir srv/run && ln -s srv/run run
`;

/** Tries to put another folder in the place of /run, in which the programs of a stage are. */
const TAKE_PLACE = `
rm -r /run/nspawn-runner /run 2>/dev/null || mv /run /srv/run || mv /run/nspawn-runner /srv/run || exit 3
`;

onEachHost("no job can replace the programs by which commands enter a machine", async (site) => {
  await withStore(site, { private_users: "off" }, async (own) => {
    const folder = await smallFolder(site);
    const linked = await own.host.exec(["sh", "-euc", LINK_RUN, "sh", folder, own.store]);
    assert.equal(linked.code, 0, linked.stderr);
    const refused = await own.call(["prepare", "linked", "--id", newJob()]);
    assert.equal(refused.code, 1, refused.stderr);
    assert.match(refused.stderr, /its root has a link in the place of \/run/);
    const id = newJob();
    await succeed(own, "prepare", "whole", "--id", id);
    try {
      assert.equal((await runScript(own, id, TAKE_PLACE)).code, 3);
      const done = await runScript(own, id, "grep CapEff /proc/self/status");
      assert.match(done.stdout, /^CapEff:\s*00000000a00405fb$/m, done.stderr);
    } finally {
      await succeed(own, "cleanup", "--id", id);
    }
  });
});

onEachBoot("debuggers can trace, with and without a user namespace", async (site) => {
  for (const private_users of ["auto", "off"]) {
    const own = await site.with({ private_users });
    await withMachine(own, async (id) => {
      const trace = "import ctypes; print(ctypes.CDLL(None).ptrace(0, 0, 0, 0))"; // PTRACE_TRACEME
      const done = await runScript(own, id, `python3 -c '${trace}'`);
      assert.equal(done.stdout, "0\n", done.stderr);
    });
  }
});

async function prepared(site: Site, id: string): Promise<Result> {
  const done = await site.call(["prepare", CHROOT, "--id", id]);
  await site.call(["cleanup", "--id", id]);
  return done;
}

/** Copies of harmless devices under new names; systemd allows the last one in no machine by default. */
const MAKE_DEVICES = `
mkdir -p /dev/nrt
mknod -m 600 /dev/nrt/zero c 1 5
mknod -m 600 /dev/nrt/null c 1 3
mknod -m 600 /dev/nrt/loop c 10 237
`;

const USE_DEVICES = `
head -c 2 /dev/nrt/zero | od -An -tx1
su nobody -s /bin/sh -c 'head -c 1 /dev/nrt/zero | wc -c'
echo x >/dev/nrt/null && echo written; stat -c %t:%T /dev/nrt/null
su nobody -s /bin/sh -c 'echo x >/dev/nrt/zero' 2>/dev/null || echo read-only
: </dev/nrt/loop && echo opened
`;

onEachBoot(
  "a machine has the devices that the administrator names, for all its users",
  async (site) => {
    await site.host.exec(["sh", "-euc", MAKE_DEVICES]);
    try {
      const hasLoop = (await site.host.exec(["sh", "-c", ": </dev/nrt/loop"])).code === 0;
      const expected = ` 00 00\n1\nwritten\n1:3\nread-only\n${hasLoop ? "opened\n" : ""}`;
      const devices = ["/dev/nrt/zero:r", "/dev/nrt/null", "/dev/nrt/loop:rw"];
      for (const private_users of ["auto", "off"]) {
        const own = await (await mapping(site)).with({ private_users, devices });
        await withMachine(own, async (id) => {
          const done = await runScript(own, id, USE_DEVICES);
          assert.equal(done.stdout, expected, done.stderr);
        });
      }
    } finally {
      await site.host.exec(["rm", "-r", "/dev/nrt"]);
    }
  },
);

onEachHost("a device that does not exist is refused", async (site) => {
  const refused = await prepared(await site.with({ devices: ["/dev/nrt/none"] }), newJob());
  assert.match(refused.stderr, /Cannot give device \/dev\/nrt\/none: there is no such device/);
  assert.equal(refused.code, 1);
});

/** A chroot with a node of a device that is harmless to open. */
const ADD_NODE = 'mv "$1" "$2/nodes" && mknod -m 666 "$2/nodes/srv/zero" c 1 5';

/** Opens the node of the image, and devices that every machine has; some are bind-mounted by nspawn. */
const OPEN_NODES = `
test -c /srv/zero && ! dd if=/srv/zero of=/dev/null count=1 && echo refused
dd if=/dev/zero of=/dev/null count=1 && echo read; echo x >/dev/null && echo written
`;

onEachHost("device nodes of an image cannot be opened, and are not kept", async (site) => {
  const places = [[site, ["overlay", "tmpfs"]], [await site.onBtrfs(), ["overlay"]]] as const;
  for (const [place, storages] of places) {
    if (place === null) {
      skip("device nodes on btrfs", "no btrfs can be mounted");
      continue;
    }
    await withStore(place, {}, async (own) => {
      const folder = await smallFolder(site);
      await own.host.exec(["mkdir", "-p", own.store]);
      const added = await own.host.exec(["sh", "-euc", ADD_NODE, "sh", folder, own.store]);
      assert.equal(added.code, 0, added.stderr);
      for (const storage of storages) {
        for (const private_users of ["auto", "off"]) {
          const machine = await own.with({ storage, private_users });
          assert.equal(await outputOf(machine, "nodes", OPEN_NODES), "refused\nread\nwritten\n");
        }
      }
      await define(own, "built", `source = "dir:${own.store}/nodes"\n`);
      await succeed(own, "chroot-create", "built");
      assert.equal((await own.host.exec(["test", "-e", `${own.store}/built/srv/zero`])).code, 1);
      if (place === site) return;
      const { stderr } = await succeed(own, "prepare", "built", "--id", "nodes");
      assert.match(stderr, /^Storage btrfs/m);
      await succeed(own, "cleanup", "--id", "nodes");
      await own.host.exec(["mknod", "-m", "666", `${own.store}/built/srv/zero`, "c", "1", "5"]);
      assert.equal(await outputOf(own, "built", OPEN_NODES), "refused\nread\nwritten\n");
      await succeed(own, "chroot-remove", "built");
    });
  }
});

/** Creates a session keyring. */
const KEYRING = `python3 - <<'END'
import ctypes, os
libc = ctypes.CDLL(None, use_errno=True)
number = ${JSON.stringify(CALLS)}[os.uname().machine]["keyctl"]
print("keyring", libc.syscall(number, 1, 0) > 0)
END
`;

/** Actions of container engines: keys, namespaces, a new proc and network interface. */
const NESTED = `${KEYRING}
unshare --user --map-root-user --mount --pid --fork --mount-proc sh -c 'set -- /proc/[0-9]*; echo $#'
unshare --net python3 -c 'import fcntl, socket, struct
fcntl.ioctl(socket.socket(), 0x8914, struct.pack("16sh", b"lo", 1))
print("interface up")'
[ -c /dev/fuse ] && su nobody -s /bin/sh -c 'exec 3<>/dev/fuse && echo fuse'
`;

onEachMachine("jobs run containers where nesting is on", async (site) => {
  const own = await (await mapping(site)).with({ nesting: true });
  const id = newJob();
  const started = await own.call(["prepare", CHROOT, "--id", id]);
  try {
    if (/nesting needs user ids/.test(started.stderr)) {
      return skip("nesting", "no user ids of its own here");
    }
    assert.equal(started.code, 0, started.stderr);
    assert.match(started.stderr, /, nesting, /);
    const done = await runScript(own, id, NESTED);
    const fuse = (await site.host.exec(["test", "-c", "/dev/fuse"])).code === 0 ? "fuse\n" : "";
    assert.equal(done.stdout, `keyring True\n1\ninterface up\n${fuse}`, done.stderr);
  } finally {
    await own.call(["cleanup", "--id", id]);
  }
});

onEachHost("jobs run containers only if allowed, and never as the host's root", async (site) => {
  const booted = await site.with({ private_users: "auto", boot: true });
  await withMachine(booted, async (id) => {
    assert.match((await runScript(booted, id, KEYRING)).stdout, /^keyring False$/m);
  });
  const refused = await prepared(
    await site.with({ private_users: "off", nesting: true }),
    newJob(),
  );
  assert.equal(refused.code, 1);
  assert.match(refused.stderr, /nesting needs user ids of its own/);
});

onEachHost("a definition gives capabilities and system calls to its chroot alone", async (site) => {
  await withStore(site, { private_users: "off", boot: true }, async (own) => {
    await linkChroot(own, site);
    const text = 'capabilities = ["CAP_LINUX_IMMUTABLE"]\nsyscalls = ["@keyring"]\n';
    const look = "touch /f; chattr +i /f && echo locked && chattr -i /f; cat /proc/1/comm\n";
    assert.equal(await outputOf(own, CHROOT, look), "systemd\n");
    await define(own, CHROOT, text);
    assert.equal(await outputOf(own, CHROOT, look), "locked\nsystemd\n");
    assert.match(await outputOf(own, CHROOT, KEYRING), /^keyring True$/m);
  });
});
