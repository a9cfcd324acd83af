/**
 * Installs the program on a host, runs job.ts or, for `--create`, create.ts there, and removes everything afterwards.
 * `--host` is a Debian suite, for a host container that boots it, or `here`.
 *
 * @module
 */

import { must } from "../tests/hosts/command.ts";
import { installed } from "../tests/hosts/installed.ts";
import { jobChroot } from "../tests/hosts/roots.ts";
import { runMain } from "./entry.ts";
import { openPlace, type Place } from "./place.ts";
import { takeOption } from "./words.ts";

/** The chroot that all machines start from. */
const IMAGE = "bookworm";

/** Time limit of a run, in milliseconds. */
const PATIENCE = 4 * 3_600_000;

async function main(): Promise<number> {
  const { value: where = "here", rest } = takeOption(Deno.args, "--host");
  const words = rest.filter((word) => word !== "--create");
  const isCreate = words.length < rest.length;
  const tools = await Deno.makeTempDir({ dir: "/var/tmp", prefix: "nr-bench-" });
  try {
    const { prefix, program } = await installed();
    await bundle(tools, isCreate ? "create" : "job");
    const bring = isCreate ? bringCreate : bringJob;
    const place = await openPlace(where, tools, prefix);
    try {
      const more = await bring(place, tools, words, program);
      return await runBench(place, [
        ...[`${tools}/deno`, "run", "--allow-all", "--no-config", `${tools}/bench.js`],
        ...["--program", program, ...more],
      ]);
    } finally {
      await place.close();
    }
  } finally {
    await Deno.remove(tools, { recursive: true });
  }
}

/** Bundles the benchmark and copies Deno, so that the host needs neither Deno nor a checkout. */
async function bundle(tools: string, name: string): Promise<void> {
  await Deno.chmod(tools, 0o755);
  const route = (Deno.env.get("ROUTE") ?? "").split(" ").filter(Boolean);
  const bench = new URL(".", import.meta.url).pathname;
  const argv = [Deno.execPath(), "bundle", ...route, "-o", `${tools}/bench.js`];
  await must([...argv, `${bench}${name}.ts`], { cwd: `${bench}..`, env: Deno.env.toObject() });
  await Deno.copyFile(Deno.execPath(), `${tools}/deno`);
}

/** Returns the words of create.ts, whose store is empty. */
function bringCreate({ store }: Place, _tools: string, words: readonly string[]): string[] {
  return ["--store", store, ...words];
}

async function bringJob(
  place: Place,
  tools: string,
  words: readonly string[],
  program: string,
): Promise<string[]> {
  const empty = await isScript(program) ? [] : ["--empty", await compileEmpty(tools)];
  const store = await layChroot(place, words);
  return ["--store", store, "--image", IMAGE, ...empty, ...await bringPeer(tools, words)];
}

async function isScript(program: string): Promise<boolean> {
  using file = await Deno.open(program);
  const start = new Uint8Array(2);
  await file.read(start);
  return new TextDecoder().decode(start) === "#!";
}

/** Compiles an empty program; job.ts itself creates one that is a script. */
async function compileEmpty(tools: string): Promise<string> {
  await Deno.writeTextFile(`${tools}/empty.js`, "");
  await must(
    [
      ...[Deno.execPath(), "compile", "--no-config", "--no-code-cache", "--no-prompt"],
      ...["--allow-read", "--allow-write", "--allow-env", "--allow-run", "--allow-sys"],
      ...["-o", `${tools}/empty`, `${tools}/empty.js`],
    ],
    { env: Deno.env.toObject(), timeout: 300_000 },
  );
  return `${tools}/empty`;
}

/** Puts the chroot into the place's store, and returns the store. */
async function layChroot(place: Place, words: readonly string[]): Promise<string> {
  const chroot = await jobChroot();
  if (takeOption(words, "--storage").value !== "btrfs") {
    await must(["cp", "--archive", chroot, place.outerPath(`${place.store}/${IMAGE}`)]);
    return place.store;
  }
  if (place.btrfs === null) throw new Error("Cannot use btrfs: none can be mounted here");
  const path = place.outerPath(`${place.btrfs}/${IMAGE}`);
  await must(["btrfs", "subvolume", "create", path]);
  await must(["cp", "--archive", `${chroot}/.`, path]);
  return place.btrfs;
}

/** Copies a peer to a folder that the host has, and replaces its path in the words. */
async function bringPeer(tools: string, words: readonly string[]): Promise<readonly string[]> {
  const { value: path, rest } = takeOption(words, "--peer");
  if (path === undefined) return words;
  await must(["install", "--mode=755", path, `${tools}/peer`]);
  return [...rest, `--peer=${tools}/peer`];
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
