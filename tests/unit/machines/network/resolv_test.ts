/** Name servers that machines can be told. */

import assert from "node:assert/strict";
import type { Host } from "../../../../src/host/host.ts";
import { readResolvers, resolvFile } from "../../../../src/machines/network/resolv.ts";
import { pathsIn } from "../fixture.ts";

const UPLINK = "/run/systemd/resolve/resolv.conf";

function hostWith(files: Record<string, string>): Host {
  return {
    files: { read: (path: string) => Promise.resolve(files[path] ?? null) },
  } as unknown as Host;
}

Deno.test("readResolvers() returns the host's servers with their options", async () => {
  const text =
    "# x\nnameserver 10.0.0.1\nnameserver fd00::53\nsearch a.example b\noptions ndots:2\n";
  assert.deepEqual(await readResolvers(hostWith({ "/etc/resolv.conf": text })), {
    servers: ["10.0.0.1", "fd00::53"],
    hasFile: true,
    isHostFile: true,
    onlyStubs: false,
    isStubOfResolved: false,
    options: ["search a.example b", "options ndots:2"],
  });
});

Deno.test("readResolvers() returns the upstream servers of a stub, without link-local ones", async () => {
  const files = {
    "/etc/resolv.conf": "nameserver 127.0.0.53\noptions edns0\n",
    [UPLINK]:
      "nameserver 192.168.1.1\nnameserver fe80::1%eth0\nnameserver ::1\nnameserver dead\nnameserver 1.2.3\nsearch lan\n",
  };
  assert.deepEqual(await readResolvers(hostWith(files)), {
    servers: ["192.168.1.1"],
    hasFile: true,
    isHostFile: false,
    onlyStubs: false,
    isStubOfResolved: true,
    options: ["search lan"],
  });
});

Deno.test("readResolvers() tells a host with only stubs from one without servers", async () => {
  const stub = await readResolvers(hostWith({ "/etc/resolv.conf": "nameserver 127.0.0.1\n" }));
  assert.deepEqual(stub, {
    servers: [],
    hasFile: true,
    isHostFile: false,
    onlyStubs: true,
    isStubOfResolved: false,
    options: [],
  });
  assert.deepEqual(await readResolvers(hostWith({})), {
    servers: [],
    hasFile: false,
    isHostFile: true,
    onlyStubs: false,
    isStubOfResolved: false,
    options: [],
  });
});

Deno.test("readResolvers() knows the servers of a host without /etc/resolv.conf, and resolvFile() writes none", async () => {
  const resolvers = await readResolvers(hostWith({ [UPLINK]: "nameserver 192.168.1.1\n" }));
  assert.deepEqual([resolvers.servers, resolvers.hasFile], [["192.168.1.1"], false]);
  assert.equal(await resolvFile(hostWith({}), pathsIn("/m"), resolvers), null);
});
