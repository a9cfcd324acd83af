/** The program in the form that install.sh gives it. */

import { must } from "./command.ts";
import { CACHE, hash } from "./roots.ts";

const checkout = new URL("../..", import.meta.url).pathname.replace(/\/$/, "");

/** All that makes the installed program what it is. */
const SOURCES = ["src", "npm", "mod.ts", "deno.json", "install.sh"];

/** An installation. */
export interface Installed {
  /** Its folder: hosts see it at the same path. */
  readonly prefix: string;
  readonly program: string;
}

/**
 * Installs what the checkout holds, once for all test files: an installation is known by its sources.
 *
 * @returns The installation; not to be changed.
 */
export async function installed(): Promise<Installed> {
  const files = await must(["find", ...SOURCES, "-type", "f"], { cwd: checkout });
  const texts = await Promise.all(
    files.split("\n").sort().map(async (file) => [
      file,
      await Deno.readTextFile(`${checkout}/${file}`),
    ]),
  );
  // Short: a #! line, which names the prefix twice, has 255 bytes at most.
  const key = await hash(JSON.stringify([Deno.version.deno, texts]));
  const prefix = `${CACHE}/${key}`;
  if (!await Deno.stat(`${prefix}/complete`).catch(() => null)) await install(prefix);
  return { prefix, program: `${prefix}/bin/nspawn-runner` };
}

async function install(prefix: string): Promise<void> {
  await Deno.mkdir(CACHE, { recursive: true });
  await sweep();
  await Deno.remove(prefix, { recursive: true }).catch(() => {}); // what a killed run began
  await must([`${checkout}/install.sh`, "--prefix", prefix, "--no-deps"], {
    env: { ...Deno.env.toObject(), DENO: Deno.env.get("DENO") ?? Deno.execPath() },
    timeout: 900_000,
  });
  await Deno.writeTextFile(`${prefix}/complete`, "");
}

/** Installations of older sources; a run of yesterday uses none of them any more. */
async function sweep(): Promise<void> {
  await must([
    ...["find", CACHE, "-mindepth", "1", "-maxdepth", "1", "-type", "d", "-mmin", "+1440"],
    ...["-regex", ".*/[0-9a-f]*", "-exec", "rm", "-rf", "{}", "+"],
  ]);
}
