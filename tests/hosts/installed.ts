/** The program as install.sh installs it. */

import { must, run } from "./command.ts";
import { CACHE, hash } from "./roots.ts";

const checkout = new URL("../..", import.meta.url).pathname.replace(/\/$/, "");

/** Everything that an installation depends on. */
const SOURCES = [
  "src",
  "npm",
  "share",
  "packaging",
  "mod.ts",
  "deno.json",
  "install.sh",
];

/** What a package contains in addition. */
const DOCUMENTS = [
  "docs",
  "README.md",
  "CHANGELOG.md",
  "CONTRIBUTING.md",
  "SECURITY.md",
  "LICENSE",
];

/** An installation. */
export interface Installed {
  /** Its folder, at the same path on hosts. */
  readonly prefix: string;
  readonly program: string;
}

/** Installs the checkout's program once for all tests, by a hash of its sources. Nobody may change it. */
export async function installed(): Promise<Installed> {
  const prefix = await made("installation", install);
  return { prefix, program: `${prefix}/bin/nspawn-runner` };
}

/** Packages of two versions. */
export interface Packages {
  /** The folder of all of them, at the same path on hosts. */
  readonly folder: string;
  /** The .deb of this checkout, and the same with a higher version. */
  readonly debs: readonly [string, string];
  /** The .rpm of this checkout; null where no rpmbuild is installed. */
  readonly rpm: string | null;
}

/** A version that is higher than any other. */
export const HIGHER_VERSION = "999.0.0";

/** Makes packages of the checkout once for all tests, and of a copy with a higher version. */
export async function packages(): Promise<Packages> {
  const folder = await made("packages", makePackages);
  const files = (await must(["find", folder, "-name", "*.deb", "-o", "-name", "*.rpm"])).split(
    "\n",
  );
  const [own, higher] = files.filter((file) => file.endsWith(".deb"))
    .sort((one) => one.includes(`_${HIGHER_VERSION}_`) ? 1 : -1);
  return {
    folder,
    debs: [own!, higher!],
    rpm: files.find((file) => file.endsWith(".rpm")) ?? null,
  };
}

async function makePackages(folder: string): Promise<void> {
  await Deno.mkdir(folder);
  const hasRpm = (await run(["sh", "-c", "command -v rpmbuild"])).code === 0;
  await pack(checkout, folder, hasRpm ? ["--deb", "--rpm"] : ["--deb"]);
  const copy = await Deno.makeTempDir();
  try {
    await must(["cp", "-a", ...SOURCES, ...DOCUMENTS, copy], { cwd: checkout });
    await must(["chmod", "-R", "go=", copy]); // as with a strict umask
    const { version } = JSON.parse(await Deno.readTextFile(`${copy}/deno.json`));
    const change = `s/"${version}"/"${HIGHER_VERSION}"/`;
    await must(["sed", "-i", change, "deno.json", "src/version.ts"], { cwd: copy });
    await pack(copy, folder, ["--deb"]);
  } finally {
    await Deno.remove(copy, { recursive: true });
  }
}

/** The compression of dpkg's default takes longer than all else. */
async function pack(from: string, folder: string, formats: readonly string[]): Promise<void> {
  const fast = { DPKG_DEB_COMPRESSOR_TYPE: "gzip", DPKG_DEB_COMPRESSOR_LEVEL: "1" };
  await must([`${from}/packaging/build.sh`, ...formats, "--out", folder], {
    env: { ...ENVIRONMENT, ...fast },
    timeout: 900_000,
  });
}

/** Makes a folder by the sources of the checkout, unless it is there. */
async function made(what: string, make: (path: string) => Promise<void>): Promise<string> {
  const files = await must(["find", ...SOURCES, "-type", "f"], { cwd: checkout });
  const texts = await Promise.all(
    files.split("\n").sort().map(async (file) => [
      file,
      await Deno.readTextFile(`${checkout}/${file}`),
    ]),
  );
  const key = await hash(JSON.stringify([what, Deno.version.deno, texts]));
  const path = `${CACHE}/${key}`;
  await Deno.mkdir(CACHE, { recursive: true });
  // The tests on both kinds of host run at once.
  using lock = await Deno.open(`${CACHE}/.install-lock`, { create: true, write: true });
  await lock.lock(true);
  if (await Deno.stat(`${path}/complete`).catch(() => null)) return path;
  await removeOld();
  await Deno.remove(path, { recursive: true }).catch(() => {}); // of a killed run
  await make(path);
  await Deno.writeTextFile(`${path}/complete`, "");
  return path;
}

const ENVIRONMENT = {
  ...Deno.env.toObject(),
  DENO: Deno.env.get("DENO") ?? Deno.execPath(),
  NSPAWN_RUNNER_CONFIG: "/dev/null", // this machine gets no configuration
};

async function install(prefix: string): Promise<void> {
  await must([`${checkout}/install.sh`, "--prefix", prefix, "--no-deps"], {
    env: ENVIRONMENT,
    timeout: 900_000,
  });
}

/** Removes installations that are more than a day old, which no run still uses. */
async function removeOld(): Promise<void> {
  await must([
    ...["find", CACHE, "-mindepth", "1", "-maxdepth", "1", "-type", "d", "-mmin", "+1440"],
    ...["-regex", ".*/[0-9a-f]*", "-exec", "rm", "-rf", "{}", "+"],
  ]);
}
