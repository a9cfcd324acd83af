/** Calls install.sh for its tests. */

import { skipReal } from "../skip.ts";

/** Path of the tested checkout. */
export const checkout: string = new URL("../..", import.meta.url).pathname.replace(/\/$/, "");

/** The result of a command. */
export interface Done {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
  /** Stdout and stderr. */
  readonly output: string;
}

type Environment = Readonly<Record<string, string>>;

/** As if Deno's site were out of reach: an executable that is built with this denort does not start. */
export const NO_DENORT: Environment = { DENORT_BIN: "/bin/false" };

/** Runs a command to its end; it gets SIGTERM when its output contains `endAt`. */
export async function run(
  argv: readonly string[],
  options: { env?: Environment; cwd?: string; endAt?: string } = {},
): Promise<Done> {
  const [program, ...args] = argv;
  const { env, cwd, endAt } = options;
  const child = new Deno.Command(program!, {
    args,
    ...(env === undefined ? {} : { env }),
    ...(cwd === undefined ? {} : { cwd }),
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  const endWhenSaid = (text: string) => {
    if (endAt !== undefined && text.includes(endAt)) child.kill("SIGTERM");
  };
  const [stdout, stderr, { code }] = await Promise.all([
    textOf(child.stdout, endWhenSaid),
    textOf(child.stderr),
    child.status,
  ]);
  return { code, stdout, stderr, output: stdout + stderr };
}

async function textOf(
  stream: ReadableStream<Uint8Array>,
  heard: (text: string) => void = () => {},
): Promise<string> {
  let text = "";
  for await (const piece of stream.pipeThrough(new TextDecoderStream())) {
    text += piece;
    heard(piece);
  }
  return text;
}

/** This machine gets no configuration. */
const NO_CONFIGURATION: Environment = { NSPAWN_RUNNER_CONFIG: "/dev/null" };

/** Runs install.sh from another folder. */
export function install(
  words: readonly string[],
  env: Environment = {},
  endAt?: string,
  as: readonly string[] = [],
): Promise<Done> {
  const argv = [...as, `${checkout}/install.sh`, ...words];
  return run(argv, {
    env: { ...NO_CONFIGURATION, ...env },
    cwd: "/",
    ...(endAt === undefined ? {} : { endAt }),
  });
}

/** Runs a test with a new prefix, which is removed afterwards. */
export async function withPrefix(act: (prefix: string) => Promise<void>): Promise<void> {
  const folder = await Deno.makeTempDir();
  await Deno.chmod(folder, 0o755);
  try {
    await act(`${folder}/p`);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

/** Returns the version in deno.json. */
export async function versionOf(): Promise<string> {
  return JSON.parse(await Deno.readTextFile(`${checkout}/deno.json`)).version;
}

/** Returns the manifest that install.sh wrote. */
export function manifestOf(prefix: string): Promise<string> {
  return Deno.readTextFile(`${prefix}/lib/nspawn-runner/manifest`);
}

/** Returns every path below a folder with its mode, owner, size and modification time. */
export async function listing(folder: string): Promise<string[]> {
  const format = "%P %M %u %s %T@\n";
  const args = [folder, "-name", ".git", "-prune", "-o", "-type", "f", "-printf", format];
  const directories = [folder, "-name", ".git", "-prune", "-o", "-type", "d", "-printf", "%P %M\n"];
  const done = await Promise.all([run(["find", ...args]), run(["find", ...directories])]);
  return done.flatMap(({ stdout }) => stdout.split("\n")).sort();
}

/** Returns the files and modes below a prefix, without the cache's contents. */
export async function modesOf(prefix: string): Promise<Record<string, string>> {
  const done = await run([
    "find",
    prefix,
    "-mindepth",
    "2",
    "(",
    "-type",
    "f",
    "-o",
    "-name",
    "cache",
    ")",
    "-printf",
    "%P\t%m %u\n",
    "-name",
    "cache",
    "-prune",
  ]);
  const lines = done.stdout.trim().split("\n").sort();
  return Object.fromEntries(lines.map((line) => line.split("\t")));
}

/** Returns the metadata that `deno compile` wrote, up to the permissions. */
export async function metadataOf(executable: string): Promise<Record<string, unknown>> {
  const pattern = '[{]"argv":\\[.{0,200}"permissions":[{][^}]*},.{0,50}"v8_flags":\\[[^]]*]';
  const done = await run(["grep", "-aoE", pattern, executable]);
  return JSON.parse(`${done.stdout.trim()}}`);
}

/** Returns the names of the modules that the program in an executable imports, and of the files in the executable. */
export async function modulesIn(
  executable: string,
): Promise<{ imported: string[]; contained: string[] }> {
  const done = await run(["grep", "-aoE", '"(\\./)?[a-z_]+-[A-Z0-9]{8}\\.js"', executable]);
  const words = [...new Set(done.stdout.trim().split("\n"))].map((word) => word.slice(1, -1));
  const [imported, contained] = [true, false].map((isImport) =>
    words.filter((word) => word.startsWith("./") === isImport)
  );
  return { imported: imported!.map((word) => word.slice(2)), contained: contained! };
}

/** Returns the environment with which install.sh builds an executable; skips the test and returns null without a denort. */
export async function fetchDenort(test: string): Promise<Environment | null> {
  const given = Deno.env.get("DENORT_BIN");
  if (given !== undefined) return { DENORT_BIN: given };
  if (Deno.build.arch !== "x86_64") return noDenort(test, `none for ${Deno.build.arch}`);
  const folder = "/var/cache/nspawn-runner-tests/denort-2.6.10";
  const done = await run(["python3", `${checkout}/tests/denort.py`, folder]);
  if (done.code !== 0) return noDenort(test, done.stderr.trim().split("\n").at(-1) ?? "");
  return { DENORT_BIN: `${folder}/denort`, DENO: `${folder}/deno` };
}

function noDenort(test: string, reason: string): null {
  skipReal(test, `no denort: ${reason}`);
  return null;
}
