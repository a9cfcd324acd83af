/** Which network a machine gets. */

import assert from "node:assert/strict";
import { chooseNetwork } from "../../../../src/machines/network/choose.ts";
import { LOAD_RULES_SCRIPT } from "../../../../src/machines/network/private_network.ts";
import { rulesFor } from "../../../../src/machines/network/rules.ts";
import { readResolvers } from "../../../../src/machines/network/resolv.ts";
import type { Answer, Recording } from "../../recording_host.ts";
import { recordingHost } from "../../recording_host.ts";
import type { Argv } from "../../../../src/host/host.ts";

const PLAN = { network_range: "10.1.0.0/16", network_deny: [], network_allow: [] };

/** What a host says when it is asked. */
interface Said {
  /** Whether it forwards, by the kernel's files. */
  readonly forwards?: string;
  /** Its way out by IPv6. */
  readonly route6?: string;
  readonly chains?: string;
  readonly load?: Answer;
  /** A program that is not there. */
  readonly lacks?: string;
}

function hostThat(said: Said): Recording {
  return recordingHost({
    answer: (argv: Argv): Answer => {
      if (argv[2] === LOAD_RULES_SCRIPT) return said.load ?? {};
      const { forwards = "1\n1\n", route6 = "", chains = "", lacks } = said;
      return {
        stdout: forwards + route6 + (lacks === undefined ? "" : `lacks ${lacks}\n`) + chains,
      };
    },
  });
}

const loads = ({ processes }: Recording) =>
  processes.filter(({ argv }) => argv[2] === LOAD_RULES_SCRIPT).map(({ argv }) => argv.join(" "));

Deno.test("chooseNetwork() starts no process for the host's network or none", async () => {
  for (const choice of ["host", "none"] as const) {
    const recording = hostThat({});
    assert.equal((await chooseNetwork(recording.host, choice, PLAN, undefined)).kind, choice);
    assert.deepEqual(recording.commands(), []);
  }
});

Deno.test("chooseNetwork() loads the rules and forwards, once", async () => {
  const fresh = hostThat({ forwards: "0\n0\n", route6: "default via fe80::1\n" });
  const chosen = await chooseNetwork(fresh.host, "auto", PLAN, undefined);
  assert.deepEqual([chosen.kind, chosen.ipv6, chosen.notes], ["private", true, []]);
  assert.match(loads(fresh)[0]!, / sh +yes yes$/);
  const { servers } = await readResolvers(fresh.host);
  const { mark } = rulesFor(PLAN, servers);
  const ready = hostThat({ forwards: "1\n0\n", chains: `\t\tdrop comment "${mark}"\n` });
  assert.equal((await chooseNetwork(ready.host, "private", PLAN, undefined)).kind, "private");
  assert.deepEqual(loads(ready), [], "a host without IPv6 need not forward it");
});

const LACKS = hostThat({ lacks: "nft" });
const UNABLE = hostThat({ load: { code: 1, stderr: "Operation not supported\n" } });

for (const [recording, reason] of [[LACKS, /has no nft/], [UNABLE, /not supported/]] as const) {
  Deno.test(`chooseNetwork() falls back to the host's network for auto, and fails for private: ${reason}`, async () => {
    const chosen = await chooseNetwork(recording.host, "auto", PLAN, undefined);
    assert.equal(chosen.kind, "host");
    assert.match(chosen.notes.join(), /^Network of the host, since /);
    assert.match(chosen.notes.join(), reason);
    await assert.rejects(chooseNetwork(recording.host, "private", PLAN, undefined), {
      kind: "host",
      message: reason,
    });
  });
}

Deno.test("chooseNetwork() names the firewall that blocks machines; private goes on, auto does not", async () => {
  const { host } = hostThat({
    chains:
      "table ip x {\n\tchain f {\n\t\ttype filter hook forward priority 0; policy drop;\n\t}\n}\n",
  });
  const named = await chooseNetwork(host, "private", PLAN, undefined);
  assert.equal(named.kind, "private");
  assert.match(named.notes.join(), /table ip x drops what machines send\. Let it pass: /);
  assert.equal((await chooseNetwork(host, "auto", PLAN, undefined)).kind, "host");
});

for (const server of ["http://localhost:8080", "http://127.0.0.1", "https://[::1]/"]) {
  Deno.test(`chooseNetwork() names network = "host" as the way to ${server}`, async () => {
    const { host } = hostThat({});
    const { kind, notes } = await chooseNetwork(host, "auto", PLAN, server);
    assert.equal(kind, "host");
    assert.match(notes.join(), /own loopback.*network = "host"/);
  });
}

Deno.test("chooseNetwork() gives a private network where a name server may know the server better", async () => {
  const { host } = hostThat({});
  const files = { ...host.files, read: () => Promise.resolve("127.0.1.1 git.example\n") };
  const chosen = await chooseNetwork({ ...host, files }, "auto", PLAN, "https://git.example");
  assert.equal(chosen.kind, "private");
  assert.match(
    chosen.notes.join(),
    /git\.example is on the host's own loopback by its \/etc\/hosts/,
  );
});

Deno.test("chooseNetwork() goes on where the host has no name server for anybody", async () => {
  const { host } = hostThat({});
  const files = { ...host.files, read: () => Promise.resolve(null) };
  const chosen = await chooseNetwork({ ...host, files }, "auto", PLAN, undefined);
  assert.equal(chosen.kind, "private");
  assert.match(chosen.notes.join(), /no \/etc\/resolv\.conf.*Make one, or link it/);
});
