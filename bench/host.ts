/**
 * Installs the program on a host, runs job.ts there, and takes everything away again. The first
 * word says where: a Debian suite, for a host container that boots it, or `here`.
 *
 * @module
 */

import { killGroup, must, type Options, type Running, start } from "../tests/hosts/command.ts";
import { openFolder } from "../tests/hosts/folder.ts";
import { installed } from "../tests/hosts/installed.ts";
import { jobChroot } from "../tests/hosts/roots.ts";
import { bootSystemd } from "../tests/hosts/systemd.ts";

/** Where the benchmark runs. */
interface Place {
  readonly store: string;
  readonly btrfs: string | null;
  /** Where a path of the place is for us. */
  outside(path: string): string;
  start(argv: readonly string[], options: Options): Running;
  signal(running: Running, signal: Deno.Signal): Promise<void>;
  close(): Promise<void>;
}

/** The chroot that all machines start from. */
const IMAGE = "bookworm";

/** Longest run, in milliseconds. */
const PATIENCE = 4 * 3_600_000;

async function main([where = "here", ...words]: string[]): Promise<number> {
  const tools = await Deno.makeTempDir({ dir: "/var/tmp", prefix: "nr-bench-" });
  try {
    const { prefix, program } = await installed();
    await makeTools(tools, program);
    const place = where === "here" ? await openHere() : await openContainer(where, tools, prefix);
    try {
      const store = await layChroot(place, words);
      const rest = await bringPeer(tools, words);
      return await runJob(place, [
        ...[`${tools}/deno`, "run", "--allow-all", "--no-config", `${tools}/job.js`],
        ...["--program", program, "--store", store, "--image", IMAGE],
        ...await isThere(`${tools}/empty`) ? ["--empty", `${tools}/empty`] : [],
        ...rest,
      ]);
    } finally {
      await place.close();
    }
  } finally {
    await Deno.remove(tools, { recursive: true });
  }
}

/** All that the benchmark brings, so that the host need not have a Deno or a checkout. */
async function makeTools(tools: string, program: string): Promise<void> {
  await Deno.chmod(tools, 0o755);
  const deno = Deno.execPath();
  const route = (Deno.env.get("ROUTE") ?? "").split(" ").filter(Boolean);
  const env = Deno.env.toObject();
  const bench = new URL(".", import.meta.url).pathname;
  await must([deno, "bundle", ...route, "-o", `${tools}/job.js`, `${bench}job.ts`], {
    cwd: `${bench}..`,
    env,
  });
  await Deno.copyFile(deno, `${tools}/deno`);
  if (await isScript(program)) return; // job.ts makes an empty one by itself
  await Deno.writeTextFile(`${tools}/empty.js`, "");
  await must(
    [
      ...[deno, "compile", "--no-config", "--no-code-cache", "--no-prompt", "--allow-read"],
      ...["--allow-write", "--allow-env", "--allow-run", "--allow-sys"],
      ...["-o", `${tools}/empty`, `${tools}/empty.js`],
    ],
    { env, timeout: 300_000 },
  );
}

async function isScript(program: string): Promise<boolean> {
  using file = await Deno.open(program);
  const start = new Uint8Array(2);
  await file.read(start);
  return new TextDecoder().decode(start) === "#!";
}

async function openHere(): Promise<Place> {
  const folder = await openFolder();
  const enter = ["sh", "-c", 'echo $$ >"$1/cgroup.procs" && shift && exec "$@"', "sh"];
  return {
    store: `${folder.path}/store`,
    btrfs: await isBtrfs(`${folder.path}/btrfs`) ? `${folder.path}/btrfs` : null,
    outside: (path) => path,
    start: (argv, options) => start([...enter, folder.cgroup, ...argv], options),
    signal: ({ pid }, signal) => Promise.resolve(killGroup(pid, signal)),
    close: folder.close,
  };
}

async function openContainer(suite: string, tools: string, prefix: string): Promise<Place> {
  if (suite !== "trixie" && suite !== "bookworm") {
    throw new Error(`Cannot make a host "${suite}": it is trixie, bookworm or here`);
  }
  await must(["cp", "--archive", prefix, `${tools}/prefix`]);
  const host = await bootSystemd(suite, [tools]);
  // A copy: below a read-only folder Deno has no place for its cache, and starts slower.
  const parent = prefix.slice(0, prefix.lastIndexOf("/"));
  await host.exec(["mkdir", "--parents", parent]);
  await host.exec(["cp", "--archive", `${tools}/prefix`, prefix]);
  return host;
}

/** Gives the store in which the chroot is. */
async function layChroot(place: Place, words: readonly string[]): Promise<string> {
  const chroot = await jobChroot();
  const wanted = words.join(" ").match(/--storage[ =](\S+)/)?.[1];
  if (wanted !== "btrfs") {
    await must(["cp", "--archive", chroot, place.outside(`${place.store}/${IMAGE}`)]);
    return place.store;
  }
  if (place.btrfs === null) throw new Error("Cannot use btrfs: none can be mounted here");
  const path = place.outside(`${place.btrfs}/${IMAGE}`);
  await must(["btrfs", "subvolume", "create", path]);
  await must(["cp", "--archive", `${chroot}/.`, path]);
  return place.btrfs;
}

/** A peer is copied to where the host sees it, and its place put into the words. */
async function bringPeer(tools: string, words: readonly string[]): Promise<string[]> {
  const at = words.findIndex((word) => /^--peer(=|$)/.test(word));
  if (at === -1) return [...words];
  const joined = words[at]!.startsWith("--peer=");
  const path = joined ? words[at]!.slice("--peer=".length) : words[at + 1] ?? "";
  await must(["install", "--mode=755", path, `${tools}/peer`]);
  return [...words.slice(0, at), `--peer=${tools}/peer`, ...words.slice(at + (joined ? 1 : 2))];
}

async function runJob(place: Place, argv: readonly string[]): Promise<number> {
  const job = place.start(argv, { timeout: PATIENCE });
  const stop = () => void place.signal(job, "SIGTERM"); // it ends its round, and its machines
  Deno.addSignalListener("SIGINT", stop);
  Deno.addSignalListener("SIGTERM", stop);
  const { code, bytes, stderr } = await job.ended;
  await Deno.stdout.write(bytes);
  await Deno.stderr.write(new TextEncoder().encode(stderr));
  return code;
}

async function isBtrfs(path: string): Promise<boolean> {
  return await must(["stat", "--file-system", "--format=%T", path]) === "btrfs";
}

async function isThere(path: string): Promise<boolean> {
  return await Deno.stat(path).then(() => true, () => false);
}

try {
  Deno.exit(await main(Deno.args));
} catch (error) {
  const message = error instanceof Error ? error.message : String(error);
  await Deno.stderr.write(new TextEncoder().encode(`bench: ${message}\n`));
  Deno.exit(1);
}
