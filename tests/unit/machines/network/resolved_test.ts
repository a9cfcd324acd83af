import assert from "node:assert/strict";
import { tablesOf } from "../../../../src/machines/network/firewalls.ts";
import {
  chooseNameServers,
  LISTEN_SCRIPT,
  type NameServers,
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

async function choose(
  { facts = RUNS, chains = "", tried = "", obeys = true, mayChange = true, ...scene }: Scene,
): Promise<NameServers & { readonly commands: readonly (readonly string[])[] }> {
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
  const found = await chooseNameServers({ ...host, files }, upstream, options);
  return { ...found, commands: processes.map(({ argv }) => argv) };
}

Deno.test("chooseNameServers() tells systemd-resolved to listen at the gateway", async () => {
  const { resolvers, commands } = await choose({});
  assert.deepEqual(resolvers, { ...UPSTREAM, servers: ["10.231.0.1"] });
  assert.deepEqual(commands.map((argv) => argv.slice(2)), [
    [LISTEN_SCRIPT, "sh", DROP_IN, "10.231.0.1", "0100E70A:0035"],
  ]);
});

Deno.test("chooseNameServers() starts no process where systemd-resolved listens", async () => {
  const { resolvers, commands } = await choose({ facts: LISTENS });
  assert.deepEqual([resolvers.servers, commands], [["10.231.0.1"], []]);
});

Deno.test("chooseNameServers() changes nothing for doctor", async () => {
  for (const [tried, server] of [["", "10.231.0.1"], ["10.231.0.1\n", "192.0.2.53"]] as const) {
    const { resolvers, commands } = await choose({ tried, mayChange: false });
    assert.deepEqual([resolvers.servers, commands], [[server], []]);
  }
});

/** Hosts whose machines have the upstream servers, and the reason. */
const OTHERS: readonly (readonly [string, Scene])[] = [
  ["systemd-resolved does not run", { facts: "" }],
  ["systemd-resolved did not listen at 10.231.0.1 when it was told to", { obeys: false }],
  ["chain in of table ip x may drop the queries of machines", { chains: DROP, facts: LISTENS }],
  ["chain in of table ip x may drop the queries of machines", {
    chains: DROP.replace("\t}\n", "\t\tip saddr @trusted accept\n\t}\n"),
    facts: LISTENS,
  }],
  ["iptables-legacy may drop the queries of machines", { facts: `${LISTENS}legacy filter\n` }],
];

for (const [reason, scene] of OTHERS) {
  Deno.test(`chooseNameServers() keeps the upstream servers since ${reason}, ${JSON.stringify(scene)}`, async () => {
    const { resolvers, obstacle } = await choose(scene);
    assert.equal(resolvers, UPSTREAM);
    assert.equal(obstacle?.reason, reason);
  });
}

Deno.test("chooseNameServers() has no reason where another name server is the host's", async () => {
  const upstream = { ...UPSTREAM, isStubOfResolved: false };
  assert.deepEqual(await choose({ upstream }), {
    resolvers: upstream,
    obstacle: null,
    commands: [],
  });
});

Deno.test("chooseNameServers() names the commands that let machines ask", async () => {
  const { obstacle, commands } = await choose({ chains: DROP, facts: LISTENS });
  assert.deepEqual(obstacle?.fix.split(" && "), [
    `nft insert rule ip x in iifname '"nr-*"' udp dport 53 accept`,
    `nft insert rule ip x in iifname '"nr-*"' tcp dport 53 accept`,
  ]);
  assert.deepEqual(
    commands,
    [["nft", "--terse", "list", "table", "ip", "x"]],
    "once for both protocols",
  );
});
