/** The link of a machine; that it carries packets is shown in tests/integration/network_test.ts. */

import assert from "node:assert/strict";
import {
  type Connection,
  connectWhileStarting,
  type Veth,
  vethFor,
} from "../../../../src/machines/network/veth.ts";
import type { Host } from "../../../../src/host/host.ts";
import { recordingHost } from "../../recording_host.ts";
import { inNetworkOf, ip, withNetworks } from "./namespaces.ts";

Deno.test("vethFor() has IPv6 addresses only where the host has a route for IPv6", () => {
  const four = vethFor("10.231.0.0/19", 3, false);
  assert.equal(four.name, "nr-3");
  assert.ok(![...four.outside, ...four.inside].some((command) => command.includes("::")));
  assert.ok(![...four.outside, ...four.inside].some((command) => command.includes(" add ")));
  const both = vethFor("10.231.0.0/19", 3, true);
  assert.ok(both.inside.includes("address replace fd6e:7370:6177::5/128 dev eth0 nodad"));
});

function connection(veth: Partial<Veth>, prepare_timeout: number): Connection {
  return {
    link: { ...vethFor("10.231.0.0/19", 3, false), ...veth },
    settings: { prepare_timeout },
  };
}

/** A link that no nspawn makes. */
const LINK = connection({ name: "nr-of-nobody" }, 60);

/** More than the kernel has: PID_MAX_LIMIT. */
const NOBODY = 4_194_305;

const found = () => Promise.resolve(Deno.pid);

/** A host where we are who waits. */
function waitedFor(): Host {
  return { ...recordingHost({ real: ["sh"] }).host, pid: () => Deno.pid };
}

Deno.test("connectWhileStarting() waits no longer than its timeout", async () => {
  const link = connection(LINK.link!, 0.05);
  const connecting = connectWhileStarting(waitedFor(), link, found, () => Promise.resolve());
  await assert.rejects(connecting, { message: /interface nr-of-nobody did not appear in time/ });
});

Deno.test("CONNECT_SCRIPT ends with its caller", async () => {
  const host = { ...waitedFor(), pid: () => NOBODY };
  const began = Date.now();
  const connecting = connectWhileStarting(host, LINK, found, () => Promise.resolve());
  await assert.rejects(connecting, { kind: "host", message: /Cannot connect the machine/ });
  assert.ok(Date.now() - began < 30_000, "long before its time is over");
});

Deno.test("connectWhileStarting() ends with a failed start, and throws its failure", async () => {
  const host = waitedFor();
  const start = () => Promise.reject(new Error("no machine"));
  const began = Date.now();
  await assert.rejects(connectWhileStarting(host, LINK, found, start), { message: "no machine" });
  assert.ok(Date.now() - began < 30_000, "long before its time is over");
});

const OWN = connection({}, 20);

/** Returns the first port that needs no privilege. */
async function lowestPort(network: string): Promise<string> {
  const path = "/proc/sys/net/ipv4/ip_unprivileged_port_start";
  return (await inNetworkOf(network, "cat", path)).stdout.trim();
}

const both = "connectWhileStarting() gives both ends their addresses once the machine has a PID 1";
Deno.test(both, async () => {
  await withNetworks(both, 1, async (own, outside, [inside = ""]) => {
    await ip(outside, "link", "add", "nr-3", "type", "veth", "peer", "eth0", "netns", inside);
    let looks = 0;
    const findLater = () => Promise.resolve(++looks < 3 ? null : Number(inside));
    const start = async () => {
      while (looks < 3) await new Promise((resolve) => setTimeout(resolve, 1));
      return "up";
    };
    assert.equal(await connectWhileStarting(own, OWN, findLater, start), "up");
    assert.match(
      await ip(outside, "-4", "addr", "show", "nr-3"),
      / 10\.231\.0\.1 peer 10\.231\.0\.5\/32 /,
    );
    assert.match(
      await ip(inside, "-4", "addr", "show", "eth0"),
      / 10\.231\.0\.5 peer 10\.231\.0\.1\/32 /,
    );
    assert.match(await ip(inside, "route"), /^default via 10\.231\.0\.1 dev eth0/m);
    assert.equal(await lowestPort(inside), "0", "each user may use port 80");
    assert.notEqual(await lowestPort(outside), "0");
  });
});

const never = "connectWhileStarting() never takes the host's own network for a machine's";
Deno.test(never, async () => {
  await withNetworks(never, 1, async (own, outside) => {
    await ip(outside, "link", "add", "nr-3", "type", "veth", "peer", "eth0");
    const wrong = () => Promise.resolve(Number(outside));
    const connecting = connectWhileStarting(own, OWN, wrong, () => Promise.resolve());
    await assert.rejects(connecting, {
      message: /the machine is in the host's network namespace$/,
    });
    assert.equal(await ip(outside, "-4", "addr", "show"), "");
  });
});

Deno.test("connectWhileStarting() looks for a PID 1 no longer than the start takes", async () => {
  const { host, commands } = recordingHost();
  const looking = { ...host, clock: { ...host.clock, nap: () => Promise.resolve() } };
  const nobody = () => new Promise<null>((resolve) => setTimeout(() => resolve(null), 1));
  const start = (end: () => Promise<void>) => async () => {
    await new Promise((resolve) => setTimeout(resolve, 20));
    await end();
  };
  const began = Date.now();
  const connect = (end: () => Promise<void>) =>
    connectWhileStarting(looking, LINK, nobody, start(end));
  await assert.rejects(connect(() => Promise.resolve()), {
    kind: "host",
    message: /its PID 1 is unknown/,
  });
  await assert.rejects(connect(() => Promise.reject(new Error("no machine"))), {
    message: "no machine",
  });
  assert.ok(Date.now() - began < 30_000, "long before its time is over");
  assert.deepEqual(commands(), []);
});
