/** Command lines to the letter: what a machine is safe by stands in them. */

import assert from "node:assert/strict";
import { chooseStorage } from "../../../../src/machines/storage/choose.ts";
import { tmpfs } from "../../../../src/machines/storage/tmpfs.ts";
import { systemd } from "../../../../src/machines/supervisor/systemd.ts";
import { type Answer, inFolder, recordingHost } from "../../recording_host.ts";
import { leaseOf, SETTINGS, specOf } from "../fixture.ts";
import { FACTS, standaloneHost } from "./standalone_host.ts";

async function startWords(spec = specOf()): Promise<readonly string[]> {
  const recording = recordingHost({
    answer(argv): Answer | void {
      if (argv[0] !== "cat") return;
      const status = "CapBnd:\t0\n0::/m/payload\n40\n";
      return { stdout: `77 (s) S ${Array(18).fill("0").join(" ")} 5 0\n${status}${FACTS}` };
    },
  });
  const files = {
    ...recording.host.files,
    read: () => Promise.resolve("LEADER=77\n"),
    lstat: recording.host.files.stat.bind(null, "/"),
  };
  await systemd.start({ ...recording.host, files }, spec, leaseOf("/store", "42"), quiet);
  return recording.processes.find(({ argv }) => argv[0] === "systemd-run")!.argv;
}

const quiet = new AbortController().signal;

Deno.test("systemd.start() gives a unit exactly these properties", async () => {
  const words = await startWords();
  assert.deepEqual(words.slice(0, words.indexOf("systemd-nspawn") + 1), [
    "systemd-run",
    "--quiet",
    "--collect",
    "--unit=nspawn-runner-run-42.service",
    "--slice=machine-ci.slice",
    "--description=CI machine run-42",
    "--property=Type=notify",
    "--property=KillMode=mixed",
    "--property=RestartForceExitStatus=133",
    "--property=SuccessExitStatus=133",
    "--property=Delegate=yes",
    "--property=AssertPathExists=/run/nspawn-runner/run-42.lease",
    "--property=TimeoutStartSec=120s",
    "--property=TimeoutStopSec=10s",
    "--property=RuntimeMaxSec=5400s",
    "--property=DevicePolicy=closed",
    "--property=DeviceAllow=char-pts rw",
    "--property=DeviceAllow=/dev/net/tun rwm",
    "--property=DeviceAllow=/dev/fuse rwm",
    "--property=CPUWeight=50",
    "--property=MemoryHigh=80%",
    "--property=MemoryMax=2G",
    "--property=MemorySwapMax=1G",
    "--property=CPUQuota=150%",
    "--property=IOWeight=20",
    "--property=TasksMax=100",
    "--setenv=SYSTEMD_NSPAWN_UNIFIED_HIERARCHY=1",
    "--setenv=SYSTEMD_SECCOMP=1",
    "--",
    "systemd-nspawn",
  ]);
});

Deno.test("systemd.start() switches the filter of system calls off only where that is set", async () => {
  const off = await startWords(specOf({ settings: { ...SETTINGS, seccomp: false } }));
  assert.ok(off.includes("--setenv=SYSTEMD_SECCOMP=0"));
  assert.ok((await startWords()).includes("--setenv=SYSTEMD_SECCOMP=1"));
});

Deno.test("systemd.start() lets a machine use the devices that it has", async () => {
  const kvm = { path: "/dev/kvm", kind: "c", major: 10, minor: 232, readOnly: false } as const;
  const words = await startWords(specOf({ devices: [kvm] }));
  assert.ok(words.includes("--property=DeviceAllow=/dev/kvm rwm"));
  assert.ok(words.indexOf("unshare") > words.indexOf("--"), "its node is made by the unit");
});

Deno.test("systemd.start() has no word that systemd would expand, for any machine's name", async () => {
  for (const word of await startWords()) assert.doesNotMatch(word, /\$|%[a-zA-Z]/, word);
});

Deno.test("tmpfs is root's alone and holds no devices", async () => {
  await inFolder(async (folder) => {
    const { host, commands } = recordingHost();
    await tmpfs.create(host, "/c", folder, null, null);
    const { options } = tmpfs.root("/c", folder, null);
    assert.deepEqual(commands(), [
      `mount -t tmpfs -o mode=0700,nodev nspawn-runner ${folder}`,
    ]);
    assert.equal(options.at(-1), `--overlay=/c:${folder}/upper:/`);
  });
});

for (const [code, kind] of [[0, "overlay"], [32, "tmpfs"]] as const) {
  Deno.test(`chooseStorage() leaves nothing of a trial that ends with ${code}`, async () => {
    await inFolder(async (folder) => {
      const machine = `${folder}/it's :$x`;
      const { host, processes } = standaloneHost(folder, (argv) => {
        if (argv[0] !== "unshare") return;
        // What the trial needs is there while it runs, and its folder comes as a word of its own.
        for (const name of ["lower", "upper", "work"]) Deno.statSync(`${machine}/${name}`);
        assert.equal(argv.at(-1), machine);
        assert.ok(!argv[4]!.includes(folder));
        return { code };
      });
      const facts = {
        boot: "b",
        stat: "",
        cgroup: "/",
        mounts: [{ point: "/", type: "ext4" }],
        links: [],
      };
      const choose = () => chooseStorage(host, facts, "auto", folder, machine, "/c", false);
      assert.equal((await choose()).kind, kind);
      assert.equal(await host.files.lstat(machine), null);
      assert.equal((await choose()).kind, kind);
      assert.equal(processes.length, 1, "tried once a boot");
    });
  });
}
