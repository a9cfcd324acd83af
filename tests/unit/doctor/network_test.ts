import assert from "node:assert/strict";
import { network } from "../../../src/doctor/network.ts";
import type { Answer } from "../recording_host.ts";
import { FACTS_SCRIPT } from "../../../src/machines/network/private_network.ts";
import { find, state } from "./fixture.ts";

const DROP =
  "table ip x {\n\tchain f {\n\t\ttype filter hook forward priority 0; policy drop;\n\t}\n}\n";

Deno.test("network() tries the rules without loading them, and names obstacles", async () => {
  const asked: string[] = [];
  const look = (forwards: string, lacks = "") => (argv: readonly string[]): Answer => {
    asked.push(argv.join(" "));
    const isLook = argv[2]?.includes("nft list chains");
    return { stdout: isLook ? `${forwards}${lacks && `lacks ${lacks}\n`}` : "" };
  };
  const files = { "/etc/resolv.conf": "nameserver 192.0.2.1\n" };
  const good = await find(network, { files, answer: look("0\n") });
  assert.deepEqual(good.map(state), Array(4).fill(["ok", false]));
  assert.match(good[2]!.found, /^IPv4, turned on with the first machine$/);
  assert.ok(asked.some((command) => command.endsWith(" sh --check no no")), "nothing is changed");
  const bare = await find(network, { answer: look("1\n", "nft") });
  assert.deepEqual(bare.slice(0, 2).map(state), [["weak", true], ["weak", true]]);
  const stub = { "/etc/resolv.conf": "nameserver 127.0.0.1\n" };
  const [, , , dns] = await find(network, { files: stub, answer: look("1\n") });
  assert.deepEqual(state(dns!), ["weak", true]);
});

Deno.test("network() says why machines ask the servers of systemd-resolved and not itself", async () => {
  const files = {
    "/etc/resolv.conf": "nameserver 127.0.0.53\n",
    "/run/systemd/resolve/resolv.conf": "nameserver 192.0.2.1\n",
  };
  const answer = (argv: readonly string[]): Answer => ({
    stdout: argv[2] === FACTS_SCRIPT ? "1\nresolved\nlegacy filter\n" : "",
  });
  const rows = await find(network, { files, answer });
  const { found, ...rest } = rows.find(({ topic }) => topic === "names of single links")!;
  const reason = "iptables-legacy may drop the queries of machines";
  assert.equal(found, `not known in machines: ${reason}`);
  assert.equal(rest.state, "weak");
});

/** What is found on a host, and the states of the rows "network", "nftables" and "forwarding". */
const HOSTS: readonly (readonly [string, string, string, readonly string[]])[] = [
  ["auto", "", "lacks nft\n", ["weak", "weak", "ok"]],
  ["auto", "private", "lacks nft\n", ["broken", "broken", "ok"]],
  ["auto", "", DROP, ["weak", "ok", "weak"]],
  ["auto", "private", DROP, ["ok", "ok", "weak"]],
  ["auto", "", "nft failed: Device or resource busy\n", ["broken", "broken", "ok"]],
  ["private", "", "lacks nft\n", ["broken", "broken", "ok"]],
  ["private", "", DROP, ["ok", "ok", "weak"]],
];

for (const [choice, verdict, facts, states] of HOSTS) {
  Deno.test(`network() shows what jobs get with network = "${choice}" and ${facts.trim()}${verdict && ", after a private network worked"}`, async () => {
    const files = { "/etc/resolv.conf": "nameserver 192.0.2.1\n" };
    const stdout = `1\n1\nboot a\n${verdict && `verdict a ${verdict}\n`}${facts}`;
    const found = await find(
      network,
      { files, answer: (argv) => ({ stdout: argv[2] === FACTS_SCRIPT ? stdout : DROP }) },
      (folder) =>
        Deno.writeTextFile(`${folder}/config.toml`, `network = "${choice}"\n`, { append: true }),
    );
    assert.deepEqual(found.slice(0, 3).map(({ state }) => state), states);
  });
}

/** A line of ip-route(8) or ip-address(8), and its part that conflicts with the machines' range, 10.231.0.0/19. */
const USES: readonly (readonly ["route" | "address", string, string | null])[] = [
  ["route", "default via 10.0.0.1 dev eth0", null],
  ["route", "10.0.0.0/8 dev wg0 scope link", null],
  ["route", "10.231.0.0/16 via 10.0.0.1 dev eth0", null],
  ["route", "10.231.0.2 dev nr-0 proto kernel scope link src 10.231.0.1", null],
  ["route", "10.231.32.0/24 dev eth1", null],
  ["route", "10.231.0.0/19 dev eth1", "10.231.0.0/19 dev eth1"],
  ["route", "10.231.16.0/24 dev eth1 scope link", "10.231.16.0/24 dev eth1 scope link"],
  ["route", "10.231.31.9 dev eth1", "10.231.31.9 dev eth1"],
  ["route", "unreachable 10.231.16.0/24 metric 9", "unreachable 10.231.16.0/24 metric 9"],
  [
    "address",
    "2: eth0    inet 10.231.0.9/8 brd x scope global eth0\\  x",
    "eth0    inet 10.231.0.9/8",
  ],
  ["address", "2: eth0    inet 10.9.0.9/8 brd x scope global eth0\\  x", null],
  ["address", "5: nr-0    inet 10.231.0.1 peer 10.231.0.2/32 scope global nr-0\\  x", null],
];

for (const [kind, line, expected] of USES) {
  Deno.test(`network() finds ${expected ?? "nothing"} in its range where ip prints ${line}`, async () => {
    const answer = (argv: readonly string[]): Answer => ({
      stdout: argv[0] !== "ip" ? "1\n" : argv.includes(kind) ? `${line}\n` : "",
    });
    const [use, ...more] = (await find(network, { answer })).slice(4);
    const found = expected === null ? undefined : `10.231.0.0/19 is in use here: ${expected}`;
    assert.equal(use?.found, found);
    assert.deepEqual(more, []);
  });
}
