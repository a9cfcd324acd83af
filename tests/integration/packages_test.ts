/** What the installer brings to a machine that lacks it, with stand-ins for the programs it asks. */

import assert from "node:assert/strict";
import { checkout, type Done, install, NO_DENORT, run, withPrefix } from "./installer.ts";

/** All that the shell functions under test may find, so that nothing else of this machine counts. */
const TOOLS = ["sh", "sed", "grep", "find", "ls", "id", "dirname", "stat", "cut", "tail", "cat"];

/** Runs a package manager's part on a machine where every program and keyring is missing. */
async function bringAll(manager: string, answers: string): Promise<{ asked: string; done: Done }> {
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
      runner_needs
      bring "$0/log" $NEEDS btrfs pip3`;
      const hidden = 'mount -t tmpfs none /usr/share/keyrings && PATH=$0 && exec sh -c "$1" "$0"';
      const done = await run(["unshare", "--mount", "sh", "-c", hidden, bin, script], {
        cwd: checkout,
      });
      return { asked: await Deno.readTextFile(`${bin}/asked`), done };
    },
  );
}

/** Gives a folder with programs that are short scripts. */
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

Deno.test("bring() asks dnf for the packages by Fedora's names", async () => {
  const { asked, done } = await bringAll("dnf", "exit 0");
  assert.equal(done.code, 0, done.output);
  assert.equal(
    asked.trimEnd().split("\n").at(-1),
    "-y -q --setopt=install_weak_deps=False install systemd-container util-linux git e2fsprogs gnupg2 " +
      "debian-keyring ubu-keyring nftables iproute mmdebstrap btrfs-progs python3-pip",
  );
});

Deno.test("bring() asks pacman for the packages by Arch's names", async () => {
  const { asked, done } = await bringAll("pacman", 'case "$*" in *mmdebstrap) exit 1 ;; esac');
  assert.equal(done.code, 0, done.output);
  assert.equal(
    asked.trimEnd().split("\n").at(-1),
    "-S --noconfirm --needed systemd util-linux git e2fsprogs gnupg debian-archive-keyring ubuntu-keyring " +
      "nftables iproute2 debootstrap btrfs-progs python-pip",
  );
});

Deno.test("bring() goes on without a keyring that the distribution lacks", async () => {
  const { asked, done } = await bringAll("dnf", 'case "$*" in *info*keyring) exit 1 ;; esac');
  assert.equal(done.code, 0, done.output);
  assert.match(done.stdout, /this distribution has no ubu-keyring, going on without it/);
  assert.doesNotMatch(asked.trimEnd().split("\n").at(-1) ?? "", /keyring/);
});

Deno.test("bring() says in one line what the package manager says last", async () => {
  const answers = 'case "$*" in *install\\ *) echo "Error: disk is full" >&2; exit 1 ;; esac';
  const { done } = await bringAll("dnf", answers);
  assert.equal(done.code, 1);
  assert.match(done.output, /^Cannot install systemd-container .*: Error: disk is full\. Install/m);
});

Deno.test("install.sh brings a Deno of its own where the one on PATH is too old", async () => {
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

Deno.test("install.sh says in one line that no Deno can be had", async () => {
  const no = "exit 1";
  await withStandIns({ deno: no, npm: no, python3: no, curl: no, wget: no }, async (bin) => {
    await withPrefix(async (prefix) => {
      const env = { DENO: "", PATH: `${bin}:${Deno.env.get("PATH")}` };
      const done = await install(["--prefix", prefix, "--no-deps"], env);
      assert.equal(done.code, 1, done.output);
      assert.match(done.stderr, /^install\.sh: Cannot bring Deno: .*DENO=\/path\/to\/deno\n$/);
      await assert.rejects(Deno.stat(prefix), Deno.errors.NotFound);
    });
  });
});
