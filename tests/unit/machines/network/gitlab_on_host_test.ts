import assert from "node:assert/strict";
import { tablesOf } from "../../../../src/machines/network/firewalls.ts";
import { inputObstacles, IS_OWN_SCRIPT } from "../../../../src/machines/network/gitlab_on_host.ts";
import { type Answer, recordingHost } from "../../recording_host.ts";

const DROP = (table: string, chain: string) =>
  `table ${table} {
	chain ${chain} {
		type filter hook input priority filter; policy drop;
	}
}
`;

const UFW = DROP("ip filter", "INPUT").replace(/\}\n$/, "\tchain ufw-before-input {\n\t}\n}\n");

/** The tables of a host, and the command that lets a call pass. */
const FIXES: readonly (readonly [string, string])[] = [
  [UFW, "ufw allow in on nr-+ to any port 8443 proto tcp"],
  [DROP("ip filter", "INPUT"), "iptables -I INPUT -i nr-+ -p tcp --dport 8443 -j ACCEPT"],
  [DROP("inet mine", "in"), `nft insert rule inet mine in iifname '"nr-*"' tcp dport 8443 accept`],
  [
    DROP("inet firewalld", "filter_INPUT"),
    "firewall-cmd --permanent --zone=ci --add-port=8443/tcp && firewall-cmd --reload",
  ],
];

const hostWith = (tables: string, isOwn = true) =>
  recordingHost({
    answer: (argv): Answer =>
      argv[2] === IS_OWN_SCRIPT ? { code: isOwn ? 0 : 1 } : { stdout: tables },
  });

const ACCESS = { server: "https://git.example:8443", extra: [], range: "10.231.0.0/19" };

for (const [tables, fix] of FIXES) {
  Deno.test(`inputObstacles() names the chain, and ${fix}`, async () => {
    const { host } = hostWith(tables);
    const [found, ...more] = await inputObstacles(host, {
      ...ACCESS,
      tables: tablesOf(host, tables),
    });
    assert.match(
      found!.reason,
      /^git\.example is this host, where chain \S+ of table .* port 8443$/,
    );
    assert.deepEqual([found!.fix, found!.severity], [`Let it pass: ${fix}`, "minor"]);
    assert.deepEqual(more, []);
  });
}

Deno.test("inputObstacles() asks for no address where no chain drops the call", async () => {
  const forwards = UFW.replace("hook input", "hook forward");
  const { host, commands } = hostWith(forwards);
  assert.deepEqual(await inputObstacles(host, { ...ACCESS, tables: tablesOf(host, forwards) }), []);
  assert.deepEqual(commands(), []);
  const six = hostWith(DROP("ip6 filter", "INPUT"));
  assert.deepEqual(
    await inputObstacles(six.host, {
      ...ACCESS,
      tables: tablesOf(six.host, DROP("ip6 filter", "x")),
    }),
    [],
  );
});

Deno.test("inputObstacles() finds none for a server elsewhere, and takes the address of extra_hosts", async () => {
  const { host, processes } = hostWith(UFW, false);
  const extra = ["git.example:192.0.2.7"];
  assert.deepEqual(
    await inputObstacles(host, { ...ACCESS, extra, tables: tablesOf(host, UFW) }),
    [],
  );
  assert.deepEqual(processes.at(-1)!.argv.slice(2), [IS_OWN_SCRIPT, "sh", "192.0.2.7"]);
});
