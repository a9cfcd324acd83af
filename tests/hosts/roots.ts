/** Root file systems of hosts and jobs, cached outside of the checkout. Nobody may change them. */

import { must } from "./command.ts";

/** Debian releases of hosts. */
export type Suite = "bookworm" | "trixie";

/** The cache that is kept between runs. */
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
const JOB_PACKAGES = [
  "ca-certificates",
  "dbus",
  "dbus-user-session",
  "git",
  "python3",
  "systemd",
  "systemd-sysv",
];

/** Engines of containers, and what each of them recommends for networks, builds and users. */
const CONTAINER_PACKAGES = [
  ...JOB_PACKAGES,
  "aardvark-dns",
  "busybox-static",
  "crun",
  "docker-buildx",
  "docker-cli",
  "docker.io",
  "fuse-overlayfs",
  "netavark",
  "nftables",
  "passt",
  "podman",
  "uidmap",
];

/** Databases that systemd starts. */
const DATABASE_PACKAGES = [
  "ca-certificates",
  "dbus",
  "postgresql",
  "redis-server",
  "systemd",
  "systemd-sysv",
];

/** What GitLab Runner's own stages need. */
const HELPER_PACKAGES = ["busybox-static", "ca-certificates", "git", "git-lfs", "openssh-client"];

/** The certificates that the administrator added, such as a proxy's. */
const CERTIFICATES = "/usr/local/share/ca-certificates";

/** Returns the path of the root of a host. */
export function hostRoot(suite: Suite): Promise<string> {
  return cachedTree(`host-${suite}`, suite, HOST_PACKAGES);
}

/** Returns the path of a chroot like those that nspawn-runner creates. */
export function jobChroot(): Promise<string> {
  return cachedTree("job", "bookworm", JOB_PACKAGES);
}

/** Returns the path of a chroot whose jobs run containers. */
export function containersChroot(): Promise<string> {
  return cachedTree("containers", "trixie", CONTAINER_PACKAGES);
}

/** Returns the path of a chroot in which GitLab Runner's own stages run, and which has a static busybox. */
export function helperChroot(): Promise<string> {
  return cachedTree("helper", "bookworm", HELPER_PACKAGES, MAKE_HELPER);
}

/** As the setup of the program's own definition of the helper root. */
const MAKE_HELPER = `
mkdir -p "$1/builds" "$1/cache"
rm -f "$1/etc/resolv.conf"
touch "$1/etc/resolv.conf" "$1/etc/hosts"
`;

/** Returns the path of a chroot that boots, and whose databases listen on all addresses. */
export function databasesChroot(): Promise<string> {
  return cachedTree("databases", "bookworm", DATABASE_PACKAGES, OPEN_DATABASES);
}

/** The compiler of queries is optional, and as large as everything else. */
const OPEN_DATABASES = `
cd "$1"
rm -rf usr/lib/x86_64-linux-gnu/libLLVM* usr/lib/postgresql/*/lib/llvmjit* usr/lib/postgresql/*/lib/bitcode
rm -rf usr/share/doc usr/share/locale usr/share/man var/cache/apt
echo "listen_addresses = '*'" >>etc/postgresql/15/main/postgresql.conf
echo 'host all all all trust' >>etc/postgresql/15/main/pg_hba.conf
sed -i 's/^bind .*/bind * -::*/; s/^protected-mode .*/protected-mode no/' etc/redis/redis.conf
`;

/** Returns the path of a root with nothing but a static busybox and the names of its programs. */
export async function busyboxRoot(): Promise<string> {
  const from = await helperChroot();
  return await cached(`${from}-busybox-${await hash(COPY_BUSYBOX)}`, async (aside) => {
    await must(["sh", "-euc", COPY_BUSYBOX, "sh", from, aside]);
  });
}

/** Copies busybox from the root $1 to a new root $2. */
const COPY_BUSYBOX = `
mkdir "$2/bin" "$2/etc"
cp "$1/bin/busybox" "$2/bin/"
for name in $("$2/bin/busybox" --list); do
  [ "$name" = busybox ] || ln -s busybox "$2/bin/$name"
done
echo root:x:0:0::/root:/bin/sh >"$2/etc/passwd"
echo root:x:0: >"$2/etc/group"
`;

/** The programs of a small root: enough for a job, and for git to print its version. */
const PROGRAMS = (
  "bash cat chmod chown cp date dd dirname env false find git grep id ln ls mkdir mv rm setpriv sh " +
  "sha256sum sleep stat test touch true"
).split(" ");

/** Returns the path of a root that is small, and so quickly copied, but does not boot. */
export async function smallRoot(suite: Suite = "bookworm"): Promise<string> {
  const from = suite === "bookworm" ? await jobChroot() : await hostRoot(suite);
  return await programsOf(from, PROGRAMS);
}

/** The programs of databases, of their clients, and of a shell that starts them. */
const DATABASE_PROGRAMS = [
  ..."bash cat chown env grep id ls mkdir mv redis-cli redis-server rm sed setpriv sh sleep stat touch"
    .split(" "),
  ...["initdb", "pg_ctl", "postgres", "psql"].map((name) => `/usr/lib/postgresql/15/bin/${name}`),
];

/** Returns the path of a root with databases and their clients, which does not boot. */
export async function databasesRoot(): Promise<string> {
  return await programsOf(await databasesChroot(), DATABASE_PROGRAMS, COPY_DATABASES);
}

/** Copies what databases read and write from the root $1 to the root $2. */
const COPY_DATABASES = `
cd "$1"
cp --archive --parents usr/lib/postgresql/15/lib usr/share/postgresql/15 etc/nsswitch.conf "$2"
cp --archive --parents var/lib/postgresql var/lib/redis "$2"
ln -s /run "$2/var/run"
rm -rf "$2"/var/lib/postgresql/15 "$2"/usr/share/postgresql/15/man
echo "listen_addresses = '*'" >>"$2"/usr/share/postgresql/15/postgresql.conf.sample
for program in initdb pg_ctl postgres psql; do ln -s ../lib/postgresql/15/bin/$program "$2/usr/bin/"; done
`;

/**
 * Returns the path of a root that has some programs of another root.
 *
 * @param finish A script that changes the new root $2; the other one is $1.
 */
async function programsOf(
  from: string,
  programs: readonly string[],
  finish = "",
): Promise<string> {
  const recipe = programs.join(" ") + COPY_PROGRAMS + finish;
  return await cached(`${from}-small-${await hash(recipe)}`, async (aside) => {
    for (const [script, ...words] of [[COPY_PROGRAMS, ...programs], [finish]]) {
      await must(["sh", "-euc", script!, "sh", from, aside, ...words], { timeout: 120_000 });
    }
  });
}

/**
 * Returns the path of a folder of the cache, which is made when it is missing. One at a time: the tests on both
 * kinds of host run at once. An unfinished folder has another name.
 */
export async function cached(
  path: string,
  make: (aside: string) => Promise<void>,
): Promise<string> {
  await Deno.mkdir(`${CACHE}/roots`, { recursive: true });
  using lock = await Deno.open(`${CACHE}/roots/.lock`, { create: true, write: true });
  await lock.lock(true);
  if (await exists(path)) return path;
  const aside = await Deno.makeTempDir({ dir: `${CACHE}/roots`, prefix: ".new-" });
  try {
    await Deno.chmod(aside, 0o755);
    await make(aside);
    await Deno.rename(aside, path);
  } catch (error) {
    await must(["rm", "-rf", aside]);
    throw error;
  }
  return path;
}

/**
 * Copies programs and their libraries from the root $1 to a new root $2. tar runs inside the root $1: outside, an
 * absolute link such as /lib64/ld-linux-x86-64.so.2 would lead to a file of this machine.
 */
const COPY_PROGRAMS = `
from=$1 to=$2
shift 2
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

/**
 * Returns the path of a cached root, named by a hash of its recipe.
 *
 * @param setup A script that changes the new root, its argument.
 */
async function cachedTree(
  name: string,
  suite: Suite,
  packages: readonly string[],
  setup?: string,
): Promise<string> {
  const recipe = [
    suite,
    packages,
    await mirror(),
    await certificates(),
    ...(setup === undefined ? [] : [setup]),
  ];
  return await cached(
    `${CACHE}/roots/${name}-${await hash(JSON.stringify(recipe))}`,
    async (aside) => {
      await removeOld(name);
      await bootstrap(aside, suite, packages);
      if (setup !== undefined) await must(["sh", "-euc", setup, "sh", aside]);
    },
  );
}

async function bootstrap(path: string, suite: Suite, packages: readonly string[]): Promise<void> {
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
  // The tests' TMPDIR does not exist in the root.
  await must(["env", "--unset=TMPDIR", "chroot", path, "update-ca-certificates"]);
}

/** Removes roots that are more than a day old, which no run still uses, and unfinished ones. */
async function removeOld(name: string): Promise<void> {
  await must([
    ...["find", `${CACHE}/roots`, "-mindepth", "1", "-maxdepth", "1", "-mmin", "+1440"],
    ...["(", "-name", `${name}-*`, "-o", "-name", ".new-*", ")"],
    ...["-exec", "rm", "-rf", "--one-file-system", "{}", "+"],
  ]);
}

/** Returns the mirror of this machine's packages on Debian; null leaves the choice to mmdebstrap(1). */
export async function mirror(): Promise<string | null> {
  const targets = await must([
    ...["apt-get", "indextargets", "--format", "$(REPO_URI) $(RELEASE)"],
    ...["Created-By: Packages", "Origin: Debian", "Component: main"],
  ]).catch(() => ""); // there is no apt
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

/** Returns a hash of eight hexadecimal digits. */
export async function hash(text: string): Promise<string> {
  const digest = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(text));
  return [...new Uint8Array(digest)].slice(0, 4)
    .map((byte) => byte.toString(16).padStart(2, "0")).join("");
}

async function exists(path: string): Promise<boolean> {
  return await Deno.stat(path).then(() => true, () => false);
}
