/** Machines on a host with the firewalls and the name server of Debian's packages. */

import assert from "node:assert/strict";
import { hostTest } from "../hosts/check.ts";
import type { Result, Running } from "../hosts/command.ts";
import { until } from "../hosts/init_process.ts";
import { installed } from "../hosts/installed.ts";
import { CHROOT, newJob, type Site, siteOn } from "../hosts/site.ts";
import { suiteOfHosts } from "../hosts/shared.ts";
import { bootSystemd } from "../hosts/systemd.ts";

/** Installs packages, and starts none of their services. */
const INSTALL = `
printf '#!/bin/sh\\nexit 101\\n' >/usr/sbin/policy-rc.d && chmod 755 /usr/sbin/policy-rc.d
apt-get -q update
DEBIAN_FRONTEND=noninteractive apt-get -y -q install --no-install-recommends \
  ufw firewalld systemd-resolved dnsmasq-base
systemctl reload dbus
`;

/** Two networks of the host, each with a name server in a network namespace: the office, and a VPN. */
const NETWORKS = `
for network in "office 192.0.2" "vpn 198.51.100"; do
  name=\${network% *} net=\${network#* }
  ip netns add "$name"
  ip link add "$name" type veth peer name side netns "$name"
  ip address add "$net.1/24" dev "$name" && ip link set "$name" up
  ip netns exec "$name" ip address add "$net.53/24" dev side
  ip netns exec "$name" ip link set side up
  ip netns exec "$name" ip route add 10.231.0.0/19 via "$net.1"
done
systemctl start systemd-resolved
ln -sf ../run/systemd/resolve/stub-resolv.conf /etc/resolv.conf
resolvectl dns office 192.0.2.53 && resolvectl domain office '~.'
resolvectl dns vpn 198.51.100.53 && resolvectl domain vpn '~corp.example'
`;

/** The names of a network, all at one address. */
function serveNames(site: Site, network: string, address: string, ...names: string[]): Running {
  return site.host.start([
    ...["ip", "netns", "exec", network, "dnsmasq", "--no-daemon", "--no-resolv", "--no-hosts"],
    ...names.map((name) => `--address=/${name}/${address}`),
  ], { timeout: 900_000 });
}

async function must(site: Site, script: string): Promise<string> {
  const { code, stdout, stderr } = await site.host.exec(["sh", "-euc", script], {
    timeout: 300_000,
  });
  assert.equal(code, 0, `${script}\n${stdout}${stderr}`);
  return stdout;
}

/** A job of a GitLab at an address of the host; the body gets the log of its prepare, and runs scripts. */
async function withJob(
  site: Site,
  body: (log: string, run: (script: string) => Promise<Result>) => Promise<void>,
): Promise<void> {
  const job = {
    id: Number(newJob()),
    image: { name: CHROOT },
    git_info: { repo_url: "http://192.0.2.1:8080/group/project.git" },
  };
  const env = { JOB_RESPONSE_FILE: await site.put(JSON.stringify(job)) };
  const { code, stderr } = await site.call(["prepare"], { env });
  try {
    assert.equal(code, 0, stderr);
    await body(
      stderr,
      async (script) => await site.call(["run", await site.put(script), "step_script"], { env }),
    );
  } finally {
    await site.call(["cleanup"], { env });
  }
}

/** Prints the address of each name, or nothing. */
const look = (...names: string[]) =>
  names.map((name) => `getent hosts ${name} | cut -d ' ' -f 1\n`).join("");

/** The service is ready before its rules are. */
const START_FIREWALLD = `systemctl start firewalld
until nft list table inet firewalld | grep -q reject; do sleep 0.1; done`;

const CALL_GITLAB =
  "timeout 5 bash -c ': >/dev/tcp/192.0.2.1/8080' 2>/dev/null && echo reached || echo blocked\n";

hostTest("machines beside systemd-resolved, ufw and firewalld", async () => {
  const installation = await installed();
  const host = await bootSystemd(suiteOfHosts(), [installation.prefix]);
  try {
    const site = await (await siteOn(host, installation)).with({ network: "private", boot: false });
    await must(site, INSTALL);
    await must(site, NETWORKS);
    const servers = [
      serveNames(site, "office", "192.0.2.10", "public.example"),
      serveNames(site, "vpn", "198.51.100.10", "inside.corp.example", "inside.new.example"),
      host.start(["python3", "-m", "http.server", "8080"], { timeout: 900_000 }),
    ];
    const asked = async () => (await host.exec(["sh", "-c", look("inside.corp.example")])).stdout;
    const knows = async () => await asked() === "198.51.100.10\n" || null;
    assert.ok(await until(knows, 60_000), "the host knows the name of its VPN");
    await answersAsTheHost(site);
    await besideFirewall(site, "ufw", "yes | ufw enable", "ufw disable");
    await besideFirewall(site, "firewalld", START_FIREWALLD, "systemctl stop firewalld");
    for (const server of servers) await host.signal(server, "SIGKILL");
    await Promise.all(servers.map(({ ended }) => ended));
  } finally {
    await host.close();
  }
});

async function answersAsTheHost(site: Site): Promise<void> {
  const row = async () => (await site.call(["doctor"])).stdout.match(/^DNS +ok +(.*)$/m)?.[1];
  const answering = "10.231.0.1, where systemd-resolved answers as on the host";
  assert.equal(await row(), answering);
  const dropIn = "/run/systemd/resolved.conf.d/nspawn-runner-10.231.0.1.conf";
  assert.notEqual((await site.host.exec(["cat", dropIn])).code, 0, "doctor changes nothing");
  await withJob(site, async (log, run) => {
    assert.doesNotMatch(log, /^Network: /m);
    const { stdout } = await run(
      `grep nameserver /etc/resolv.conf\n${look("public.example", "inside.corp.example")}`,
    );
    assert.equal(stdout, "nameserver 10.231.0.1\n192.0.2.10\n198.51.100.10\n");
    assert.match(
      await must(site, "nft list set inet nspawn-runner dns_clients"),
      /10\.231\.0\.\d+ limit/,
    );
    assert.equal(await row(), answering);
    // A change of the host's reaches the running job.
    assert.equal((await run(look("inside.new.example"))).stdout, "");
    await must(site, "resolvectl domain vpn '~corp.example' '~new.example'");
    assert.equal((await run(look("inside.new.example"))).stdout, "198.51.100.10\n");
    // Neighbours of the host do not ask there. Only the table keeps them off; the next prepare loads it again.
    const neighbour = ["ip", "netns", "exec", "office", "bash", "-c"];
    const ask = [...neighbour, "timeout 3 bash -c ': >/dev/tcp/10.231.0.1/53'"];
    await must(site, "ip netns exec office ip route add 10.231.0.1 via 192.0.2.1");
    assert.notEqual((await site.host.exec(ask)).code, 0);
    await must(site, "nft delete table inet nspawn-runner");
    assert.equal((await site.host.exec(ask)).code, 0);
  });
}

/** Runs the commands that a job's log names, one after the other, until the job reaches what it needs. */
async function besideFirewall(
  site: Site,
  name: string,
  start: string,
  stop: string,
): Promise<void> {
  await must(site, start);
  const fixes: string[] = [];
  await withJob(site, async (log, run) => {
    const through = log.match(
      new RegExp(`${name} drops what machines send\\. Let it pass: (.*?)(?:;|$)`, "m"),
    );
    const to = log.match(
      new RegExp(
        `192\\.0\\.2\\.1 is this host, where chain \\S+ of table \\S+ \\S+ \\(${name}\\) drops what machines send to port 8080\\. Let it pass: (.*)$`,
        "m",
      ),
    );
    assert.ok(through !== null && to !== null, log);
    fixes.push(through[1]!, to[1]!);
    const { stdout } = await run(`grep -c 10.231.0.1 /etc/resolv.conf\n${CALL_GITLAB}`);
    assert.equal(stdout, "0\nblocked\n", "the upstream servers, and no GitLab");
  });
  const { stdout: table } = await site.call(["doctor"]);
  const row = table.match(/^weak: names of single links: (.*)$/m);
  assert.ok(row !== null, table);
  await must(site, fixes[0]!);
  await must(site, fixes[1]!);
  await withJob(site, async (log, run) => {
    assert.doesNotMatch(log, /^Network: /m);
    assert.equal(
      (await run(`${CALL_GITLAB}${look("public.example")}`)).stdout,
      "reached\n192.0.2.10\n",
    );
  });
  await must(site, row[1]!);
  await withJob(site, async (_log, run) => {
    assert.equal((await run(look("inside.corp.example"))).stdout, "198.51.100.10\n");
  });
  await must(site, stop);
}
