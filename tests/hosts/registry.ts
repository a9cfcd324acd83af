/** A registry of images on this machine, as Debian's docker-registry is one. */

import { run, type Running, start } from "./command.ts";
import type { TestHost } from "./host.ts";
import { until } from "./leader.ts";
import { OUTSIDE } from "./network.ts";

/** A registry that asks for a password. */
export interface Registry {
  /** Where it is, as hosts name it. */
  readonly address: string;
  /** Where it is for this machine. */
  readonly here: string;
  /** Where it keeps what was pushed. */
  readonly folder: string;
  /** A file with the password, as skopeo(1) writes it. */
  readonly auth: string;
  /** Goes away, and comes back with all that was in it. */
  stop(): Promise<void>;
  start(): Promise<void>;
}

/** The name and the password that it takes, and what htpasswd(1) makes of them. */
const LOGIN = { user: "ci", password: "wxyz" } as const;
const HTPASSWD = "ci:$2b$05$abcdefghijklmnopqrstuuTG/6vovn/nTi4CRKQU75D98yKXvzQyy\n";

/**
 * Whether a registry can be had here.
 *
 * @returns The words that are missing, or null.
 */
export async function noRegistryBecause(): Promise<string | null> {
  for (const program of ["docker-registry", "skopeo", "umoci"]) {
    const found = await run(["sh", "-c", 'command -v "$1"', "sh", program]);
    if (found.code !== 0) return `no ${program} here`;
  }
  return null;
}

/**
 * Starts a registry on loopback, for the time of a test.
 *
 * @param body The test.
 */
export async function withRegistry(body: (registry: Registry) => Promise<void>): Promise<void> {
  const folder = await Deno.makeTempDir({ prefix: "nr-registry-" });
  const port = freePort();
  const [address, here] = [OUTSIDE, "127.0.0.1"].map((name) => `${name}:${port}`) as [
    string,
    string,
  ];
  await Deno.writeTextFile(`${folder}/htpasswd`, HTPASSWD);
  await Deno.writeTextFile(`${folder}/config.yml`, settingsOf(folder, here));
  const own = { auth: btoa(`${LOGIN.user}:${LOGIN.password}`) };
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
    here,
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

function settingsOf(folder: string, address: string): string {
  return JSON.stringify({
    version: 0.1,
    log: { level: "error" },
    storage: { filesystem: { rootdirectory: `${folder}/data` } },
    http: { addr: address },
    auth: { htpasswd: { realm: "tests", path: `${folder}/htpasswd` } },
  });
}

/**
 * Tells a host that this registry speaks without TLS, as its administrator would.
 *
 * @param host The host; where it shares files with this machine, it alone sees that.
 * @param registry The registry.
 */
export async function trust(host: TestHost, { address }: Registry): Promise<void> {
  const script = `
folder=/etc/containers/registries.conf.d
mkdir -p "$folder"
[ "$2" = systemd ] || mount -t tmpfs tests "$folder"
printf '[[registry]]\\nlocation = "%s"\\ninsecure = true\\n' "$1" >"$folder/tests.conf"
`;
  const done = await host.exec(["sh", "-euc", script, "sh", address, host.kind]);
  if (done.code !== 0) throw new Error(done.stderr);
}
