/** Machines from prepare to cleanup. */

import assert from "node:assert/strict";
import type { Suite } from "../hosts/roots.ts";
import { onEachBoot, onEachHost, onEachMachine } from "../hosts/shared.ts";
import { CHROOT, newJob, runScript, type Site, withMachine } from "../hosts/site.ts";
import { define, linkChroot, outputOf, PATIENCE, smallFolder, withStore } from "./store.ts";

onEachMachine("a machine runs systemd if boot is on, else the stub init", async (site, id) => {
  const booted = site.boots;
  const done = await runScript(site, id, "cat /proc/1/comm\n");
  assert.equal(done.stdout.trim() === "systemd", booted, done.stdout);
});

onEachHost("a booted machine runs services", async (site) => {
  await withMachine(site, async (id) => {
    const script = "systemctl is-system-running --wait\n" +
      "systemd-run --quiet --wait --pipe echo from a unit\nhostname\n";
    const done = await runScript(site, id, script);
    assert.match(done.stdout, /^(running|degraded)\nfrom a unit\n/, done.stderr);
  });
});

/** Runs each masked generator as systemd would: systemd.generator(7). Prints a line for each, and the files that they wrote. */
const MASKED = `
cd /run/nspawn-runner/generators
for mask in *; do
  generator=/usr/lib/systemd/system-generators/$mask
  [ -e "$generator" ] || continue
  mkdir -p /tmp/$mask/early /tmp/$mask/late /tmp/$mask/normal
  "$generator" /tmp/$mask/normal /tmp/$mask/early /tmp/$mask/late
  echo ran
done
find /tmp/systemd-* ! -type d
`;

const GETTY = "getty.target.wants/console-getty.service";
const REMOUNT = "local-fs.target.wants/systemd-remount-fs.service";

onEachHost(
  "a booted machine works without the units and generators that are masked",
  async (site) => {
    await withMachine(site, async (id) => {
      const { stdout, stderr } = await runScript(site, id, MASKED);
      const lines = stdout.trim().split("\n");
      assert.ok(lines.filter((line) => line === "ran").length > 5, `${stdout}${stderr}`);
      const written = lines.filter((line) => line !== "ran");
      // The only files are for a getty on the console and for fstab(5), which are masked as well.
      const isMasked = (path: string) => path.endsWith(GETTY) || path.endsWith(REMOUNT);
      assert.ok(written.every(isMasked), stdout);
      const booted = await runScript(site, id, `test ! -e /run/systemd/generator/${GETTY}\n`);
      assert.equal(booted.code, 0, "its generator did not run when the machine booted");
      // The other generators run: one of them evaluates systemd.mask= of the kernel's command line.
      const others = await runScript(
        site,
        id,
        "systemctl is-enabled ldconfig systemd-ask-password-wall.path\n" +
          "systemd-run --quiet --wait --pipe env\n",
      );
      assert.match(others.stdout, /^masked\S*\nmasked/);
      assert.doesNotMatch(others.stdout, /GENERATOR/);
    });
  },
);

onEachHost(
  "prepare logs the image, the storage with limits, and its duration",
  async (site) => {
    const id = newJob();
    const done = await site.call(["prepare", `registry.example/group/${CHROOT}`, "--id", id]);
    await site.call(["cleanup", "--id", id]);
    assert.equal(done.code, 0, done.stderr);
    const lines = `${done.stdout}${done.stderr}`.trim().split("\n");
    assert.equal(lines.length, 3, lines.join("\n"));
    assert.match(lines[0]!, new RegExp(`\\b${CHROOT}\\b`));
    assert.match(lines[1]!, /overlay/);
    assert.match(lines[1]!, site.host.kind === "systemd" ? /memory/i : /no limits/);
    assert.match(lines[2]!, /\d+(\.\d+)? s/);
  },
);

onEachMachine("side effects last from script to script", async (site, id) => {
  await runScript(
    site,
    id,
    "mkdir -p /builds/a\necho kept >/builds/a/file\necho 1 >/etc/changed\n",
  );
  const done = await runScript(site, id, "cat /builds/a/file /etc/changed\n");
  assert.equal(done.stdout, "kept\n1\n");
});

onEachMachine("side effects are gone after cleanup", async (site, id) => {
  await runScript(site, id, "echo here >/trace\n");
  await site.call(["cleanup", "--id", id]);
  await assert.rejects(Deno.stat(site.host.outerPath(`${site.store}/${CHROOT}/trace`)));
  await withMachine(site, async (next) => {
    const done = await runScript(site, next, "test ! -e /trace\n");
    assert.equal(done.code, 0);
  });
});

onEachMachine("cleanup can be repeated", async (site, id) => {
  for (let time = 0; time < 2; time++) {
    const done = await site.call(["cleanup", "--id", id]);
    assert.equal(done.code, 0, done.stderr);
    assert.equal(`${done.stdout}${done.stderr}`, "");
  }
});

onEachMachine("a job can be prepared again as soon as its cleanup has ended", async (site, id) => {
  for (let time = 0; time < 3; time++) {
    await runScript(site, id, "sleep 1000 >/dev/null 2>&1 &\ntouch /trace\n");
    const ended = await site.call(["cleanup", "--id", id]);
    assert.equal(ended.code, 0, ended.stderr);
    const again = await site.call(["prepare", CHROOT, "--id", id]);
    assert.equal(again.code, 0, again.stderr);
    const done = await runScript(site, id, "test ! -e /trace && echo new\n");
    assert.equal(done.stdout, "new\n", done.stderr);
  }
});

onEachMachine("cleanup ends when no process of the machine is left", async (site, id) => {
  const script = "for i in 1 2 3; do sleep 31337 >/dev/null 2>&1 & done\n";
  await runScript(site, id, script);
  const sleeping = async () =>
    (await site.host.exec(["pgrep", "-fc", "^sleep 31337"])).stdout.trim();
  assert.notEqual(await sleeping(), "");
  const ended = await site.call(["cleanup", "--id", id]);
  assert.equal(ended.code, 0, ended.stderr);
  assert.equal(await sleeping(), "0");
});

onEachHost("cleanup of a job that never existed succeeds", async (site) => {
  const done = await site.call(["cleanup", "--id", newJob()]);
  assert.equal(done.code, 0, done.stderr);
  const fresh = await site.with({ store: `${site.store}/.tests/no-store` });
  assert.equal((await fresh.call(["cleanup", "--id", newJob()])).code, 0);
});

onEachHost(
  "prepare refuses a job that has a machine, and does not touch that machine",
  async (site) => {
    await withMachine(site, async (id) => {
      await runScript(site, id, "echo here >/trace\n");
      const again = await site.call(["prepare", CHROOT, "--id", id]);
      assert.equal(again.code, 1);
      assert.match(again.stderr, new RegExp(`cleanup --id ${id}`));
      assert.equal((await runScript(site, id, "cat /trace\n")).stdout, "here\n");
    });
  },
);

onEachHost("run without a machine is a system failure", async (site) => {
  const done = await runScript(site, newJob(), "exit 3\n");
  assert.equal(done.code, 125, done.stderr);
  assert.match(done.stderr, /prepare/);
});

onEachHost("prepare shows the last output of a machine that does not start", async (site) => {
  const store = `${site.store}/.tests/broken-store`;
  const tree = `${store}/${CHROOT}`;
  await site.host.exec(["mkdir", "-p", `${tree}/etc`, `${tree}/usr`, `${tree}/sbin`]);
  await site.put("ID=broken\n", `${tree}/etc/os-release`);
  await site.put("#!/no/such/interpreter\n", `${tree}/sbin/init`);
  const own = await site.with({ store, prepare_timeout: 60 });
  const id = newJob();
  const done = await own.call(["prepare", CHROOT, "--id", id]);
  assert.equal(done.code, 1);
  assert.match(done.stderr, /init|exec/i, done.stderr);
  assert.equal((await own.call(["cleanup", "--id", id])).code, 0);
});

const LIMITS = {
  "limits.cpu_weight": 77,
  "limits.memory_high": "300M",
  "limits.memory_max": "400M",
  "limits.tasks_max": 555,
  "limits.swap_max": "100M",
  "limits.cpu_quota": "150%",
  "limits.io_weight": 33,
};

onEachMachine("limits are on the unit that holds the payload", async (site, id) => {
  const show = async (...words: string[]) =>
    (await site.host.exec([words[0]!, "show", ...words.slice(1)])).stdout.trim();
  const unit = `nspawn-runner-run-${id}.service`;
  const names = [
    ...["CPUWeight", "CPUQuotaPerSecUSec", "MemoryHigh", "MemoryMax", "MemorySwapMax"],
    ...["IOWeight", "TasksMax", "DevicePolicy", "RuntimeMaxUSec"],
  ];
  const properties = await show(
    "systemctl",
    unit,
    ...names.map((name) => `--property=${name}`),
  );
  const written = properties.replace(/1\.50+s/, "1.5s"); // releases of systemd print it differently
  assert.deepEqual(written.split("\n").sort(), [
    "CPUQuotaPerSecUSec=1.5s",
    "CPUWeight=77",
    "DevicePolicy=closed",
    "IOWeight=33",
    `MemoryHigh=${300 * 1024 ** 2}`,
    `MemoryMax=${400 * 1024 ** 2}`,
    `MemorySwapMax=${100 * 1024 ** 2}`,
    "RuntimeMaxUSec=1d",
    "TasksMax=555",
  ]);
  const cgroup = await show("systemctl", unit, "--property=ControlGroup", "--value");
  const leader = await show("machinectl", `run-${id}`, "--property=Leader", "--value");
  const payload = await site.host.exec(["sh", "-c", `grep ^0:: /proc/${leader}/cgroup`]);
  assert.ok(payload.stdout.startsWith(`0::${cgroup}/`), `${payload.stdout} in ${cgroup}`);
  const slice = await show("systemctl", "machine-ci.slice", "--property=MemoryMax", "--value");
  assert.notEqual(slice, "infinity");
}, { settings: LIMITS, kinds: ["systemd"] });

const LOOK = `
cat /srv/data/file /srv/file; echo written > /srv/data/written
echo x > /srv/file || echo read-only
getent hosts "$(hostname)" && getent hosts localhost >/dev/null && echo '10.0.0.1 added' >> /etc/hosts
getent hosts added
`;

onEachBoot("machines have the administrator's binds, and their own host names", async (site) => {
  const folder = `${site.store}/.tests/data-${newJob()}`;
  await site.host.exec([
    "sh",
    "-c",
    `mkdir -p ${folder}/data && echo data | tee ${folder}/data/file >${folder}/file`,
  ]);
  const binds = [`${folder}/data:/srv/data`, `${folder}/file:/srv/file:ro`];
  await withStore(site, { boot: site.boots, binds }, async (own) => {
    await linkChroot(own, site); // a store that does not contain the bound files
    await withMachine(own, async (id) => {
      const done = await runScript(own, id, LOOK);
      const [first, second, third, self = "", added = ""] = done.stdout.split("\n");
      assert.deepEqual([first, second, third], ["data", "data", "read-only"], done.stderr);
      assert.match(self, new RegExp(`^127\\.0\\.1\\.1 +run-${id}$`));
      assert.match(added, /^10\.0\.0\.1 +added$/);
      const written = await Deno.readTextFile(site.host.outerPath(`${folder}/data/written`));
      assert.equal(written, "written\n");
    });
  });
  await site.host.exec(["rm", "-rf", folder]);
});

onEachHost("binds that lead to the runner's own files or to nothing are refused", async (site) => {
  await withStore(site, {}, async (own) => {
    await linkChroot(own, site);
    const binds = [own.store, "/run", "/no/such", own.definitions].map((path) => `${path}:/srv/x`);
    for (const bind of [...binds, `${own.store}:/srv/x:ro`]) {
      await define(own, CHROOT, `binds = ["${bind}"]`);
      const refused = await own.call(["prepare", CHROOT, "--id", newJob()]);
      assert.equal(refused.code, 1, bind);
      assert.match(refused.stderr, /^nspawn-runner: Cannot bind /m);
    }
    await define(own, CHROOT, `binds = ["${own.definitions}:/srv/x:ro"]`);
    const shown = await outputOf(own, CHROOT, "ls /srv/x");
    assert.equal(shown, `${CHROOT}.toml\n`);
  });
});

/** Creates cgroups until the kernel refuses; prints the error, and whether there are no more than allowed. */
const MAKE_CGROUPS = `python3 - <<'END'
import os
base, made = "/sys/fs/cgroup/many", []
try:
    os.mkdir(base)
    for number in range(6000):
        os.mkdir(f"{base}/{number}")
        made.append(number)
except OSError as error:
    print(error.errno)
print(len(made) <= 1024)
for number in made: os.rmdir(f"{base}/{number}")
END
`;

onEachHost(
  "a machine's cgroups are limited, and inotify instances are enough for all",
  async (site) => {
    await withMachine(await site.with({ boot: true }), async (id) => {
      const done = await runScript(site, id, MAKE_CGROUPS);
      assert.match(done.stdout, /^11\nTrue\n$/, done.stderr); // EAGAIN
      const instances = await runScript(site, id, "cat /proc/sys/fs/inotify/max_user_instances\n");
      assert.ok(Number(instances.stdout) >= 1_048_576, instances.stdout);
    });
  },
);

const SHOW_LIMITS = "ulimit -Sn; ulimit -Hn; grep core /proc/self/limits\n";

onEachBoot(
  "a job's limits of open files and core dumps are the same from every caller",
  async (site) => {
    for (const private_users of ["auto", "off"]) {
      const own = await site.with({ private_users });
      const id = newJob();
      await own.call(["prepare", CHROOT, "--id", id]);
      const script = await own.put(SHOW_LIMITS);
      const run = own.words(["run", "--id", id, script, "step_script"]);
      const shown: string[] = [];
      for (const caller of ["ulimit -S -n 700", "ulimit -S -c 0", ":"]) {
        const done = await own.host.exec(["sh", "-c", `${caller}; exec "$@"`, "sh", ...run]);
        shown.push(done.stdout.replaceAll(/ +/g, " "));
      }
      await own.call(["cleanup", "--id", id]);
      const [soft, hard, core] = shown[0]!.split("\n");
      assert.deepEqual([soft, core?.trim()], ["1024", "Max core file size 1 1 bytes"], shown[0]);
      const { stdout } = await own.host.exec(["sh", "-c", "ulimit -H -n 524288; ulimit -H -n"]);
      assert.equal(Number(hard), Math.min(524_288, Number(stdout) || 524_288));
      assert.ok(shown.every((text) => text === shown[0]), shown.join());
    }
  },
);

/** Prints where the standard inputs of a machine's PID 1 and of a stage lead. */
const SHOW_INPUTS = "stat -Lc %d:%i /proc/1/fd/0 /proc/$PPID/fd/0 /dev/null\n";

onEachHost(
  "no process of a plain machine without a user namespace has a device of the host",
  async (site) => {
    const own = await site.with({ boot: false, private_users: "off" });
    const { stdout } = await site.host.exec(["stat", "-Lc", "%d:%i", "/dev/null"]);
    await withMachine(own, async (id) => {
      const done = await runScript(own, id, SHOW_INPUTS);
      assert.equal(done.stdout.split("\n").length, 4, done.stderr);
      assert.ok(!done.stdout.split("\n").includes(stdout.trim()), `${done.stdout} and ${stdout}`);
    });
  },
);

onEachHost("a job changes its machine inside the administrator's bounds", async (site) => {
  const own = await site.with({ "overrides.boot": true, "overrides.tasks_max": 300 });
  const call = (id: string, wishes: Record<string, string>) => {
    const env = Object.fromEntries(
      Object.entries(wishes).map(([name, value]) => [`CUSTOM_ENV_${name}`, value]),
    );
    return own.call(["prepare", CHROOT, "--id", id], { env: { CUSTOM_ENV_CI_JOB_ID: id, ...env } });
  };
  const id = newJob();
  const prepared = await call(id, { NSPAWN_BOOT: "false", NSPAWN_TASKS_MAX: "222" });
  assert.equal(prepared.code, 0, prepared.stderr);
  assert.match(prepared.stderr, /plain/);
  if (site.host.kind === "systemd") assert.match(prepared.stderr, /tasks max 222/);
  const gone = await own.call(["cleanup", "--id", id], { env: { CUSTOM_ENV_CI_JOB_ID: id } });
  assert.equal(gone.code, 0, gone.stderr);
  for (const wishes of [{ NSPAWN_TASKS_MAX: "301" }, { NSPAWN_MEMORY_MAX: "1G" }]) {
    const refused = await call(newJob(), wishes);
    assert.equal(refused.code, 1, refused.stderr);
    assert.match(refused.stderr, /at most 300 is allowed|jobs may not change that/);
  }
});

onEachHost("a definition changes the settings of its chroot alone", async (site) => {
  const own = await site.with({ shell: "bash" });
  await own.put('shell = "sh"\nboot = false\n', `${own.definitions}/${CHROOT}.toml`);
  await withMachine(own, async (id) => {
    const done = await runScript(own, id, "readlink /proc/$$/exe\ncat /proc/1/comm\n");
    assert.match(done.stdout, /dash\n/);
    assert.doesNotMatch(done.stdout, /systemd/);
  });
});

/** Creates a deep folder step by step: a shell would resolve the whole path each time. */
const GO_DEEP = `python3 - <<'END'
import os
os.chdir("/x")
for _ in range(3000):
    os.mkdir("d")
    os.chdir("d")
END
`;

/** Settings under which a job can make files immutable. */
const OPEN = { private_users: "off", capabilities: ["CAP_LINUX_IMMUTABLE"] };

onEachMachine("cleanup removes immutable files and very deep folders", async (own, id) => {
  const lock = "mkdir -p /x/y && touch /x/y/file && chattr +i /x/y/file && chattr +a /x/y\n";
  const done = await runScript(own, id, lock + GO_DEEP);
  assert.equal(done.code, 0, done.stderr);
  const gone = await own.call(["cleanup", "--id", id]);
  assert.deepEqual([gone.code, gone.stderr], [0, ""]);
}, { settings: OPEN });

/** Moves a small root into a store, as a chroot. */
async function addChroot(own: Site, name: string, suite: Suite): Promise<string> {
  const tree = `${own.store}/${name}`;
  await own.host.exec(["mkdir", "-p", own.store]);
  await own.host.exec(["mv", await smallFolder(own, suite), tree]);
  return tree;
}

/** An init that is never ready and one that is no program, each with the first lines of the error. */
const BAD_INITS = [
  ["#!/bin/sh\necho here it hangs\nexec sleep 100\n", "it was not ready within 8 s\nhere it hangs"],
  ["none", "execv\\(.*\\) failed: No such file or directory"],
] as const;

onEachHost(
  "a failed start names the reason first, and the command line only with --debug",
  async (site) => {
    await withStore(site, { boot: true, prepare_timeout: 8 }, async (own) => {
      const tree = await addChroot(own, "x", "bookworm");
      await own.host.exec(["mkdir", `${tree}/usr/lib/systemd`]);
      await own.put("none", `${tree}/usr/bin/dbus-daemon`);
      for (const [init, reason] of BAD_INITS) {
        await own.put(init, `${tree}/usr/lib/systemd/systemd`);
        const quiet = await own.call(["prepare", "x", "--id", newJob()], PATIENCE);
        assert.match(
          quiet.stderr,
          new RegExp(`^nspawn-runner: Cannot start machine \\S+: ${reason}`, "m"),
        );
        assert.doesNotMatch(quiet.stderr, /systemd-nspawn/);
        assert.equal(quiet.code, 1);
      }
      const loud = await own.call(["--debug", "prepare", "x", "--id", newJob()], PATIENCE);
      assert.match(loud.stderr, /^\+ .*systemd-nspawn --quiet --machine=/ms);
      assert.equal(loud.code, 1);
    });
  },
);

onEachHost("machines start from small roots of any release, whatever the host's", async (site) => {
  await withStore(site, {}, async (own) => {
    for (const suite of ["bookworm", "trixie"] as const) {
      await addChroot(own, suite, suite);
      const release = await outputOf(own, suite, "grep ^VERSION_CODENAME= /etc/os-release");
      assert.equal(release, `VERSION_CODENAME=${suite}\n`);
    }
  });
});

onEachHost("a chroot whose own programs crash is reported, with a remedy", async (site) => {
  await withStore(site, {}, async (own) => {
    const tree = await addChroot(own, "x", "bookworm");
    const other = await addChroot(own, "y", "trixie");
    const loader = "usr/lib64/ld-linux-x86-64.so.2";
    await own.host.exec(["cp", `${other}/${loader}`, `${tree}/${loader}`]);
    const failed = await own.call(["prepare", "x", "--id", newJob()], PATIENCE);
    assert.equal(failed.code, 1, failed.stderr);
    assert.match(
      failed.stderr,
      /Cannot start machine \S+: .*(terminated by signal|stack smashing)/,
    );
    assert.match(failed.stderr, /The chroot's own init or \/bin\/sh crashes/);
  });
});
