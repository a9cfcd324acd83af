/** A registry of images on this machine: Debian's docker-registry. */

import { must, run, type Running, start } from "./command.ts";
import type { TestHost } from "./host.ts";
import { until } from "./init_process.ts";
import { OUTER_ADDRESS } from "./network.ts";

/** A registry, by default with a password. */
export interface Registry {
  /** Its address on hosts. */
  readonly address: string;
  /** Its address on this machine. */
  readonly local: string;
  /** The folder of pushed images. */
  readonly folder: string;
  /** Path of a file with the password: containers-auth.json(5). */
  readonly auth: string;
  stop(): Promise<void>;
  /** Starts it again, with its images. */
  start(): Promise<void>;
}

/** `USER:PASSWORD` of the registry. */
export const REGISTRY_LOGIN = "ci:wxyz";

/** The output of htpasswd(1) for them. */
const HTPASSWD = "ci:$2b$05$abcdefghijklmnopqrstuuTG/6vovn/nTi4CRKQU75D98yKXvzQyy\n";

/** Returns why no registry can run here; null where one can. */
export async function missingRegistryProgram(): Promise<string | null> {
  for (const program of ["docker-registry", "skopeo", "umoci"]) {
    const found = await run(["sh", "-c", 'command -v "$1"', "sh", program]);
    if (found.code !== 0) return `${program} is not installed`;
  }
  return null;
}

/**
 * Runs a test with a registry on loopback.
 *
 * @param isOpen Whether it asks for no password.
 */
export async function withRegistry(
  body: (registry: Registry) => Promise<void>,
  isOpen = false,
): Promise<void> {
  const folder = await Deno.makeTempDir({ prefix: "nr-registry-" });
  const port = freePort();
  const [address, here] = [OUTER_ADDRESS, "127.0.0.1"].map((name) => `${name}:${port}`) as [
    string,
    string,
  ];
  await Deno.writeTextFile(`${folder}/htpasswd`, HTPASSWD);
  await Deno.writeTextFile(`${folder}/config.yml`, settingsOf(folder, here, isOpen));
  const own = { auth: btoa(REGISTRY_LOGIN) };
  const auths = { [address]: own, [here]: own };
  await Deno.writeTextFile(`${folder}/auth.json`, JSON.stringify({ auths }));
  let running: Running | undefined;
  const stop = async () => {
    if (running !== undefined) Deno.kill(running.pid, "SIGKILL");
    await running?.ended;
    running = undefined;
  };
  const registry: Registry = {
    address,
    local: here,
    folder: `${folder}/data`,
    auth: `${folder}/auth.json`,
    stop,
    async start() {
      running = start(["docker-registry", "serve", `${folder}/config.yml`], { timeout: 600_000 });
      const up = await until(
        () => Deno.connect({ port }).then((one) => (one.close(), true)).catch(() => null),
        60_000,
      );
      if (up === null) throw new Error("the registry does not start");
    },
  };
  try {
    await registry.start();
    await body(registry);
  } finally {
    await stop();
    await Deno.remove(folder, { recursive: true });
  }
}

function freePort(): number {
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  return (listener.addr as Deno.NetAddr).port;
}

function settingsOf(folder: string, address: string, isOpen: boolean): string {
  const auth = { htpasswd: { realm: "tests", path: `${folder}/htpasswd` } };
  return JSON.stringify({
    version: 0.1,
    log: { level: "error" },
    storage: { filesystem: { rootdirectory: `${folder}/data` } },
    http: { addr: address },
    ...(isOpen ? {} : { auth }),
  });
}

/** Configures a host to use the registry without TLS. */
export async function allowPlainHttp(host: TestHost, { address }: Registry): Promise<void> {
  await addRegistry(host, address, `location = "${address}"`);
}

/** Runs a test while a host takes the official images of Docker Hub from a registry. */
export async function asDockerHub(
  host: TestHost,
  { address }: Registry,
  body: () => Promise<void>,
): Promise<void> {
  await addRegistry(host, HUB, `prefix = "docker.io/library"\nlocation = "${address}"`);
  try {
    await body();
  } finally {
    await host.exec(["rm", `${REGISTRIES}/${HUB}.conf`]);
  }
}

/** Runs a test while a host has a registry as the mirror of another one. */
export async function asMirror(
  host: TestHost,
  { address }: Registry,
  of: string,
  body: () => Promise<void>,
): Promise<void> {
  const mirror = `[[registry.mirror]]\ninsecure = true\nlocation = "${address}/mirrored"`;
  await addRegistry(host, MIRROR, `location = "${of}"\n${mirror}`);
  try {
    await body();
  } finally {
    await host.exec(["rm", `${REGISTRIES}/${MIRROR}.conf`]);
  }
}

const REGISTRIES = "/etc/containers/registries.conf.d";
const HUB = "docker-hub";
const MIRROR = "mirror";

/**
 * Adds a registry without TLS to containers-registries.conf(5); a host that shares files with this machine has the file in a
 * mount.
 */
async function addRegistry(host: TestHost, name: string, lines: string): Promise<void> {
  const script = `
mkdir -p "$1"
[ "$2" = systemd ] || mountpoint -q "$1" || mount -t tmpfs tests "$1"
printf '[[registry]]\\ninsecure = true\\n%s\\n' "$4" >"$1/$3.conf"
`;
  const done = await host.exec(["sh", "-euc", script, "sh", REGISTRIES, host.kind, name, lines]);
  if (done.code !== 0) throw new Error(done.stderr);
}

/** Returns the files of all parts of images that a registry has. */
export async function blobFiles({ folder }: Registry): Promise<string[]> {
  const found = await must(["find", `${folder}/docker/registry/v2/blobs`, "-name", "data"]);
  return found.trim().split("\n").sort();
}

/** Changes one byte of the largest file. */
export async function damage(paths: readonly string[]): Promise<void> {
  const sizes = await Promise.all(paths.map(async (path) => (await Deno.stat(path)).size));
  const largest = paths[sizes.indexOf(Math.max(...sizes))]!;
  const bytes = await Deno.readFile(largest);
  const middle = Math.floor(bytes.length / 2);
  bytes[middle] = bytes[middle]! ^ 1;
  await Deno.writeFile(largest, bytes);
}
