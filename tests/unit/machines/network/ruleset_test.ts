/** Calls of machines to the host, by tables as nft(8) lists those of common firewalls. */

import assert from "node:assert/strict";
import {
  chainsThatMayDrop,
  droppingChains,
  namesMachines,
} from "../../../../src/machines/network/ruleset.ts";

/** ufw 0.36 with `ufw allow 22/tcp`. */
const UFW = `table ip filter {
	chain ufw-before-input {
		iifname "lo" counter packets 0 bytes 0 accept
		ct state related,established counter packets 0 bytes 0 accept
		ct state invalid counter packets 0 bytes 0 drop
		ip protocol icmp icmp type echo-request counter packets 0 bytes 0 accept
		udp sport 67 udp dport 68 counter packets 0 bytes 0 accept
		counter packets 0 bytes 0 jump ufw-not-local
		ip daddr 224.0.0.251 udp dport 5353 counter packets 0 bytes 0 accept
		counter packets 0 bytes 0 jump ufw-user-input
	}

	chain ufw-not-local {
		fib daddr type local counter packets 0 bytes 0 return
		limit rate 3/minute burst 10 packets counter packets 0 bytes 0 jump ufw-logging-deny
		counter packets 0 bytes 0 drop
	}

	chain ufw-user-input {
		tcp dport 22 counter packets 0 bytes 0 accept
	}

	chain ufw-logging-deny {
		limit rate 3/minute burst 10 packets counter packets 0 bytes 0 log prefix "[UFW BLOCK] "
	}

	chain INPUT {
		type filter hook input priority filter; policy drop;
		counter packets 0 bytes 0 jump ufw-before-input
	}

	chain FORWARD {
		type filter hook forward priority filter; policy drop;
		counter packets 0 bytes 0 jump ufw-user-forward
	}

	chain ufw-user-forward {
	}
}
`;

/** firewalld 2.3 with a zone for machines, which may call one port. */
const FIREWALLD = `table inet firewalld { # progname firewalld
	flags owner,persist

	chain filter_INPUT {
		type filter hook input priority filter + 10; policy accept;
		ct state { established, related } accept
		ct status dnat accept
		iifname "lo" accept
		jump filter_INPUT_POLICIES
		reject with icmpx admin-prohibited
	}

	chain filter_FORWARD {
		type filter hook forward priority filter + 10; policy accept;
		jump filter_FORWARD_POLICIES
		reject with icmpx admin-prohibited
	}

	chain filter_INPUT_POLICIES {
		iifname "nr-*" jump filter_IN_ci
		iifname "nr-*" reject with icmpx admin-prohibited
		jump filter_IN_public
		reject with icmpx admin-prohibited
	}

	chain filter_FORWARD_POLICIES {
		iifname "nr-*" oifname "nr-*" reject with icmpx admin-prohibited
	}

	chain filter_IN_ci {
		tcp dport 8080 accept
		meta l4proto { icmp, ipv6-icmp } accept
	}

	chain filter_IN_public {
		tcp dport 22 accept
	}
}
`;

/** A table with one chain, at the hook for packets to the host. */
const input = (rules: readonly string[], policy = "accept") =>
  `table inet mine {
	chain input {
		type filter hook input priority filter; policy ${policy};
${rules.map((rule) => `\t\t${rule}\n`).join("")}	}

	chain web {
		tcp dport { 80, 443 } accept
	}
}
`;

/** A table, a call, and whether the table drops it. */
const CALLS: readonly (readonly [string, string, "tcp" | "udp", number, boolean])[] = [
  ["ufw", UFW, "tcp", 22, false],
  ["ufw", UFW, "tcp", 443, true],
  ["ufw", UFW, "udp", 53, true],
  [
    "ufw with the rule",
    UFW.replace("tcp dport 22", 'iifname "nr-*" tcp dport 443'),
    "tcp",
    443,
    false,
  ],
  ["firewalld", FIREWALLD, "tcp", 8080, false],
  ["firewalld's public zone", FIREWALLD, "tcp", 22, true],
  ["an empty chain", input([]), "tcp", 1, false],
  ["a policy", input([], "drop"), "tcp", 1, true],
  ["a last rule", input(["counter packets 1 bytes 2 drop"]), "tcp", 1, true],
  [
    "a last rule that logs",
    input(['log prefix "will accept it" level info counter packets 0 bytes 0 drop']),
    "tcp",
    1,
    true,
  ],
  ["a rule of another program", input(["tcp dport 22 ip saddr @banned reject"]), "tcp", 22, false],
  ["a range of ports", input(["tcp dport 8000-8999 accept"], "drop"), "tcp", 8080, false],
  ["another protocol", input(["udp dport 443 accept"], "drop"), "tcp", 443, true],
  [
    "any protocol",
    input(["meta l4proto { tcp, udp } th dport 53 accept"], "drop"),
    "udp",
    53,
    false,
  ],
  ["other ports", input(["tcp dport != 22 drop"]), "tcp", 443, true],
  ["a named set", input(["tcp dport @open accept"], "drop"), "tcp", 443, false],
  ["neighbours", input(["ip saddr 192.0.2.0/24 accept"], "drop"), "tcp", 443, true],
  [
    "private addresses",
    input(["ip saddr { 10.0.0.0/8, 192.0.2.1 } accept"], "drop"),
    "tcp",
    1,
    false,
  ],
  ["another link", input(['iifname { "eth0", "lo" } accept'], "drop"), "tcp", 443, true],
  ["all but one link", input(['iifname != "eth0" accept'], "drop"), "tcp", 443, false],
  ["IPv6", input(["ip6 saddr ::/0 accept", "meta nfproto ipv6 accept"], "drop"), "tcp", 443, true],
  ["a jump", input(["jump web"], "drop"), "tcp", 443, false],
  ["a jump that comes back", input(["jump web"], "drop"), "tcp", 22, true],
  ["a goto", input(["goto web", "accept"], "drop"), "tcp", 22, true],
  [
    "a map of states",
    input(["ct state vmap { established : accept, invalid : drop }"], "drop"),
    "tcp",
    1,
    true,
  ],
  [
    "a map of links",
    input(['iifname vmap { "lo" : accept, "nr-*" : jump web }'], "drop"),
    "tcp",
    80,
    false,
  ],
  ["a comment", input(['accept comment "never drop this"'], "drop"), "tcp", 1, false],
];

for (const [name, table, protocol, port, drops] of CALLS) {
  Deno.test(`droppingChains() lets ${name} ${drops ? "drop" : "pass"} ${protocol} ${port}`, () => {
    const chains = droppingChains(table, { protocol, port, range: "10.231.0.0/19" });
    assert.equal(chains.length, drops ? 1 : 0);
  });
}

const DNS = { protocol: "udp", port: 53, range: "10.231.0.0/19" } as const;

/** Rules before a policy that drops: whether they accept a machine's query is not known here. */
const UNKNOWN = [
  "ip saddr @trusted accept",
  "meta pkttype multicast accept",
  'xt match "set" counter packets 0 bytes 0 accept',
  "limit rate 10/second accept",
  "meta mark 0x00000001 accept",
  "ip daddr 224.0.0.0/4 accept",
  "iifname vmap @zones",
];

for (const rule of UNKNOWN) {
  Deno.test(`chainsThatMayDrop() counts a policy that drops after ${rule}`, () => {
    const table = input([rule], "drop");
    const both = [chainsThatMayDrop(table, DNS), droppingChains(table, DNS)];
    assert.deepEqual(both, [["input"], []]);
  });
}

/** Rules, and whether they may drop a query where the policy accepts. */
const MAY_DROP: readonly (readonly [rule: string, call: "tcp" | "udp", may: boolean])[] = [
  ["ip saddr @banned drop", "udp", true],
  ["ip saddr 192.0.2.0/24 drop", "udp", false],
  ["tcp dport 22 ip saddr @banned drop", "tcp", false],
  ["ct state invalid drop", "udp", false],
  ["tcp flags & (fin | syn | rst | ack) != syn ct state new counter drop", "tcp", false],
  ["tcp flags != syn / fin,syn,rst,ack ct state new drop", "tcp", false],
  ["tcp flags & (fin | syn | rst | psh | ack | urg) == 0x0 drop", "tcp", false],
  ["tcp flags & (fin | syn) == fin | syn drop", "tcp", false],
  ["tcp flags ! fin,syn,rst,psh,ack,urg drop", "tcp", false],
  ["tcp flags syn limit rate over 25/second drop", "tcp", true],
  ["tcp flags & (syn | rst) == syn drop", "tcp", true],
  ["tcp flags syn drop", "udp", false],
];

for (const [rule, protocol, may] of MAY_DROP) {
  Deno.test(`chainsThatMayDrop() finds ${may ? "one" : "none"} for ${protocol} and ${rule}`, () => {
    assert.deepEqual(chainsThatMayDrop(input([rule]), { ...DNS, protocol }), may ? ["input"] : []);
  });
}

Deno.test("chainsThatMayDrop() knows the rule that opens a port of ufw and firewalld", () => {
  const opened = UFW.replace("tcp dport 22", 'iifname "nr-*" udp dport 53');
  assert.deepEqual([UFW, opened].map((table) => chainsThatMayDrop(table, DNS)), [["INPUT"], []]);
  assert.deepEqual(chainsThatMayDrop(FIREWALLD, { ...DNS, protocol: "tcp", port: 8080 }), []);
  assert.deepEqual(chainsThatMayDrop(FIREWALLD, DNS), ["filter_INPUT"]);
});

Deno.test("namesMachines() tells packets to the host from those through it", () => {
  const opened = UFW.replace("tcp dport 22", 'iifname "nr-*" tcp dport 443');
  assert.deepEqual([namesMachines(opened, "input"), namesMachines(opened, "forward")], [
    true,
    false,
  ]);
  assert.deepEqual([namesMachines(FIREWALLD, "input"), namesMachines(FIREWALLD, "forward")], [
    true,
    true,
  ]);
  const mapped = input(["iifname vmap @links"]);
  assert.deepEqual([namesMachines(mapped, "input"), namesMachines(`${mapped}"nr-*"`, "input")], [
    false,
    true,
  ]);
});
