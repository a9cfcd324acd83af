/** The disk that virtual machines start from: made once, kept outside of the checkout, never changed. */

import { must, run } from "../hosts/command.ts";
import { CACHE, hash, jobChroot, mirror } from "../hosts/roots.ts";
import { noHostsBecause } from "../hosts/check.ts";
import { CHROOT } from "../hosts/site.ts";
import { furnish, PACKAGES, setupOptions } from "./guest.ts";

/** What a virtual machine is started with. */
export interface Image {
  readonly kernel: string;
  readonly initrd: string;
  /** The root file system, with the job's chroot in the store. */
  readonly disk: string;
  /** The private key that root's door opens to. */
  readonly key: string;
  /** The guest's own key, for the name {@linkcode GUEST}. */
  readonly knownHosts: string;
}

/** What ssh calls the guest, whatever its port. */
export const GUEST = "guest";

const SUITE = "trixie";
const SIZE = "4G"; // of a sparse file
const TOOLS = ["qemu-system-x86_64", "mmdebstrap", "mke2fs", "ssh", "ssh-keygen"];

/**
 * Why no virtual machine can run here.
 *
 * @returns In a few words, or null when one can.
 */
export async function noGuestBecause(): Promise<string | null> {
  const reason = await noHostsBecause(); // root creates its disk
  if (reason !== null) return reason;
  if (Deno.build.arch !== "x86_64") return `no guest is made for ${Deno.build.arch}`;
  const words = ["sh", "-c", 'for tool; do command -v "$tool" >/dev/null || echo "$tool"; done'];
  const missing = (await must([...words, "sh", ...TOOLS])).split("\n").filter(Boolean);
  return missing.length === 0 ? null : `no ${missing.join(", ")}`;
}

/**
 * The image, keyed by all that it is made from.
 *
 * @returns Paths; not to be changed.
 */
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

/** What was half made by a killed run has another name. */
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
    await furnish(`${aside}/tree`, await Deno.readTextFile(`${aside}/key.pub`));
    await store(`${aside}/tree`, chroot);
    await takeOut(`${aside}/tree`, aside);
    await makeDisk(`${aside}/tree`, `${aside}/root.raw`, SIZE);
    await must(["rm", "-rf", "--one-file-system", `${aside}/tree`]);
    await Deno.rename(aside, folder).catch(async (error) => {
      if (!await exists(folder)) throw error; // else another run was faster
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

/** QEMU loads the kernel itself; ssh wants to know whom it speaks to. */
async function takeOut(tree: string, folder: string): Promise<void> {
  for await (const { name } of Deno.readDir(`${tree}/boot`)) {
    const kind = name.match(/^(vmlinuz|initrd\.img)-/)?.[1];
    if (kind !== undefined) await Deno.copyFile(`${tree}/boot/${name}`, `${folder}/${kind}`);
  }
  const key = await Deno.readTextFile(`${tree}/etc/ssh/ssh_host_ed25519_key.pub`);
  await Deno.writeTextFile(`${folder}/known_hosts`, `${GUEST} ${key}`);
}

/**
 * Makes a disk of a folder, without mounting anything.
 *
 * @param folder Its contents, owners and modes kept.
 * @param disk The file to be made.
 * @param size As truncate(1) takes it; only what is used takes space.
 */
export async function makeDisk(folder: string, disk: string, size: string): Promise<void> {
  await must(["truncate", `--size=${size}`, disk]);
  const made = await run([
    ...["mke2fs", "-q", "-t", "ext4", "-E", "lazy_itable_init=1", "-d", folder, disk],
  ], { timeout: 300_000 });
  if (made.code !== 0) throw new Error(`mke2fs ended with ${made.code}: ${made.stderr}`);
}

/** Older images, and what killed runs left; a run of long ago uses none of them any more. */
async function sweep(): Promise<void> {
  await must([
    ...["find", `${CACHE}/vm`, "-mindepth", "1", "-maxdepth", "1", "-mmin", "+1440"],
    ...["-exec", "rm", "-rf", "--one-file-system", "{}", "+"],
  ]);
}

async function exists(path: string): Promise<boolean> {
  return await Deno.stat(path).then(() => true, () => false);
}
