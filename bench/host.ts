/**
 * Installs the program on a host, runs job.ts there (create.ts, images.ts or services.ts where an option of that name is given), and removes everything afterwards.
 *
 * @module
 */

import { must } from "../tests/hosts/command.ts";
import { busyboxRoot, helperChroot, jobChroot } from "../tests/hosts/roots.ts";
import { runMain } from "./entry.ts";
import { installForms } from "./forms.ts";
import { type Options, readOptions, type Task } from "./options.ts";
import { openContainer, openHere, type Place } from "./place.ts";

/** The chroot that all machines start from. */
const IMAGE = "bookworm";

/** The tree of the image of a service. */
const BUSYBOX = "busybox";

/** Time limit of a run, in milliseconds. */
const PATIENCE = 4 * 3_600_000;

async function main(): Promise<number> {
  const options = readOptions(Deno.args);
  const [program, packages] = workOf(options);
  const isCreate = options.mode === "create";
  const folder = await Deno.makeTempDir({ dir: "/var/tmp", prefix: "nr-bench-" });
  try {
    await Deno.chmod(folder, 0o755);
    const forms = await installForms(
      folder,
      program !== "job" || options.only.startsWith("script"),
    );
    const { folders, ...peer } = await findPeer(options, folder);
    await bundle(folder, program);
    const place = options.host === "here"
      ? await openHere()
      : await openContainer(options.host, packages);
    try {
      const store = isCreate ? place.store : await layChroot(place, options);
      const busybox = `${place.store}/${BUSYBOX}`;
      const task: Task = { ...options, ...forms, store, image: IMAGE, busybox, ...peer };
      await Deno.writeTextFile(`${folder}/task.json`, JSON.stringify(task));
      for (const path of [folder, ...folders]) await place.bring(path);
      return await runBench(place, [
        ...[`${folder}/deno`, "run", "--allow-all", "--no-config", `${folder}/bench.js`],
        `${folder}/task.json`,
      ]);
    } finally {
      await place.close();
    }
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

/** Returns the program to run on the host, and the packages that it needs there. */
function workOf({ mode, peer }: Options): readonly [program: string, packages: readonly string[]] {
  switch (mode) {
    case "create":
      return ["create", []];
    case "images":
    case "services":
      return [mode, ["docker-registry"]];
    default:
      return ["job", peer === "docker" ? ["docker.io", "docker-cli"] : []];
  }
}

/** What compares: its program, and the folders that it needs on the host. */
interface PeerFiles extends Pick<Task, "peer" | "isPeerOurs"> {
  readonly folders: readonly string[];
}

/** Copies a peer that is one file to the folder; the prefix of an installation keeps its path, which its files name. */
async function findPeer({ peer }: Options, folder: string): Promise<PeerFiles> {
  if (peer === undefined || peer === "docker") return { peer, isPeerOurs: false, folders: [] };
  const path = await Deno.realPath(peer);
  if ((await Deno.stat(path)).isDirectory) {
    const folders = [`${path}/bin`, `${path}/lib/nspawn-runner`];
    return { peer: `${path}/bin/nspawn-runner`, isPeerOurs: true, folders };
  }
  await must(["install", "--mode=755", path, `${folder}/peer`]);
  return { peer: `${folder}/peer`, isPeerOurs: false, folders: [] };
}

/** Bundles the benchmark and copies Deno, so that the host needs neither Deno nor a checkout. */
async function bundle(folder: string, name: string): Promise<void> {
  const route = (Deno.env.get("ROUTE") ?? "").split(" ").filter(Boolean);
  const bench = new URL(".", import.meta.url).pathname;
  const argv = [Deno.execPath(), "bundle", ...route, "-o", `${folder}/bench.js`];
  await must([...argv, `${bench}${name}.ts`], { cwd: `${bench}..`, env: Deno.env.toObject() });
  await Deno.copyFile(Deno.execPath(), `${folder}/deno`);
}

/** Puts the chroot into the place's store, and returns the store. */
async function layChroot(place: Place, { storage, mode }: Options): Promise<string> {
  const chroot = await jobChroot();
  const copy = async (tree: string, name: string) =>
    void await must(["cp", "--archive", tree, place.outerPath(`${place.store}/${name}`)]);
  if (mode === "images" || mode === "services") await copy(await helperChroot(), "helper");
  if (mode === "services") await copy(await busyboxRoot(), BUSYBOX);
  if (storage !== "btrfs") {
    await copy(chroot, IMAGE);
    return place.store;
  }
  if (place.btrfs === null) throw new Error("Cannot use btrfs: none can be mounted here");
  const path = place.outerPath(`${place.btrfs}/${IMAGE}`);
  await must(["btrfs", "subvolume", "create", path]);
  await must(["cp", "--archive", `${chroot}/.`, path]);
  return place.btrfs;
}

async function runBench(place: Place, argv: readonly string[]): Promise<number> {
  const bench = place.start(argv, { timeout: PATIENCE });
  const stop = () => void place.signal(bench, "SIGTERM"); // it finishes its round first
  Deno.addSignalListener("SIGINT", stop);
  Deno.addSignalListener("SIGTERM", stop);
  const { code, bytes, stderr } = await bench.ended;
  await Deno.stdout.write(bytes);
  await Deno.stderr.write(new TextEncoder().encode(stderr));
  return code;
}

await runMain(main);
