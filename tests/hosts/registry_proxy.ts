/** A proxy in front of a registry, which disturbs requests as networks and busy registries do. */

import type { Registry } from "./registry.ts";

/** How requests are disturbed. */
export interface Disturbance {
  /** Those whose first line matches, such as `GET /v2/ci/x/blobs/sha256:… HTTP/1.1`. */
  readonly requests: RegExp;
  /** The number of requests; those after them are not disturbed. */
  readonly times: number;
  /** `reset` closes the connection, `slow` sends a mebibyte a second, a number is the status of an empty answer. */
  readonly how: "reset" | "slow" | number;
}

/** A registry behind a proxy. */
export interface RegistryProxy extends Registry {
  /** Disturbs requests from now on; replaces what was said before. */
  disturb(disturbance: Disturbance): void;
  /** Returns the first lines of the requests since the last call. */
  requests(): string[];
}

/** Runs a test with a proxy in front of a registry. */
export async function withProxy(
  registry: Registry,
  body: (proxy: RegistryProxy) => Promise<void>,
): Promise<void> {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const { port } = listener.addr as Deno.NetAddr;
  const upstream = Number(registry.local.split(":")[1]);
  let disturbance: Disturbance = { requests: /^$/, times: 0, how: "reset" };
  let lines: string[] = [];
  const open = new Set<Deno.TcpConn>();
  const disturbing = (line: string): Disturbance["how"] | null => {
    lines.push(line);
    if (disturbance.times === 0 || !disturbance.requests.test(line)) return null;
    disturbance = { ...disturbance, times: disturbance.times - 1 };
    return disturbance.how;
  };
  const serve = async (client: Deno.TcpConn) => {
    const server = await Deno.connect({ port: upstream });
    const pair = [client, server];
    for (const one of pair) open.add(one);
    try {
      await relay(client, server, disturbing);
    } catch {
      // One side has closed its connection.
    } finally {
      for (const one of pair) {
        open.delete(one);
        close(one);
      }
    }
  };
  const serving = (async () => {
    for await (const client of listener) serve(client);
  })();
  try {
    await body({
      ...registry,
      address: registry.address.replace(/\d+$/, `${port}`),
      local: `127.0.0.1:${port}`,
      disturb: (next) => disturbance = next,
      requests: () => {
        const seen = lines;
        lines = [];
        return seen;
      },
    });
  } finally {
    listener.close();
    await serving;
    for (const one of open) close(one);
  }
}

/** Relays both directions until one side closes its connection, or a request is to be disturbed. */
async function relay(
  client: Deno.TcpConn,
  server: Deno.TcpConn,
  disturbing: (line: string) => Disturbance["how"] | null,
): Promise<void> {
  let isSlow = false;
  const answers = (async () => {
    const buffer = new Uint8Array(65_536);
    for (let size; (size = await server.read(buffer)) !== null;) {
      if (isSlow) await new Promise((resolve) => setTimeout(resolve, size! / 1048));
      await writeAll(client, buffer.subarray(0, size));
    }
  })();
  answers.catch(() => {}); // the client has closed its connection
  const buffer = new Uint8Array(65_536);
  for (let size; (size = await client.read(buffer)) !== null;) {
    const data = buffer.subarray(0, size);
    const [, line] = new TextDecoder().decode(data).match(/^([A-Z]+ \S+ HTTP\/1\.1)\r\n/) ?? [];
    const how = line === undefined ? null : disturbing(line);
    if (how === "reset") return;
    isSlow = how === "slow" || (isSlow && line === undefined);
    if (typeof how === "number") await writeAll(client, emptyAnswer(how));
    else await writeAll(server, data);
  }
}

function emptyAnswer(status: number): Uint8Array {
  return new TextEncoder().encode(`HTTP/1.1 ${status} Disturbed\r\nContent-Length: 0\r\n\r\n`);
}

async function writeAll(connection: Deno.TcpConn, data: Uint8Array): Promise<void> {
  for (let at = 0; at < data.length;) at += await connection.write(data.subarray(at));
}

function close(connection: Deno.TcpConn): void {
  try {
    connection.close();
  } catch {
    // It is closed already.
  }
}
