/** Firewalls of others, by what nft(8) prints of their chains. */

import assert from "node:assert/strict";
import {
  blockingFirewalls,
  droppingTables,
  tablesOf,
} from "../../../../src/machines/network/firewalls.ts";
import { recordingHost } from "../../recording_host.ts";

const DOCKER = `table ip filter {
	chain DOCKER-USER {
	}
	chain FORWARD {
		type filter hook forward priority filter; policy drop;
	}
}
`;
const UFW = `table ip filter {
	chain ufw-before-forward {
	}
	chain FORWARD {
		type filter hook forward priority filter; policy drop;
	}
}
`;
const FIREWALLD = `table inet firewalld {
	chain filter_FORWARD {
		type filter hook forward priority filter + 10; policy accept;
	}
}
`;
const OTHER = `table inet mine {
	chain f {
		type filter hook forward priority 0; policy drop;
	}
}
`;
const HARMLESS = `table inet nspawn-runner {
	chain forward {
		type filter hook forward priority filter - 10; policy accept;
	}
}
table inet guard {
	chain input {
		type filter hook input priority filter; policy drop;
	}
}
`;

const TABLES: readonly (readonly [string, string, RegExp])[] = [
  [DOCKER, "Docker", /^iptables -I DOCKER-USER -i nr-\+ -j ACCEPT/],
  [UFW, "ufw", /^ufw route allow in on nr-\+$/],
  [FIREWALLD, "firewalld", /^firewall-cmd /],
  [OTHER, "table inet mine", /iifname "nr-\*" accept/],
];

for (const [chains, owner, fix] of TABLES) {
  Deno.test(`droppingTables() knows ${owner}, and what lets machines through`, () => {
    const [found, ...more] = droppingTables(`${HARMLESS}${chains}`);
    assert.equal(found?.owner, owner);
    assert.match(found.fix, fix);
    assert.deepEqual(more, []);
  });
}

Deno.test("blockingFirewalls() leaves out tables with a rule for machines", async () => {
  const candidates = droppingTables(`${DOCKER}${OTHER}`);
  const { host, commands } = recordingHost({
    answer: (argv) => ({
      stdout: argv.includes("mine")
        ? OTHER.replace("drop;\n", 'drop;\n\t\tiifname "nr-*" accept\n')
        : DOCKER,
    }),
  });
  assert.deepEqual(
    (await blockingFirewalls(tablesOf(host, ""), candidates)).map(({ owner }) => owner),
    [
      "Docker",
    ],
  );
  assert.deepEqual(commands(), [
    "nft --terse list table ip filter",
    "nft --terse list table inet mine",
  ]);
});

for (const answer of [{ code: 1, stderr: "No such file or directory" }, { stdout: "" }]) {
  Deno.test(`blockingFirewalls() blames no firewall where nft ends with ${JSON.stringify(answer)}`, async () => {
    const { host } = recordingHost({ answer: () => answer });
    await assert.rejects(blockingFirewalls(tablesOf(host, DOCKER), droppingTables(DOCKER)), {
      kind: "host",
    });
  });
}

Deno.test("tablesOf() lists the elements of sets only where a rule has a map of verdicts", async () => {
  for (const [rule, calls] of [["ip saddr @banned drop", 1], ["iifname vmap @zones", 2]] as const) {
    const { host, commands } = recordingHost({
      answer: (argv) => ({ stdout: argv.includes("--terse") ? rule : `${rule} "nr-*" : accept` }),
    });
    const text = await tablesOf(host, "").list("inet mine");
    assert.equal(text.includes("nr-*"), calls === 2);
    assert.deepEqual(
      commands(),
      ["nft --terse list table inet mine", "nft list table inet mine"].slice(0, calls),
    );
  }
});
