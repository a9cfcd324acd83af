/** Trees that hosts and jobs start from: made once, kept outside of the checkout, never changed. */

import { must } from "./command.ts";

/** Releases of Debian that hosts are made of. */
export type Suite = "bookworm" | "trixie";

/** Where what takes long to make is kept between runs. */
export const CACHE = "/var/cache/nspawn-runner-tests";

const HOST_PACKAGES = [
  "ansible-core",
  "btrfs-progs",
  "ca-certificates",
  "dbus",
  "debian-archive-keyring",
  "e2fsprogs",
  "git",
  "iproute2",
  "mmdebstrap",
  "procps",
  "nftables",
  "python3",
  "skopeo",
  "systemd",
  "systemd-container",
  "systemd-sysv",
  "udev",
  "umoci",
  "zstd",
];
const JOB_PACKAGES = ["ca-certificates", "dbus", "git", "python3", "systemd", "systemd-sysv"];

/** Certificates that this machine trusts beyond what everybody does: a proxy's, for one. */
const CERTIFICATES = "/usr/local/share/ca-certificates";

/**
 * The root of a host that runs the program.
 *
 * @param suite Of Debian.
 * @returns Its path; not to be changed.
 */
export function hostRoot(suite: Suite): Promise<string> {
  return tree(`host-${suite}`, suite, HOST_PACKAGES);
}

/**
 * A chroot as nspawn-runner would create it.
 *
 * @returns Its path; not to be changed.
 */
export function jobChroot(): Promise<string> {
  return tree("job", "bookworm", JOB_PACKAGES);
}

/** What is in a small root: enough for a job, and for git to say its version. */
const PROGRAMS = (
  "bash cat chmod chown cp date dd dirname env false find git grep id ln ls mkdir mv rm setpriv sh " +
  "sha256sum sleep stat test touch true"
).split(" ");

/**
 * A root that is quickly copied, and never boots.
 *
 * @param suite The release of Debian that its programs come from.
 * @returns Its path; not to be changed.
 */
export async function smallRoot(suite: Suite = "bookworm"): Promise<string> {
  const from = suite === "bookworm" ? await jobChroot() : await hostRoot(suite);
  const path = `${from}-small-${await hash(PROGRAMS.join(" ") + SMALL)}`;
  if (await exists(path)) return path;
  const aside = `${CACHE}/roots/.small-${Deno.pid}`;
  await must(["sh", "-euc", SMALL, "sh", from, aside, ...PROGRAMS], { timeout: 120_000 });
  await Deno.rename(aside, path).catch(async (error) => {
    await must(["rm", "-rf", aside]);
    if (!await exists(path)) throw error;
  });
  return path;
}

/**
 * Parameters: a whole root, the new one, programs. Their libraries are copied as well. tar runs inside the whole
 * root: outside of it, an absolute link such as /lib64/ld-linux-x86-64.so.2 would lead to a file of this machine.
 */
const SMALL = `
from=$1 to=$2
shift 2
mkdir -p "$to"
for folder in etc proc sys dev tmp run root var/tmp usr/bin usr/lib usr/lib64 usr/sbin srv opt; do
  mkdir -p "$to/$folder"
done
for link in bin sbin lib lib64; do ln -s "usr/$link" "$to/$link"; done
chmod 1777 "$to/tmp" "$to/var/tmp"
for program in "$@"; do
  path=$(chroot "$from" /bin/sh -c 'command -v "$1"' sh "$program")
  case $path in /*) ;; *) path=/usr/bin/$program ;; esac
  echo "\${path#/}"
  chroot "$from" ldd "$path" 2>/dev/null | sed -n 's|.*[[:space:]]/\\(usr/\\)\\{0,1\\}\\(lib[^ ]*\\) (.*|usr/\\2|p'
done | sed 's,^bin/,usr/bin/,; s,^sbin/,usr/sbin/,' | sort -u >"$to/.list"
chroot "$from" tar --dereference --hard-dereference -cf - --files-from=- <"$to/.list" | tar -C "$to" -xf -
rm "$to/.list"
for file in passwd group os-release; do cp -L "$from/etc/$file" "$to/etc/"; done
`;

/** Keyed by all that it is made from; what was half made by a killed run has another name. */
async function tree(name: string, suite: Suite, packages: readonly string[]): Promise<string> {
  const recipe = [suite, packages, await mirror(), await certificates()];
  const path = `${CACHE}/roots/${name}-${await hash(JSON.stringify(recipe))}`;
  if (await exists(path)) return path;
  await Deno.mkdir(`${CACHE}/roots`, { recursive: true });
  await sweep(name);
  const aside = `${CACHE}/roots/.${name}-${Deno.pid}`;
  try {
    await make(aside, suite, packages);
    await Deno.rename(aside, path).catch(async (error) => {
      if (!await exists(path)) throw error; // else another run was faster
    });
  } finally {
    await must(["rm", "-rf", aside]);
  }
  return path;
}

async function make(path: string, suite: Suite, packages: readonly string[]): Promise<void> {
  const from = await mirror();
  await must(
    [
      "mmdebstrap",
      "--quiet",
      "--variant=minbase",
      `--include=${packages.join(",")}`,
      suite,
      path,
      ...(from === null ? [] : [from]),
    ],
    { timeout: 1_800_000 },
  );
  for (const certificate of await certificates()) {
    await must(["cp", `${CERTIFICATES}/${certificate.name}`, `${path}${CERTIFICATES}/`]);
  }
  // Our folder for temporary files is not in there.
  await must(["env", "--unset=TMPDIR", "chroot", path, "update-ca-certificates"]);
}

/** Older builds of a tree, and what killed runs left; a run of long ago uses none of them any more. */
async function sweep(name: string): Promise<void> {
  await must([
    ...["find", `${CACHE}/roots`, "-mindepth", "1", "-maxdepth", "1", "-mmin", "+1440"],
    ...["(", "-name", `${name}-*`, "-o", "-name", `.${name}-*`, ")"],
    ...["-exec", "rm", "-rf", "--one-file-system", "{}", "+"],
  ]);
}

/**
 * Where this machine's own packages come from, when it is a Debian.
 *
 * @returns An address, or null: the choice is mmdebstrap's.
 */
export async function mirror(): Promise<string | null> {
  const targets = await must([
    ...["apt-get", "indextargets", "--format", "$(REPO_URI) $(RELEASE)"],
    ...["Created-By: Packages", "Origin: Debian", "Component: main"],
  ]).catch(() => ""); // no apt here
  const line = targets.split("\n").find((target) => / [a-z]+$/.test(target));
  return line?.split(" ")[0] ?? null;
}

async function certificates(): Promise<{ name: string; text: string }[]> {
  const entries = await Array.fromAsync(Deno.readDir(CERTIFICATES)).catch(() => []); // none
  const names = entries.map(({ name }) => name).filter((name) => name.endsWith(".crt")).sort();
  return await Promise.all(
    names.map(async (name) => ({ name, text: await Deno.readTextFile(`${CERTIFICATES}/${name}`) })),
  );
}

/**
 * A short name for a text.
 *
 * @param text Any text.
 * @returns Eight hexadecimal digits.
 */
export async function hash(text: string): Promise<string> {
  const digest = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(text));
  return [...new Uint8Array(digest)].slice(0, 4)
    .map((byte) => byte.toString(16).padStart(2, "0")).join("");
}

async function exists(path: string): Promise<boolean> {
  return await Deno.stat(path).then(() => true, () => false);
}
