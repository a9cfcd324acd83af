/** The link of a machine; that it carries packets is shown in tests/integration/network_test.ts. */

import assert from "node:assert/strict";
import { linkFor, whileConnecting } from "../../../../src/machines/network/connect.ts";
import type { Argv, Host } from "../../../../src/host/host.ts";
import { skip } from "../../../skip.ts";
import { recordingHost } from "../../recording_host.ts";

Deno.test("linkFor() has addresses of IPv6 only where the host goes out by it", () => {
  const four = linkFor("10.231.0.0/19", 3, false, 10);
  assert.equal(four.name, "nr-3");
  assert.ok(![...four.outside, ...four.inside].some((command) => command.includes("::")));
  assert.ok(![...four.outside, ...four.inside].some((command) => command.includes(" add ")));
  const both = linkFor("10.231.0.0/19", 3, true, 10);
  assert.ok(both.inside.includes("address replace fd6e:7370:6177::5/128 dev eth0 nodad"));
});

/** A link that no nspawn makes. */
const LINK = { ...linkFor("10.231.0.0/19", 3, false, 60), name: "nr-of-nobody" };

/** More than the kernel has: PID_MAX_LIMIT. */
const NOBODY = 4_194_305;

const found = () => Promise.resolve(Deno.pid);

/** A host where we are who waits. */
function waitedFor(): Host {
  return { ...recordingHost({ real: ["sh"] }).host, pid: () => Deno.pid };
}

Deno.test("whileConnecting() waits no longer than it may", async () => {
  const link = { ...LINK, patience: 0.05 };
  const connecting = whileConnecting(waitedFor(), link, found, () => Promise.resolve());
  await assert.rejects(connecting, { message: /nspawn makes nr-of-nobody for nobody/ });
});

Deno.test("whileConnecting() waits for no link when who asked for it is gone", async () => {
  const host = { ...waitedFor(), pid: () => NOBODY };
  const began = Date.now();
  const connecting = whileConnecting(host, LINK, found, () => Promise.resolve());
  await assert.rejects(connecting, { kind: "host", message: /Cannot connect the machine/ });
  assert.ok(Date.now() - began < 30_000, "long before its time is over");
});

Deno.test("whileConnecting() gives up with the start, and tells why that failed", async () => {
  const host = waitedFor();
  const start = () => Promise.reject(new Error("no machine"));
  const began = Date.now();
  await assert.rejects(whileConnecting(host, LINK, found, start), { message: "no machine" });
  assert.ok(Date.now() - began < 30_000, "long before its time is over");
});

Deno.test("whileConnecting() gives both ends their addresses once the machine has a PID 1", async () => {
  const name = "whileConnecting() gives both ends their addresses";
  if (Deno.uid() !== 0) return skip(name, "not root");
  const { host, commands } = recordingHost({ real: ["unshare"] });
  const { capture } = host.processes;
  // In a network of its own, which has just this link.
  const processes = {
    ...host.processes,
    capture: (argv: Argv, options = {}) => capture(["unshare", "--net", ...argv], options),
  };
  const link = { name: "lo", patience: 5, outside: ["link show lo"], inside: ["link show lo"] };
  const own = { ...host, processes, pid: () => Deno.pid };
  let looks = 0;
  const findLater = () => Promise.resolve(++looks < 3 ? null : Deno.pid);
  const up = await whileConnecting(own, link, findLater, () => Promise.resolve("up"));
  assert.deepEqual([up, looks, commands().length], ["up", 3, 1]);
});

Deno.test("whileConnecting() fails where no PID 1 is found", async () => {
  const { host, commands } = recordingHost();
  const nobody = () => Promise.resolve(null);
  const connecting = whileConnecting(host, LINK, nobody, () => Promise.resolve());
  await assert.rejects(connecting, { kind: "host", message: /no PID 1/ });
  assert.deepEqual(commands(), []);
});
