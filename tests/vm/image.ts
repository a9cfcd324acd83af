/** The disk image of virtual machines, cached outside of the checkout. Nobody may change it. */

import { must, run } from "../hosts/command.ts";
import { CACHE, hash, jobChroot, mirror } from "../hosts/roots.ts";
import { noHostsBecause } from "../hosts/check.ts";
import { CHROOT } from "../hosts/site.ts";
import { makeGuest, PACKAGES, setupOptions } from "./guest.ts";

/** The files for starting a virtual machine. */
export interface Image {
  readonly kernel: string;
  readonly initrd: string;
  /** The root file system, with a chroot in the store. */
  readonly disk: string;
  /** The private key for root. */
  readonly key: string;
  /** The known_hosts file with the guest's key, for the name {@linkcode GUEST}. */
  readonly knownHosts: string;
}

/** The guest's name for ssh. */
export const GUEST = "guest";

const SUITE = "trixie";
const SIZE = "4G"; // sparse
const TOOLS = ["qemu-system-x86_64", "mmdebstrap", "mke2fs", "ssh", "ssh-keygen"];

/** Returns why no virtual machine can run here, in a few words; null where one can. */
export async function noGuestBecause(): Promise<string | null> {
  const reason = await noHostsBecause(); // root creates its disk
  if (reason !== null) return reason;
  if (Deno.build.arch !== "x86_64") return `no guest is made for ${Deno.build.arch}`;
  const words = ["sh", "-c", 'for tool; do command -v "$tool" >/dev/null || echo "$tool"; done'];
  const missing = (await must([...words, "sh", ...TOOLS])).split("\n").filter(Boolean);
  return missing.length === 0 ? null : `no ${missing.join(", ")}`;
}

/** Returns the cached image, named by a hash of its recipe. */
export async function image(): Promise<Image> {
  const chroot = await jobChroot();
  const recipes = ["image.ts", "guest.ts"].map((file) =>
    Deno.readTextFile(new URL(file, import.meta.url))
  );
  const recipe = [await mirror(), chroot, await Promise.all(recipes)];
  const folder = `${CACHE}/vm/${await hash(JSON.stringify(recipe))}`;
  if (!await exists(folder)) await build(folder, chroot);
  return {
    kernel: `${folder}/vmlinuz`,
    initrd: `${folder}/initrd.img`,
    disk: `${folder}/root.raw`,
    key: `${folder}/key`,
    knownHosts: `${folder}/known_hosts`,
  };
}

/** An unfinished image of a killed run has another name. */
async function build(folder: string, chroot: string): Promise<void> {
  await Deno.mkdir(`${CACHE}/vm`, { recursive: true, mode: 0o700 });
  await sweep();
  const aside = await Deno.makeTempDir({ dir: `${CACHE}/vm`, prefix: "." });
  try {
    await install(`${aside}/tree`);
    await must([
      ...["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "", "-f"],
      `${aside}/key`,
    ]);
    await makeGuest(`${aside}/tree`, await Deno.readTextFile(`${aside}/key.pub`));
    await store(`${aside}/tree`, chroot);
    await takeOut(`${aside}/tree`, aside);
    await makeDisk(`${aside}/tree`, `${aside}/root.raw`, SIZE);
    await must(["rm", "-rf", "--one-file-system", `${aside}/tree`]);
    await Deno.rename(aside, folder).catch(async (error) => {
      if (!await exists(folder)) throw error; // another run was faster
    });
  } finally {
    await must(["rm", "-rf", "--one-file-system", aside]);
  }
}

async function install(tree: string): Promise<void> {
  const from = await mirror();
  await must([
    ...["mmdebstrap", "--quiet", "--variant=minbase", `--include=${PACKAGES.join(",")}`],
    ...["--dpkgopt=force-unsafe-io", ...setupOptions()],
    ...[SUITE, tree, ...(from === null ? [] : [from])],
  ], { timeout: 900_000 });
}

async function store(tree: string, chroot: string): Promise<void> {
  await Deno.mkdir(`${tree}/var/lib/nspawn-runner`, { mode: 0o755 });
  const copy = ["cp", "--archive", chroot, `${tree}/var/lib/nspawn-runner/${CHROOT}`];
  await must(copy, { timeout: 300_000 });
}

/** Copies the kernel, which QEMU loads itself, and the guest's public key for ssh. */
async function takeOut(tree: string, folder: string): Promise<void> {
  for await (const { name } of Deno.readDir(`${tree}/boot`)) {
    const kind = name.match(/^(vmlinuz|initrd\.img)-/)?.[1];
    if (kind !== undefined) await Deno.copyFile(`${tree}/boot/${name}`, `${folder}/${kind}`);
  }
  const key = await Deno.readTextFile(`${tree}/etc/ssh/ssh_host_ed25519_key.pub`);
  await Deno.writeTextFile(`${folder}/known_hosts`, `${GUEST} ${key}`);
}

/**
 * Creates a disk image from a folder, with owners and modes, without mounting anything.
 *
 * @param size As for truncate(1).
 */
export async function makeDisk(folder: string, disk: string, size: string): Promise<void> {
  await must(["truncate", `--size=${size}`, disk]);
  const made = await run([
    ...["mke2fs", "-q", "-t", "ext4", "-E", "lazy_itable_init=1", "-d", folder, disk],
  ], { timeout: 300_000 });
  if (made.code !== 0) throw new Error(`mke2fs ended with ${made.code}: ${made.stderr}`);
}

/** Removes images that are more than a day old, which no run still uses, and unfinished ones. */
async function sweep(): Promise<void> {
  await must([
    ...["find", `${CACHE}/vm`, "-mindepth", "1", "-maxdepth", "1", "-mmin", "+1440"],
    ...["-exec", "rm", "-rf", "--one-file-system", "{}", "+"],
  ]);
}

async function exists(path: string): Promise<boolean> {
  return await Deno.stat(path).then(() => true, () => false);
}
