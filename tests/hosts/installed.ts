/** The program as install.sh installs it. */

import { must } from "./command.ts";
import { CACHE, hash } from "./roots.ts";

const checkout = new URL("../..", import.meta.url).pathname.replace(/\/$/, "");

/** Everything that an installation depends on. */
const SOURCES = ["src", "npm", "mod.ts", "deno.json", "install.sh"];

/** An installation. */
export interface Installed {
  /** Its folder, at the same path on hosts. */
  readonly prefix: string;
  readonly program: string;
}

/** Installs the checkout's program once for all tests, by a hash of its sources. Nobody may change it. */
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
  await Deno.mkdir(CACHE, { recursive: true });
  // The tests on both kinds of host run at once.
  using lock = await Deno.open(`${CACHE}/.install-lock`, { create: true, write: true });
  await lock.lock(true);
  if (!await Deno.stat(`${prefix}/complete`).catch(() => null)) await install(prefix);
  return { prefix, program: `${prefix}/bin/nspawn-runner` };
}

async function install(prefix: string): Promise<void> {
  await removeOld();
  await Deno.remove(prefix, { recursive: true }).catch(() => {}); // of a killed run
  await must([`${checkout}/install.sh`, "--prefix", prefix, "--no-deps"], {
    env: {
      ...Deno.env.toObject(),
      DENO: Deno.env.get("DENO") ?? Deno.execPath(),
      NSPAWN_RUNNER_CONFIG: "/dev/null", // this machine gets no configuration
    },
    timeout: 900_000,
  });
  await Deno.writeTextFile(`${prefix}/complete`, "");
}

/** Removes installations that are more than a day old, which no run still uses. */
async function removeOld(): Promise<void> {
  await must([
    ...["find", CACHE, "-mindepth", "1", "-maxdepth", "1", "-type", "d", "-mmin", "+1440"],
    ...["-regex", ".*/[0-9a-f]*", "-exec", "rm", "-rf", "{}", "+"],
  ]);
}
