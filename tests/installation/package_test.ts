/** The packages: installed, upgraded while a job runs, removed and purged on a new host. */

import assert from "node:assert/strict";
import { dirname } from "node:path/posix";
import { hostTest } from "../hosts/check.ts";
import { must, type Result } from "../hosts/command.ts";
import type { TestHost } from "../hosts/host.ts";
import { HIGHER_VERSION, installed, type Packages, packages } from "../hosts/installed.ts";
import { leftovers } from "../hosts/leftovers.ts";
import { jobChroot } from "../hosts/roots.ts";
import { CHROOT, newJob } from "../hosts/site.ts";
import { bootSystemd } from "../hosts/systemd.ts";
import { skipReal } from "../skip.ts";
import { checkout, run, versionOf } from "./installer.ts";

const CONFIGURATION = "/etc/nspawn-runner/config.toml";

/** Makes the packages, or skips the test and returns null where dpkg is missing. */
async function packagesFor(test: string): Promise<Packages | null> {
  const missing = await missingOf(["dpkg-deb"]);
  if (missing.length === 0) return await packages();
  skipReal(test, `no ${missing}`);
  return null;
}

async function missingOf(programs: readonly string[]): Promise<string[]> {
  const found = await Promise.all(
    programs.map((program) => run(["sh", "-c", 'command -v "$1"', "sh", program])),
  );
  return programs.filter((_, index) => found[index]!.code !== 0);
}

/** Runs a command on a host that must succeed; returns its output. */
async function on(host: TestHost, ...argv: string[]): Promise<string> {
  const { code, stdout, stderr } = await host.exec(argv);
  assert.equal(code, 0, `${argv.join(" ")}\n${stdout}${stderr}`);
  return stdout + stderr;
}

const apt = (host: TestHost, ...words: string[]) =>
  on(host, "apt-get", "-y", "-q", "--no-install-recommends", ...words);

/** What the units of timers are, which are no leftovers of machines. */
const TIMERS = /nspawn-runner-(gc|maintenance|metrics)\./;

async function addChroot(host: TestHost): Promise<void> {
  const path = host.outerPath(`${host.store}/${CHROOT}`);
  await must(["cp", "--archive", "--reflink=auto", await jobChroot(), path]);
}

const SIMULATE = ["nspawn-runner", "simulate", "--image", CHROOT, "--", "sh", "-c", "exit 3"];

async function runsJobs(host: TestHost): Promise<void> {
  const { code, stdout, stderr } = await host.exec(SIMULATE);
  assert.equal(code, 3, stdout + stderr);
}

/** Fields that the lease of a machine lacks where an earlier release wrote it. */
const NEW_FIELDS = ["helper", "host", "deadlineUptime", "services", "service", "description"];

/** Takes the newest fields out of the lease of the only machine; returns the pid of its PID 1. */
async function makeLeaseOlder(host: TestHost): Promise<number> {
  const folder = host.outerPath(`${host.store}/.leases`);
  const [{ name }] = await Array.fromAsync(Deno.readDir(folder)) as [Deno.DirEntry];
  const lease = JSON.parse(await Deno.readTextFile(`${folder}/${name}`));
  for (const field of NEW_FIELDS) delete lease[field];
  await Deno.writeTextFile(`${folder}/${name}`, JSON.stringify(lease));
  return lease.leader.pid;
}

const WAIT = "echo began; until [ -e /tmp/go ]; do sleep 0.1; done; exit 4";

/** Replaces the program while a script runs: the script ends well, and the new program runs and ends the rest. */
async function upgradeUnderJob(host: TestHost, upgrade: () => Promise<unknown>): Promise<void> {
  const id = newJob();
  const call = (...words: string[]) => host.exec(["nspawn-runner", ...words, "--id", id]);
  const succeeds = ({ code, stdout, stderr }: Result) => assert.equal(code, 0, stdout + stderr);
  for (const [name, text] of [["wait", WAIT], ["next", "cat /tmp/go"]]) {
    await host.exec(["tee", `/run/${name}.sh`], { stdin: `${text}\n` });
  }
  succeeds(await call("prepare", CHROOT));
  const leader = await makeLeaseOlder(host);
  const words = ["run", "--id", id, "/run/wait.sh", "build_script"];
  const script = host.start(["nspawn-runner", ...words]);
  await script.untilPrinted("began");
  await upgrade();
  assert.match(await on(host, "nspawn-runner", "list"), new RegExp(`\\b${id}\\b`));
  await on(host, "nspawn-runner", "gc");
  await host.exec(["tee", `/proc/${leader}/root/tmp/go`], { stdin: "still there\n" });
  const ended = await script.ended;
  assert.equal(ended.code, 4, ended.stdout + ended.stderr);
  const next = await call("run", "/run/next.sh", "after_script");
  assert.equal(next.stdout, "still there\n", next.stderr);
  succeeds(await call("cleanup"));
  assert.deepEqual(await leftovers(host, TIMERS), []);
}

const UPGRADE = "the .deb is installed, upgraded while a job runs, removed and purged";

hostTest(UPGRADE, async () => {
  const made = await packagesFor(UPGRADE);
  if (made === null) return;
  const host = await bootSystemd("trixie", [made.folder]);
  try {
    const [own, higher] = made.debs;
    await on(host, "cp", "/bin/true", "/usr/bin/nspawn-runner"); // as if it were the Python original
    const first = await apt(host, "install", own);
    assert.match(
      first,
      /^nspawn-runner: Wrote .*\/config\.toml: each machine has a private network$/m,
    );
    assert.match(first, /^nspawn-runner: The next steps are in \/.*first-runner\.md$/m);
    assert.doesNotMatch(first, /disabled or a static unit/);
    const manual = "/usr/share/man/man5/nspawn-runner.toml.5.gz";
    assert.match(await on(host, "zgrep", "schema /", manual), /schema \/usr\/share\//);
    await addChroot(host);
    await isInstalled(host, await versionOf());
    await runsJobs(host);
    await on(host, "sed", "-i", "$a # mine", CONFIGURATION);
    await upgradeUnderJob(host, () => apt(host, "install", higher));
    await isInstalled(host, HIGHER_VERSION);
    assert.match(await on(host, "tail", "-n", "1", CONFIGURATION), /^# mine$/m);
    await apt(host, "install", "--allow-downgrades", own); // the way back
    await isInstalled(host, await versionOf());
    await isRemoved(host);
    await isPurged(host);
  } finally {
    await host.close();
  }
});

async function isInstalled(host: TestHost, version: string): Promise<void> {
  assert.equal(await on(host, "nspawn-runner", "--version"), `nspawn-runner ${version}\n`);
  // Nothing but the files of the package is changed later.
  assert.equal(await on(host, "dpkg", "--verify", "nspawn-runner"), "");
  const names = ["nspawn-runner-gc.timer", "nspawn-runner-maintenance.timer"];
  const { stdout } = await host.exec(["systemctl", "is-active", ...names]);
  assert.equal(stdout, "active\ninactive\n");
  assert.match(await on(host, "nspawn-runner", "toml"), /run_exec = "\/usr\/bin\/nspawn-runner"/);
  const cached = ["sh", "-c", "ls /usr/lib/nspawn-runner/cache | grep -c code_cache"];
  const { stdout: caches } = await host.exec(cached);
  assert.ok(Number(caches) > 0 || !await isScript(host), "the code cache is filled");
}

async function isScript(host: TestHost): Promise<boolean> {
  return (await host.exec(["test", "-e", "/usr/lib/nspawn-runner/deno"])).code === 0;
}

async function isRemoved(host: TestHost): Promise<void> {
  const textfiles = "/var/lib/prometheus/node-exporter";
  await on(host, "mkdir", "-p", textfiles);
  await on(host, "touch", `${textfiles}/nspawn-runner.prom`);
  await apt(host, "remove", "nspawn-runner");
  const left = await host.exec(["find", "/usr", textfiles, "-name", "*nspawn-runner*"]);
  assert.equal(left.stdout, "/usr/bin/nspawn-runner.before\n");
  assert.equal((await host.exec(["systemctl", "is-active", "nspawn-runner-gc.timer"])).code, 4);
  await on(host, "ls", CONFIGURATION, `${host.store}/${CHROOT}/etc`);
}

async function isPurged(host: TestHost): Promise<void> {
  const definition = "/etc/nspawn-runner/mine.toml";
  await on(host, "touch", definition);
  const said = await apt(host, "purge", "nspawn-runner");
  for (const stays of ["/etc/nspawn-runner", host.store]) {
    assert.match(said, new RegExp(`^nspawn-runner: ${stays} stays\\. To remove it: rm `, "m"));
  }
  await on(host, "ls", definition, `${host.store}/${CHROOT}/etc`);
  const found = await host.exec(["find", "/etc", "/run", "-name", "*nspawn-runner*"]);
  assert.equal(found.stdout, "/etc/nspawn-runner\n");
  assert.notEqual((await host.exec(["ls", CONFIGURATION])).code, 0);
}

hostTest("install.sh replaces the program while a job runs", async () => {
  const { prefix } = await installed();
  const host = await bootSystemd("trixie", [checkout, prefix]);
  try {
    const env = { DENO: `${prefix}/lib/nspawn-runner/deno`, DENORT_BIN: "/bin/false" };
    const install = async () => {
      const done = await host.exec([`${checkout}/install.sh`, "--no-deps"], { env });
      assert.equal(done.code, 0, done.stdout + done.stderr);
    };
    await install();
    await addChroot(host);
    await upgradeUnderJob(host, install);
    await runsJobs(host);
  } finally {
    await host.close();
  }
});

const CHECKS = "lintian finds no error in the .deb, and the .rpm has the same files";

Deno.test(CHECKS, async () => {
  const made = await packagesFor(CHECKS);
  if (made === null) return;
  const missing = await missingOf(["lintian", "rpm"]);
  if (missing.length > 0) return skipReal(CHECKS, `no ${missing.join(" and no ")}`);
  // It leaves files in its temporary folder.
  const folder = dirname(made.debs[0]);
  const lint = await run([
    "env",
    `TMPDIR=${folder}`,
    "lintian",
    "--fail-on",
    "error",
    made.debs[0],
  ]);
  assert.equal(lint.code, 0, lint.output);
  assert.ok(made.rpm !== null);
  const [deb, rpm] = await Promise.all([
    run(["sh", "-c", 'dpkg-deb --fsys-tarfile "$1" | tar -t', "sh", made.debs[0]]),
    run(["rpm", "-qlp", made.rpm]),
  ]);
  const filesOf = (text: string) => text.split("\n").filter((path) => /[^/]$/.test(path)).sort();
  const own = filesOf(rpm.stdout);
  const others = filesOf(deb.stdout).map((path) => path.replace(/^\./, ""))
    .filter((path) => !/\/(?:lintian\/.*|copyright|changelog\.gz)$/.test(path))
    .map((path) => path.replace("/vendor-completions/", "/site-functions/"));
  assert.deepEqual(others.filter((path) => !own.includes(path)), []);
  const depends = await run(["dpkg-deb", "--field", made.debs[0], "Depends"]);
  assert.match(
    depends.stdout,
    /, systemd-container, mount, git, e2fsprogs, nftables, iproute2, mmdeb/,
  );
  const requires = await run(["rpm", "-qp", "--requires", made.rpm]);
  for (
    const name of ["systemd-container", "util-linux", "git", "e2fsprogs", "nftables", "iproute"]
  ) {
    assert.match(requires.stdout, new RegExp(`^${name}$`, "m"));
  }
  const { stdout } = await run(["dpkg-deb", "--contents", made.debs[1]]);
  const hidden = stdout.split("\n").filter((line) =>
    !/^(?:[d-]rwxr-xr-x|-rw-r--r--) |^$/.test(line)
  );
  assert.deepEqual(hidden, [], "all users can read all files, also those of a private checkout");
  const scripts = await run(["rpm", "-qp", "--scripts", made.rpm]);
  for (const name of ["preinstall", "postinstall", "preuninstall", "postuninstall"]) {
    assert.match(scripts.stdout, new RegExp(`^${name} scriptlet `, "m"));
  }
});

const RPM_CHECKS = "rpmlint finds no error in the .rpm";

Deno.test(RPM_CHECKS, async () => {
  const made = await packagesFor(RPM_CHECKS);
  if (made === null) return;
  const missing = await missingOf(["rpmlint", "rpm"]);
  if (missing.length > 0) return skipReal(RPM_CHECKS, `no ${missing.join(" and no ")}`);
  assert.ok(made.rpm !== null);
  const config = `${checkout}/packaging/rpm/rpmlint.toml`;
  const lint = await run(["rpmlint", "--config", config, made.rpm]);
  assert.equal(lint.code, 0, lint.output);
});
