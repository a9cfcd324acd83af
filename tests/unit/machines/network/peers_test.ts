/** The links between the machines of a job, in real network namespaces. */

import assert from "node:assert/strict";
import {
  connectPeers,
  type Peer,
  peerAddresses,
  peerCommands,
} from "../../../../src/machines/network/peers.ts";
import { CONFIG_SETTINGS } from "../../../../src/config/config_settings.ts";
import { inNetworkOf, ip, withNetworks } from "./namespaces.ts";

const RANGE = "10.231.0.0/28";
const NONE = { kind: "none" } as const;
const privateIn = (slot: number) => ({ kind: "private", slot }) as const;

Deno.test("peerAddresses() are the machines' own, also of IPv6 where they have it", () => {
  assert.deepEqual(peerAddresses(RANGE, [privateIn(0), privateIn(7)], true), [
    { ipv4: "10.231.0.2", ipv6: "fd6e:7370:6177::2" },
    { ipv4: "10.231.0.9", ipv6: "fd6e:7370:6177::9" },
  ]);
  assert.deepEqual(peerAddresses(RANGE, [privateIn(1)], false), [
    { ipv4: "10.231.0.3", ipv6: null },
  ]);
});

Deno.test("peerAddresses() of machines without a way out are those at the end of the range", () => {
  assert.deepEqual(peerAddresses(RANGE, [NONE, NONE], true), [
    { ipv4: "10.231.0.14", ipv6: null },
    { ipv4: "10.231.0.13", ipv6: null },
  ]);
});

Deno.test("peerAddresses() differ, also where machines with and without a way out share a small range", () => {
  const networks = [privateIn(11), NONE, privateIn(12), NONE];
  const addresses = peerAddresses(RANGE, networks, false).map(({ ipv4 }) => ipv4);
  assert.deepEqual(addresses, ["10.231.0.13", "10.231.0.12", "10.231.0.14", "10.231.0.11"]);
});

Deno.test("peerCommands() link each pair of machines once, straight from the one to the other", () => {
  const peers = [1, 2, 3, 4].map((pid) => ({ pid, ipv4: `10.0.0.${pid}`, ipv6: null }));
  const [links = "", ...machines] = peerCommands(peers);
  assert.deepEqual(links.split("\n").map((line) => line.replace("type veth peer ", "")), [
    "link add service1 netns 1 name job netns 2",
    "link add service2 netns 1 name job netns 3",
    "link add service3 netns 1 name job netns 4",
    "link add service2 netns 2 name service1 netns 3",
    "link add service3 netns 2 name service1 netns 4",
    "link add service3 netns 3 name service2 netns 4",
  ]);
  assert.deepEqual(machines.filter((_, index) => index % 2 === 0), ["1", "2", "3", "4"]);
  assert.ok(!machines.join("\n").includes("::"));
});

const HAS_IPV6 = (await new Deno.Command("test", { args: ["-e", "/proc/net/if_inet6"] }).output())
  .success;

Deno.test("peerCommands() of a job with all services that it can have fit into arguments of a program", () => {
  const most = CONFIG_SETTINGS.find(({ key }) => key === "services_limit")!.default as number;
  const peers = Array.from({ length: most + 1 }, (_, index) => ({
    pid: 4_194_000 + index, // as long as any
    ipv4: `10.231.131.${100 + index}`,
    ipv6: `fd6e:7370:6177::1f${100 + index}`,
  }));
  const lengths = peerCommands(peers).map((text) => text.length);
  assert.ok(Math.max(...lengths) < 131_072, "MAX_ARG_STRLEN of execve(2)");
  assert.ok(lengths.reduce((sum, length) => sum + length) < 2_000_000);
});

/** Machines in these networks. */
function peersIn(networks: readonly string[]): Peer[] {
  const slots = networks.map((_, index) => privateIn(index));
  return peerAddresses(RANGE, slots, HAS_IPV6)
    .map((addresses, index) => ({ pid: Number(networks[index]), ...addresses }));
}

/** Returns why a port on which nobody listens does not accept a connection. */
async function refusalOf(network: string, address: string): Promise<string> {
  const script = `: <"/dev/tcp/$1/9"`;
  const { stderr } = await inNetworkOf(network, "bash", "-c", script, "bash", address);
  return stderr.match(/: ([^:\n]*)\n/)?.[1] ?? "";
}

const reach = "connectPeers() lets all machines of a job reach each other, by IPv4 and IPv6";
Deno.test(reach, async () => {
  await withNetworks(reach, 3, async (host, outside, inside) => {
    const before = await ip(outside, "address");
    const peers = peersIn(inside);
    await connectPeers(host, peers);
    for (const own of inside) {
      for (const { pid, ipv4, ipv6 } of peers) {
        if (own === `${pid}`) continue;
        for (const address of [ipv4, ...ipv6 === null ? [] : [ipv6]]) {
          assert.equal(await refusalOf(own, address), "Connection refused", address);
        }
      }
    }
    assert.equal(await ip(outside, "address"), before, "the host has no part in it");
  });
});

const over =
  "connectPeers() lets nothing leave by another way that is for a machine that has ended";
Deno.test(over, async () => {
  await withNetworks(over, 2, async (host, outside, [job = "", service = ""]) => {
    await ip(outside, "link", "add", "nr-0", "type", "veth", "peer", "eth0", "netns", job);
    await ip(outside, "link", "set", "nr-0", "up");
    await ip(job, "link", "set", "eth0", "up");
    await ip(job, "address", "add", "10.231.0.2/32", "dev", "eth0");
    await ip(job, "route", "add", "default", "dev", "eth0");
    if (HAS_IPV6) {
      await ip(job, "address", "add", "fd6e:7370:6177::2/128", "dev", "eth0", "nodad");
      await ip(job, "-6", "route", "add", "default", "dev", "eth0");
    }
    const peers = peersIn([job, service]);
    await connectPeers(host, peers);
    const { ipv4, ipv6 } = peers[1]!;
    const addresses = [ipv4, ...ipv6 === null ? [] : [ipv6]];
    for (const address of addresses) {
      assert.equal(await refusalOf(job, address), "Connection refused", address);
    }
    Deno.kill(Number(service), "SIGKILL");
    const links = () => ip(job, "-brief", "link");
    for (let tries = 0; (await links()).includes("service1") && tries < 1000; tries++) {
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
    assert.doesNotMatch(await links(), /service1/);
    for (const address of addresses) {
      assert.equal(await refusalOf(job, address), "No route to host", address);
    }
  });
});

const never = "connectPeers() never takes the host's own network for a machine's";
Deno.test(never, async () => {
  await withNetworks(never, 2, async (host, outside, inside) => {
    const wrong = peersIn([...inside, outside]);
    await assert.rejects(connectPeers(host, wrong), {
      kind: "host",
      message: /: a machine is in the host's network namespace$/,
    });
    for (const network of [outside, ...inside]) {
      assert.doesNotMatch(await ip(network, "link"), /service|job/);
    }
  });
});

const gone = "connectPeers() fails where a machine has ended";
Deno.test(gone, async () => {
  await withNetworks(gone, 1, async (host, _outside, [job = ""]) => {
    const nobody = "4194305"; // more than PID_MAX_LIMIT of the kernel
    await assert.rejects(connectPeers(host, peersIn([job, nobody])), {
      kind: "host",
      message: /^Cannot connect the machines of the job with each other: ./,
      hint: /Retry the job/,
    });
  });
});
