/** Networks of machines, with peers inside of the tests' hosts. */

import assert from "node:assert/strict";
import type { Running } from "../hosts/command.ts";
import { until } from "../hosts/init_process.ts";
import { onEachHost } from "../hosts/shared.ts";
import { CHROOT, newJob, runScript, type Site, withMachine } from "../hosts/site.ts";
import { ANSWER, ASK, withPeer } from "./peer.ts";
import { succeed } from "./store.ts";

/** Starts a server in a machine, and returns it once root of the host reaches it. */
async function listen(site: Site, id: string, address: string): Promise<Running> {
  const script = await site.put(`python3 - <<'END'\n${ANSWER}END\n`);
  const listening = site.start(["run", "--id", id, script, "step_script"], { timeout: 600_000 });
  const ask = async () => (await site.host.exec(["bash", "-c", ASK(address)])).stdout;
  const answered = await until(async () => /none/.test(await ask()) ? null : true, 60_000);
  assert.ok(answered, "root of the host reaches the machine");
  return listening;
}

async function asked(site: Site, id: string, ...addresses: string[]): Promise<string> {
  const done = await runScript(site, id, ASK(...addresses));
  return done.stdout;
}

/** Returns the process id of a machine's PID 1 on the host. */
async function leaderOf({ host, store }: Site, id: string): Promise<number> {
  const path = host.outerPath(`${store}/.leases/run-${id}.json`);
  return JSON.parse(await Deno.readTextFile(path)).leader.pid;
}

async function addressOf(site: Site, id: string): Promise<string> {
  const script = "hostname -I 2>/dev/null || ip -o address\n";
  const { stdout } = await runScript(site, id, script);
  return stdout.match(/10\.231\.\d+\.\d+/)?.[0] ?? `none in ${stdout}`;
}

for (const boot of [true, false]) {
  const kind = boot ? "booted" : "plain";
  onEachHost(
    `a private network leads out, but not to metadata or other machines, ${kind}`,
    async (site) => {
      await withPeer(site, async () => {
        const own = await site.with({ boot, network: "private" });
        await withMachine(own, async (first) => {
          await withMachine(own, async (second) => {
            const other = await addressOf(own, second);
            assert.match(other, /^10\./);
            // Beside the machine's scripts, of which one runs at a time.
            const enter = ["nsenter", `--net=/proc/${await leaderOf(own, second)}/ns/net`] as const;
            const listening = site.host.start([...enter, "python3", await own.put(ANSWER)], {
              timeout: 600_000,
            });
            const answers = async () => await asked(own, second, other);
            assert.ok(
              await until(async () => /none/.test(await answers()) ? null : true, 60_000),
              "the other machine answers itself",
            );
            assert.equal(
              await asked(
                own,
                first,
                "192.0.2.9",
                "2001:db8::9",
                "169.254.169.254",
                other,
                "127.0.0.1",
                "::1",
              ),
              [
                "192.0.2.9 ::ffff:192.0.2.1", // the host's own address: NAT
                "2001:db8::9 2001:db8::1",
                "169.254.169.254 none",
                `${other} none`,
                "127.0.0.1 none", // not the host's loopback
                "::1 none",
                "",
              ].join("\n"),
            );
            // Only the table keeps them apart; the next prepare loads it again.
            await site.host.exec(["nft", "delete", "table", "inet", "nspawn-runner"]);
            assert.match(await asked(own, first, other), new RegExp(`^${other} ::ffff:10\\.`));
            await site.host.signal(listening, "SIGTERM");
            await listening.ended;
          });
        });
      });
    },
  );
}

onEachHost("the network is as configured, and named in the log", async (site) => {
  await withPeer(site, async () => {
    const expected = {
      host: [
        "network of the host",
        "192.0.2.9 ::ffff:192.0.2.1\n169.254.169.254 ::ffff:192.0.2.1\n127.0.0.1 ::ffff:127.0.0.1\n",
      ],
      none: ["no network", "192.0.2.9 none\n169.254.169.254 none\n127.0.0.1 none\n"],
    } as const;
    for (const [network, [said, answers]] of Object.entries(expected)) {
      const own = await site.with({ network });
      const id = newJob();
      const prepared = await succeed(own, "prepare", CHROOT, "--id", id);
      assert.match(prepared.stderr, new RegExp(`, ${said}$`, "m"));
      const got = await asked(own, id, "192.0.2.9", "169.254.169.254", "127.0.0.1");
      await succeed(own, "cleanup", "--id", id);
      assert.equal(got, answers);
    }
  });
});

onEachHost(
  "a machine's network follows network_deny and network_allow, and a job can only restrict it further",
  async (site) => {
    await withPeer(site, async () => {
      const deny = {
        network_deny: ["192.0.2.0/24", "2001:db8::/32"],
        network_allow: ["2001:db8::9"],
      };
      const own = await site.with({ ...deny, "overrides.network": "private" });
      await withMachine(own, async (id) => {
        assert.equal(
          await asked(own, id, "192.0.2.9", "2001:db8::9", "169.254.169.254"),
          "192.0.2.9 none\n2001:db8::9 2001:db8::1\n169.254.169.254 none\n",
        );
      });
      const open = await site.with({ network_deny: [], network_allow: ["169.254.169.254"] });
      await withMachine(open, async (id) => {
        assert.equal(
          await asked(open, id, "169.254.169.254"),
          "169.254.169.254 ::ffff:192.0.2.1\n",
        );
      });
      const prepare = (id: string, wish: string) =>
        own.call(["prepare", CHROOT, "--id", id], {
          env: { CUSTOM_ENV_CI_JOB_ID: id, CUSTOM_ENV_NSPAWN_NETWORK: wish },
        });
      const id = newJob();
      const prepared = await prepare(id, "none");
      await succeed(own, "cleanup", "--id", id);
      assert.match(prepared.stderr, /, no network$/m);
      const refused = await prepare(newJob(), "host");
      assert.match(refused.stderr, /NSPAWN_NETWORK="host": the widest network .* is private/);
    });
  },
);

const IN_PEER = "ip netns exec peer";

/** Counts datagrams that arrive at the peer. */
const COUNT = `
${IN_PEER} nft add table inet count
${IN_PEER} nft 'add chain inet count arriving { type filter hook prerouting priority 0; }'
${IN_PEER} nft add rule inet count arriving udp dport 7778 counter
`;

/** Sends a datagram from any address: IP_TRANSPARENT of ip(7). */
const SEND = `import socket, sys
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.setsockopt(socket.SOL_IP, 19, 1)
s.bind((sys.argv[1], 0))
s.sendto(b"x", ("192.0.2.9", 7778))`;

onEachHost("no machine sends as another one, and none is reached from outside", async (site) => {
  await withPeer(site, async () => {
    const own = await site.with({ network: "private", boot: false });
    // The next machine has its rules even if the table was emptied.
    const flush =
      "nft list table inet nspawn-runner >/dev/null && nft flush table inet nspawn-runner";
    await withMachine(own, async () => {
      assert.equal((await site.host.exec(["sh", "-c", flush])).code, 0);
    });
    await withMachine(own, async (id) => {
      const address = await addressOf(own, id);
      // Its root may take any address, but packets from a foreign one are dropped.
      const counted = async () => {
        const listed = await site.host.exec(["sh", "-c", `${IN_PEER} nft list table inet count`]);
        return Number(listed.stdout.match(/counter packets (\d+)/)?.[1]);
      };
      await site.host.exec(["sh", "-euc", COUNT]);
      for (const [from, arrived] of [[address, 1], ["10.231.0.99", 1]] as const) {
        const sent = await runScript(own, id, `python3 -c '${SEND}' ${from}\n`);
        assert.equal(sent.code, 0, sent.stderr);
        await until(async () => await counted() === arrived || null, 60_000);
        await new Promise((resolve) => setTimeout(resolve, 300)); // time for one that must not arrive
        assert.equal(await counted(), arrived, `from ${from}`);
      }
      const listening = await listen(own, id, address);
      const call = `${IN_PEER} ip route replace ${address} via 192.0.2.1
${IN_PEER} bash -c '${ASK(address).replaceAll("'", "'\\''")}'`;
      assert.equal((await site.host.exec(["sh", "-c", call])).stdout, `${address} none\n`);
      await site.host.signal(listening, "SIGTERM");
      await listening.ended;
    });
  });
});

/** Lets root of a machine send to the host's loopback, as far as the host lets it; the argument is the gateway. */
const TO_LOOPBACK = `
echo 1 >/proc/sys/net/ipv4/conf/eth0/route_localnet
ip address del 127.0.0.1/8 dev lo
ip route add 127.0.0.1 via "$1" dev eth0
`;

/** Prints what arrives within some seconds at the host's ports 5353, 5355 and 7778, each once. */
const RECEIVE = `import select, socket, time
sockets = []
for port in (5353, 5355, 7778):
    s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    s.bind(("0.0.0.0", port))
    sockets.append(s)
print("ready", flush=True)
seen, end = set(), time.time() + 600
while "last" not in seen and time.time() < end:
    for s in select.select(sockets, [], [], 1)[0]:
        seen.add(s.recv(99).decode())
print(sorted(seen), flush=True)
`;

/** Sends datagrams to the gateway, which is the argument: to each name port, from one of them, and one that may pass. */
const SEND_NAMES = `import socket, sys, time
def send(text, to, source=0):
    s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    s.bind(("", source))
    s.sendto(text.encode(), (sys.argv[1], to))
for _ in range(3):
    send("mdns", 5353); send("llmnr", 5355); send("answer", 7778, 5355); time.sleep(0.2)
for _ in range(5):
    send("last", 7778); time.sleep(0.2)`;

onEachHost(
  "no machine reaches the host's loopback or answers its questions for names, and users of the host do not call machines",
  async (site) => {
    await withPeer(site, async () => {
      const own = await site.with({ network: "private", boot: false });
      await withMachine(own, async (id) => {
        const address = await addressOf(own, id);
        const gateway = address.replace(/\.\d+\.\d+$/, ".0.1");
        const link = await site.host.exec(["sh", "-c", "ip -o link | grep nr-"]);
        assert.doesNotMatch(link.stdout, /MULTICAST/);

        const script = await site.put(RECEIVE);
        const receiving = site.host.exec(["python3", script], { timeout: 900_000 });
        const sent = await runScript(own, id, `sleep 5\npython3 -c '${SEND_NAMES}' ${gateway}\n`);
        assert.equal(sent.code, 0, sent.stderr);
        assert.match((await receiving).stdout, /^ready\n\['last'\]$/m);

        const listening = await listen(own, id, address);
        const asNobody = await site.host.exec([
          "setpriv",
          "--reuid=65534",
          "--clear-groups",
          "bash",
          "-c",
          ASK(address),
        ]);
        assert.equal(asNobody.stdout, `${address} none\n`);
        await site.host.signal(listening, "SIGTERM");
        await listening.ended;

        const leader = await leaderOf(own, id);
        const localnet = "/proc/sys/net/ipv4/conf/all/route_localnet";
        await site.host.exec(["sh", "-c", `echo 1 >${localnet}`]);
        try {
          const enter = ["nsenter", `--net=/proc/${leader}/ns/net`, "sh", "-euc"];
          const opened = await site.host.exec([...enter, TO_LOOPBACK, "sh", gateway]);
          assert.equal(opened.code, 0, opened.stderr);
          assert.equal(await asked(own, id, "127.0.0.1"), "127.0.0.1 none\n");
          // Only the table keeps the machine off; the next prepare loads it again.
          await site.host.exec(["nft", "delete", "table", "inet", "nspawn-runner"]);
          assert.match(await asked(own, id, "127.0.0.1"), /^127\.0\.0\.1 ::ffff:/);
        } finally {
          await site.host.exec(["sh", "-c", `echo 0 >${localnet}`]);
        }
      });
    });
  },
);

onEachHost("nothing of a network is left, however its machine ends", async (site) => {
  const links = async () =>
    (await site.host.exec(["sh", "-c", "ip -o link | grep -o 'nr-[0-9]*'"])).stdout;
  const own = await site.with({ network: "private", boot: false });
  // The kernel may still be removing those of earlier tests.
  await until(async () => await links() === "" || null, 60_000);
  for (const kill of [false, true]) {
    const id = newJob();
    await succeed(own, "prepare", CHROOT, "--id", id);
    assert.match(await links(), /^nr-\d+\n$/);
    if (kill) {
      const path = site.host.outerPath(`${own.store}/.leases/run-${id}.json`);
      const { leader, cgroups } = JSON.parse(await Deno.readTextFile(path));
      await site.host.exec(["kill", "-9", `${leader.pid}`]);
      assert.ok(
        await until(async () => await processesIn(site, cgroups) === "" ? true : null, 60_000),
        "nor does who writes its log",
      );
    } else await succeed(own, "cleanup", "--id", id);
    assert.ok(
      await until(async () => await links() === "" ? true : null, 60_000),
      "the link is gone",
    );
    await succeed(own, "cleanup", "--id", id);
  }
});

/** The cgroup of a machine on a host without systemd. */
async function processesIn(site: Site, cgroups: readonly string[]): Promise<string> {
  const script =
    'for cgroup; do cat "$cgroup/cgroup.procs" "$cgroup"/*/cgroup.procs; done 2>/dev/null';
  return (await site.host.exec(["sh", "-c", script, "sh", ...cgroups])).stdout;
}

/** Removes what the host found out about private networks in this boot. */
const FORGET = "rm -f /run/nspawn-runner/.network";

/** Fails each time as nft(8) does where memory is short. */
const FAILING_NFT = `
cat >/run/nft <<'END'
#!/bin/sh
echo "netlink: Error: cache initialization failed: Cannot allocate memory" >&2
exit 1
END
chmod 755 /run/nft
mount --bind /run/nft "$(readlink -f "$(command -v nft)")"
`;

onEachHost(
  "auto is a failure of the host where nft fails, and not the host's network",
  async (site) => {
    const own = await site.with({ network: "auto" });
    await site.host.exec(["sh", "-c", FORGET]);
    const set = await site.host.exec(["sh", "-euc", FAILING_NFT]);
    assert.equal(set.code, 0, set.stderr);
    try {
      const { code, stderr } = await own.call(["prepare", CHROOT, "--id", newJob()]);
      assert.notEqual(code, 0);
      assert.match(
        stderr,
        /Cannot give the machine a network of its own: nft cannot list chains: .*memory/,
      );
    } finally {
      await site.host.exec([
        "sh",
        "-c",
        'umount "$(readlink -f "$(command -v nft)")"; rm /run/nft',
      ]);
    }
  },
);

onEachHost(
  "auto logs why a machine has the host's network, and private never has it",
  async (site) => {
    const drop =
      "nft add table ip x && nft add chain ip x f '{ type filter hook forward priority 0; policy drop; }'";
    await site.host.exec(["sh", "-c", `${drop}; ${FORGET}`]);
    try {
      const prepared = async (network: string) => {
        const own = await site.with({ network });
        const id = newJob();
        const { stderr } = await succeed(own, "prepare", CHROOT, "--id", id);
        await succeed(own, "cleanup", "--id", id);
        return stderr;
      };
      const auto = await prepared("auto");
      assert.match(auto, /, network of the host$/m);
      assert.match(
        auto,
        /^Network of the host, since table ip x drops what machines send\. Let it pass: /m,
      );
      assert.match(await prepared("auto"), /, network of the host$/m);
      const named = await prepared("private");
      assert.match(named, /, network of its own$/m);
      assert.match(named, /^Network: table ip x drops what machines send\./m);
      await site.host.exec(["nft", "add", "rule", "ip", "x", "f", "iifname", '"nr-*"', "accept"]);
      assert.match(await prepared("auto"), /, network of its own$/m);
      // A network of its own worked in this boot: auto does not give it up.
      await site.host.exec(["nft", "flush", "table", "ip", "x"]);
      assert.match(await prepared("auto"), /, network of its own$/m);
    } finally {
      await site.host.exec(["nft", "delete", "table", "ip", "x"]);
    }
  },
);

/** Gives the host a resolv.conf with a stub on its loopback, as systemd-resolved does. */
const STUB = `
cp /etc/resolv.conf /run/before
mkdir -p /run/systemd/resolve && cp /run/before /run/systemd/resolve/resolv.conf
echo "nameserver 127.0.0.53" >/run/stub && mount --bind /run/stub /etc/resolv.conf
`;
const NO_STUB = "umount /etc/resolv.conf; rm -r /run/systemd/resolve /run/before /run/stub";

onEachHost("machines use name servers that they can reach", async (site) => {
  const own = await site.with({ network: "private" });
  const servers = (text: string) => text.match(/^nameserver .*$/gm);
  const host = await site.host.exec(["cat", "/etc/resolv.conf"]);
  const asks = async () => {
    let file = "";
    await withMachine(own, async (id) => {
      const script =
        "cat /etc/resolv.conf; echo '# mine' >> /etc/resolv.conf; rm /etc/resolv.conf\n";
      const done = await runScript(own, id, script);
      assert.equal(done.stderr, "", "it is the machine's own");
      file = done.stdout;
    });
    return servers(file);
  };
  assert.deepEqual(await asks(), servers(host.stdout));
  try {
    await site.host.exec(["sh", "-euc", STUB]);
    assert.deepEqual(await asks(), servers(host.stdout));
  } finally {
    await site.host.exec(["sh", "-c", NO_STUB]);
  }
  if (site.host.kind === "standalone") return; // it has this machine's file
  const id = newJob();
  try {
    await site.host.exec(["mv", "/etc/resolv.conf", "/etc/away"]);
    const { stderr } = await succeed(own, "prepare", CHROOT, "--id", id);
    assert.match(stderr, /^Network: the host has no \/etc\/resolv\.conf/m);
  } finally {
    await site.host.exec(["mv", "/etc/away", "/etc/resolv.conf"]);
    await succeed(own, "cleanup", "--id", id);
  }
});

/** Routers of the host's neighbourhood in a network namespace: each link leads there, and learns routes on its own. */
const ROUTER = `
ip netns add router
for link in uplink quiet guests; do
  ip link add "$link" type veth peer name "to-$link" netns router
  ip link set "$link" up && ip netns exec router ip link set "to-$link" up
done
`;

/** A host that forwards nothing but on the link "guests", and accepts router advertisements as the kernel does. */
const NO_FORWARDING = `cd /proc/sys/net/ipv6/conf
echo 0 >all/forwarding
for link in default uplink quiet guests; do echo 1 >"$link/accept_ra"; done
echo 1 >guests/forwarding
`;

/** The same link as one of ROUTER, which appears after forwarding was turned on. */
const LATER = `
ip link add later type veth peer name to-later netns router
ip link set later up && ip netns exec router ip link set to-later up
`;

const NO_ROUTER = `ip netns del router
for link in uplink quiet guests later; do ip link del "$link"; done 2>/dev/null
echo 1 >/proc/sys/net/ipv6/conf/default/accept_ra`;

/** Advertises a router on each link that is an argument: RFC 4861, section 4.2. */
const ADVERTISE = `import socket, struct, sys
s = socket.socket(socket.AF_INET6, socket.SOCK_RAW, socket.IPPROTO_ICMPV6)
s.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_HOPS, 255)
for link in sys.argv[1:]:
    text = struct.pack("!BBHBBHII", 134, 0, 0, 64, 0, 1800, 0, 0)
    s.sendto(text, ("ff02::1", 0, 0, socket.if_nametoindex("to-" + link)))
`;

onEachHost("links still accept router advertisements once the host forwards", async (site) => {
  const advertise = await site.put(ADVERTISE);
  const accepting = async (...links: string[]) => {
    const argv = ["ip", "netns", "exec", "router", "python3", advertise, ...links];
    await site.host.exec(argv); // fails until the link has its address
    const routes = await site.host.exec(["ip", "-6", "route", "show", "default", "proto", "ra"]);
    return links.filter((link) => routes.stdout.includes(` dev ${link} `));
  };
  const accept = async (...links: string[]) =>
    assert.ok(
      await until(async () => (await accepting(...links)).length === links.length || null, 60_000),
      `${links} accept router advertisements`,
    );
  try {
    const set = await site.host.exec(["sh", "-euc", ROUTER + NO_FORWARDING]);
    assert.equal(set.code, 0, set.stderr);
    await accept("uplink");
    const own = await site.with({ network: "private", boot: false });
    await withMachine(own, async () => {
      const forwarding = "/proc/sys/net/ipv6/conf/all/forwarding";
      assert.equal((await site.host.exec(["cat", forwarding])).stdout, "1\n");
      assert.equal((await site.host.exec(["sh", "-euc", LATER])).code, 0);
      await accept("uplink", "quiet", "later");
      assert.deepEqual(await accepting("guests", "uplink"), ["uplink"], "it forwarded before");
    });
  } finally {
    await site.host.exec(["sh", "-c", NO_ROUTER]);
  }
});
