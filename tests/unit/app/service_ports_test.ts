import assert from "node:assert/strict";
import { refuseTakenPorts } from "../../../src/app/service_ports.ts";
import type { Host } from "../../../src/host/host.ts";
import { recordingHost } from "../recording_host.ts";
import { answerCat } from "../machines/fake_kernel.ts";
import { plannedService } from "./planned_service.ts";

const HEAD = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid\n";

/** As the kernel prints them: 5432 is listened to, 6379 is the port of a connection, 8080 is listened to by IPv6. */
const TABLES = {
  "/proc/net/tcp": `${HEAD}   0: 0100007F:1538 00000000:0000 0A 00000000:00000000 00:00000000 0\n` +
    "   1: 0100007F:18EB 0100007F:D431 01 00000000:00000000 00:00000000 0\n",
  "/proc/net/tcp6": `${HEAD}   0: ${"0".repeat(32)}:1F90 ${"0".repeat(32)}:0000 0A 00000000:00 0\n`,
};

/** Deno reads no file below /proc for this program, which lacks a permission. */
function hostWith(tables: Readonly<Record<string, string>>): Host {
  const { host } = recordingHost({ answer: (argv) => answerCat(argv, tables) });
  const read = (path: string) => Promise.reject(new Error(`Requires all access to ${path}`));
  return { ...host, files: { ...host.files, read } };
}

const web = plannedService({ name: "web", ports: [80, 443] });
const db = plannedService({ name: "db", ports: [5432] });

Deno.test("refuseTakenPorts() accepts ports of which each is used once", async () => {
  await refuseTakenPorts(hostWith(TABLES), [web, plannedService({ name: "q", ports: [6379] })]);
  await refuseTakenPorts(hostWith({}), [web, db, plannedService({ name: "none", ports: [] })]);
});

Deno.test("refuseTakenPorts() names two services that have the same port, whose job is wrong", async () => {
  const twice = [web, db, plannedService({ name: "proxy", ports: [8443, 443] })];
  await assert.rejects(refuseTakenPorts(hostWith(TABLES), twice), {
    kind: "refused",
    message:
      "Cannot start services web (web) and proxy (proxy): both use port 443 of the host's network",
  });
});

Deno.test("refuseTakenPorts() names a port that a program of the host listens on, for IPv4 or IPv6", async () => {
  for (const port of [5432, 8080]) {
    const service = plannedService({ name: "one", ports: [port] });
    await assert.rejects(refuseTakenPorts(hostWith(TABLES), [web, service]), {
      kind: "host",
      message:
        `Cannot start service one (one): its port ${port} of the host's network is used by another program of the host`,
      hint: `Find it: ss -tlnp "sport = ${port}"`,
    });
  }
});
