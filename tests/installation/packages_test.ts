/** The packages and the Deno that the installer adds to a host, with stand-ins for the programs that it calls. */

import assert from "node:assert/strict";
import { checkout, type Done, install, NO_DENORT, run, withPrefix } from "./installer.ts";

/** The only programs that the shell functions under test find, so that this machine's others do not count. */
const TOOLS = ["sh", "sed", "grep", "find", "ls", "id", "dirname", "stat", "cut", "tail", "cat"];

/** Runs install_missing() with a package manager where every program and keyring is missing. */
async function installAll(
  manager: string,
  answers: string,
): Promise<{ asked: string; done: Done }> {
  return await withStandIns(
    { [manager]: `echo "$*" >>"\${0%/*}/asked"; ${answers}` },
    async (bin) => {
      for (const tool of TOOLS) {
        const { stdout } = await run(["sh", "-c", 'command -v "$1"', "sh", tool]);
        await Deno.symlink(stdout.trim(), `${bin}/${tool}`);
      }
      const script = `
      say() { echo "$*"; }
      die() { echo "$*"; exit 1; }
      DEPS=yes
      . npm/system.sh
      . npm/configuration.sh
      set_needs
      install_missing "$0/log" $NEEDS btrfs pip3`;
      const hidden = 'mount -t tmpfs none /usr/share/keyrings && PATH=$0 && exec sh -c "$1" "$0"';
      const done = await run(["unshare", "--mount", "sh", "-c", hidden, bin, script], {
        cwd: checkout,
      });
      return { asked: await Deno.readTextFile(`${bin}/asked`), done };
    },
  );
}

/** Creates a folder of short scripts with these names, for the time of a test. */
async function withStandIns<T>(
  scripts: Readonly<Record<string, string>>,
  act: (bin: string) => Promise<T>,
): Promise<T> {
  const bin = await Deno.makeTempDir();
  try {
    for (const [name, script] of Object.entries(scripts)) {
      await Deno.writeTextFile(`${bin}/${name}`, `#!/bin/sh\n${script}\n`, { mode: 0o755 });
    }
    return await act(bin);
  } finally {
    await Deno.remove(bin, { recursive: true });
  }
}

Deno.test("install_missing() installs by Fedora's names of packages with dnf", async () => {
  const { asked, done } = await installAll("dnf", "exit 0");
  assert.equal(done.code, 0, done.output);
  assert.equal(
    asked.trimEnd().split("\n").at(-1),
    "-y -q --setopt=install_weak_deps=False install systemd-container util-linux git e2fsprogs bash gnupg2 " +
      "debian-keyring ubu-keyring nftables iproute mmdebstrap btrfs-progs python3-pip",
  );
});

Deno.test("install_missing() installs by Arch's names of packages with pacman", async () => {
  const { asked, done } = await installAll("pacman", 'case "$*" in *mmdebstrap) exit 1 ;; esac');
  assert.equal(done.code, 0, done.output);
  assert.equal(
    asked.trimEnd().split("\n").at(-1),
    "-S --noconfirm --needed systemd util-linux git e2fsprogs bash gnupg debian-archive-keyring ubuntu-keyring " +
      "nftables iproute2 debootstrap btrfs-progs python-pip",
  );
});

Deno.test("install_missing() leaves out a keyring that the distribution lacks", async () => {
  const { asked, done } = await installAll("dnf", 'case "$*" in *info*keyring) exit 1 ;; esac');
  assert.equal(done.code, 0, done.output);
  assert.match(done.stdout, /this distribution has no ubu-keyring; it is optional and left out/);
  assert.doesNotMatch(asked.trimEnd().split("\n").at(-1) ?? "", /keyring/);
});

Deno.test("install_missing() prints the package manager's last error in one line", async () => {
  const answers = 'case "$*" in *install\\ *) echo "Error: disk is full" >&2; exit 1 ;; esac';
  const { done } = await installAll("dnf", answers);
  assert.equal(done.code, 1);
  assert.match(done.output, /^Cannot install systemd-container .*: Error: disk is full\. Install/m);
});

Deno.test("install.sh downloads Deno where the one on PATH is too old", async () => {
  await withStandIns({ deno: "echo 'deno 2.5.9 (stable)'" }, async (bin) => {
    await withPrefix(async (prefix) => {
      const env = { ...NO_DENORT, DENO: "", PATH: `${bin}:${Deno.env.get("PATH")}` };
      const done = await install(["--prefix", prefix, "--no-deps"], env);
      assert.equal(done.code, 0, done.output);
      const own = await run([`${prefix}/lib/nspawn-runner/deno`, "--version"]);
      assert.match(own.stdout, /^deno 2\.9\.6 /);
    });
  });
});

Deno.test("install.sh says in one line that no source offers Deno", async () => {
  const no = "exit 1";
  await withStandIns({ deno: no, npm: no, python3: no, curl: no, wget: no }, async (bin) => {
    await withPrefix(async (prefix) => {
      const env = { DENO: "", PATH: `${bin}:${Deno.env.get("PATH")}` };
      const done = await install(["--prefix", prefix, "--no-deps"], env);
      assert.equal(done.code, 1, done.output);
      assert.match(
        done.stderr,
        /^install\.sh: Cannot download Deno 2\.9\.6: .*DENO=\/path\/to\/deno\n$/,
      );
      await assert.rejects(Deno.stat(prefix), Deno.errors.NotFound);
    });
  });
});

Deno.test("install.sh names the programs that a download needs where they are missing", async () => {
  await withStandIns({}, async (bin) => {
    for (const tool of [...TOOLS, "mkdir", "rm", "head", "uname"]) {
      const { stdout } = await run(["sh", "-c", 'command -v "$1"', "sh", tool]);
      await Deno.symlink(stdout.trim(), `${bin}/${tool}`);
    }
    const script = `
      say() { :; }
      die() { echo "$*"; exit 1; }
      DEPS=no PATH=$0
      . npm/system.sh
      . npm/deno.sh
      find_deno "$0/download"`;
    const done = await run(["sh", "-c", script, bin], { cwd: checkout, env: { DENO: "" } });
    assert.match(done.stdout, /: that needs curl or wget, and unzip, 7z or python3\. Install Deno/);
  });
});

/** A host with two machines and a runner, on copies of /run and /etc. */
const ON_BUSY_HOST = `
mount -t tmpfs tests /run
mount -t tmpfs tests /etc
mkdir /run/nspawn-runner /etc/gitlab-runner
touch /run/nspawn-runner/run-2.lease /run/nspawn-runner/run-1.lease
echo 'run_exec = "/usr/bin/nspawn-runner"' >/etc/gitlab-runner/config.toml
say() { echo "$*"; }
. npm/configuration.sh
warn_before_removal /usr/local/bin/nspawn-runner
warn_before_removal /usr/bin/nspawn-runner`;

Deno.test("warn_before_removal() names machines that run, and a runner that calls the program", async () => {
  const argv = ["unshare", "--mount", "sh", "-euc", ON_BUSY_HOST];
  const done = await run(argv, { cwd: checkout });
  assert.equal(done.code, 0, done.output);
  const [machines, again, runner, ...more] = done.stdout.trimEnd().split("\n");
  assert.match(machines!, /^The jobs of these machines will fail, .*: run-1 run-2$/);
  assert.equal(again, machines);
  assert.match(runner!, /still calls \/usr\/bin\/nspawn-runner: remove that runner/);
  assert.deepEqual(more, []);
});

/** A stand-in for npm, which downloads a forged Deno of the right version; the forged one leaves a file when it runs. */
const FORGED_PACKAGE = `mkdir package
{
  echo '#!/bin/sh'
  echo "touch '\${0%/*}/has-run'"
  echo 'echo "deno 2.9.6 (stable)"; exit 0'
  head -c 2000000 /dev/zero
} >package/deno
tar -czf deno-forged.tgz package`;

Deno.test("install.sh refuses a download of Deno with a wrong checksum, and never runs it", async () => {
  const no = "exit 1";
  const standIns = { deno: no, npm: FORGED_PACKAGE, python3: no, curl: no, wget: no };
  await withStandIns(standIns, async (bin) => {
    await withPrefix(async (prefix) => {
      const env = { DENO: "", PATH: `${bin}:${Deno.env.get("PATH")}` };
      const done = await install(["--prefix", prefix, "--no-deps"], env);
      assert.equal(done.code, 1, done.output);
      assert.match(done.stdout, /^Deno: refused: the file from npm has the SHA-256 [0-9a-f]{64} /m);
      assert.match(
        done.stderr,
        /^install\.sh: Cannot download Deno 2\.9\.6: the file from npm has the SHA-256 [^\n]*\n$/,
      );
      await assert.rejects(Deno.stat(`${bin}/has-run`), Deno.errors.NotFound);
      await assert.rejects(Deno.stat(prefix), Deno.errors.NotFound);
    });
  });
});
