import assert from "node:assert/strict";
import { tablesOf } from "../../../../src/machines/network/firewalls.ts";
import {
  type Answering,
  answeringServers,
  LISTEN_SCRIPT,
} from "../../../../src/machines/network/resolved.ts";
import { type Answer, recordingHost } from "../../recording_host.ts";

const UPSTREAM = {
  servers: ["192.0.2.53"],
  hasFile: true,
  isHostFile: false,
  onlyStubs: false,
  isStubOfResolved: true,
  options: ["search lan"],
};

const DROP_IN = "/run/systemd/resolved.conf.d/nspawn-runner-10.231.0.1.conf";
const RUNS = "resolved\n  6: 3500007F:0035 00000000:0000 07\n";
const LISTENS = `${RUNS}  7: 0100E70A:0035 00000000:0000 07\n`;
const DROP =
  "table ip x {\n\tchain in {\n\t\ttype filter hook input priority 0; policy drop;\n\t}\n}\n";

/** A host, and who asks. */
interface Scene {
  readonly facts?: string;
  readonly chains?: string;
  /** The addresses at which it was told to listen before. */
  readonly tried?: string;
  /** Whether systemd-resolved listens at a new address. */
  readonly obeys?: boolean;
  readonly mayChange?: boolean;
  readonly upstream?: typeof UPSTREAM;
}

async function answering(
  { facts = RUNS, chains = "", tried = "", obeys = true, mayChange = true, ...scene }: Scene,
): Promise<Answering & { readonly commands: readonly (readonly string[])[] }> {
  const { host, processes } = recordingHost({
    answer: (argv): Answer =>
      argv[2] === LISTEN_SCRIPT ? { code: obeys ? 0 : 1 } : { stdout: chains },
  });
  const files = {
    ...host.files,
    read: () => Promise.resolve(tried),
    makeDirectory: () => Promise.resolve(),
  };
  const options = {
    range: "10.231.0.0/19",
    tables: tablesOf(host, chains),
    facts,
    mayChange,
  };
  const upstream = scene.upstream ?? UPSTREAM;
  const found = await answeringServers({ ...host, files }, upstream, options);
  return { ...found, commands: processes.map(({ argv }) => argv) };
}

Deno.test("answeringServers() tells systemd-resolved to listen at the gateway", async () => {
  const { resolvers, commands } = await answering({});
  assert.deepEqual(resolvers, { ...UPSTREAM, servers: ["10.231.0.1"] });
  assert.deepEqual(commands.map((argv) => argv.slice(2)), [
    [LISTEN_SCRIPT, "sh", DROP_IN, "10.231.0.1", "0100E70A:0035"],
  ]);
});

Deno.test("answeringServers() starts no process where systemd-resolved listens", async () => {
  const { resolvers, commands } = await answering({ facts: LISTENS });
  assert.deepEqual([resolvers.servers, commands], [["10.231.0.1"], []]);
});

Deno.test("answeringServers() changes nothing for doctor", async () => {
  for (const [tried, server] of [["", "10.231.0.1"], ["10.231.0.1\n", "192.0.2.53"]] as const) {
    const { resolvers, commands } = await answering({ tried, mayChange: false });
    assert.deepEqual([resolvers.servers, commands], [[server], []]);
  }
});

/** Hosts whose machines have the upstream servers. */
const OTHERS: Readonly<Record<string, Scene>> = {
  "systemd-resolved does not run": { facts: "" },
  "another name server is the host's": { upstream: { ...UPSTREAM, isStubOfResolved: false } },
  "systemd-resolved cannot listen": { obeys: false },
  "a firewall may drop what they ask": {
    chains: DROP.replace("\t}\n", "\t\tip saddr @trusted accept\n\t}\n"),
    facts: LISTENS,
  },
  "iptables-legacy filters": { facts: `${LISTENS}legacy filter\n` },
};

for (const [why, scene] of Object.entries(OTHERS)) {
  Deno.test(`answeringServers() keeps the upstream servers where ${why}`, async () => {
    const { resolvers, firewalls } = await answering(scene);
    assert.equal(resolvers, scene.upstream ?? UPSTREAM);
    assert.deepEqual(firewalls, []);
  });
}

Deno.test("answeringServers() names the firewall that keeps machines from asking", async () => {
  const { resolvers, firewalls, commands } = await answering({ chains: DROP, facts: LISTENS });
  assert.equal(resolvers, UPSTREAM);
  assert.deepEqual(firewalls.map(({ fix }) => fix), [
    `nft insert rule ip x in iifname '"nr-*"' udp dport 53 accept`,
    `nft insert rule ip x in iifname '"nr-*"' tcp dport 53 accept`,
  ]);
  assert.deepEqual(
    commands,
    [["nft", "--terse", "list", "table", "ip", "x"]],
    "once for both protocols",
  );
});
