import assert from "node:assert/strict";
import { answeringServers, LISTEN_SCRIPT } from "../../../../src/machines/network/resolved.ts";
import { type Answer, PROGRAM_FILE, recordingHost } from "../../recording_host.ts";

const UPSTREAM = {
  servers: ["192.0.2.53"],
  hasFile: true,
  isHostFile: false,
  onlyStubs: false,
  isStubOfResolved: true,
  options: ["search lan"],
};

const SOCKET = "/run/systemd/resolve/io.systemd.Resolve";
const DROP_IN = "/run/systemd/resolved.conf.d/nspawn-runner-10.231.0.1.conf";
const LISTENING = "  7: 0100E70A:0035 00000000:0000 07\n";
const DROP =
  "table ip x {\n\tchain in {\n\t\ttype filter hook input priority 0; policy drop;\n\t}\n}\n";

/** A host: its files, its sockets, and whether systemd-resolved then listens to a new one. */
function hostThat({ files = [SOCKET], sockets = "", listens = true, chains = "" }) {
  const recording = recordingHost({
    answer: (argv): Answer => {
      if (argv[2] === LISTEN_SCRIPT) return { code: listens ? 0 : 1 };
      return { stdout: chains };
    },
  });
  const { host } = recording;
  return {
    ...recording,
    host: {
      ...host,
      files: {
        ...host.files,
        lstat: (path: string) => Promise.resolve(files.includes(path) ? PROGRAM_FILE : null),
        read: () => Promise.resolve(sockets),
        makeDirectory: () => Promise.resolve(),
      },
    },
  };
}

const options = (chains = "", mayChange = true) => ({ range: "10.231.0.0/19", chains, mayChange });

Deno.test("answeringServers() tells systemd-resolved to listen at the gateway, once", async () => {
  const fresh = hostThat({});
  const { resolvers } = await answeringServers(fresh.host, UPSTREAM, options());
  assert.deepEqual(resolvers, { ...UPSTREAM, servers: ["10.231.0.1"] });
  assert.deepEqual(fresh.processes.map(({ argv }) => argv.slice(2)), [
    [LISTEN_SCRIPT, "sh", DROP_IN, "10.231.0.1", "0100E70A:0035"],
  ]);
  const again = hostThat({ sockets: LISTENING, files: [SOCKET, DROP_IN] });
  assert.deepEqual((await answeringServers(again.host, UPSTREAM, options())).resolvers, resolvers);
  assert.deepEqual(again.commands(), []);
});

Deno.test("answeringServers() changes nothing for doctor", async () => {
  for (
    const [files, servers] of [[[SOCKET], "10.231.0.1"], [[SOCKET, DROP_IN], "192.0.2.53"]] as const
  ) {
    const { host, commands } = hostThat({ files: [...files] });
    const { resolvers } = await answeringServers(host, UPSTREAM, options("", false));
    assert.deepEqual([resolvers.servers, commands()], [[servers], []]);
  }
});

/** Hosts whose machines have the upstream servers. */
const OTHERS = {
  "systemd-resolved does not run": [{ files: [] }, {}],
  "another name server is the host's": [{}, { isStubOfResolved: false }],
  "systemd-resolved cannot listen": [{ listens: false }, {}],
} as const;

for (const [why, [host, servers]] of Object.entries(OTHERS)) {
  Deno.test(`answeringServers() keeps the upstream servers where ${why}`, async () => {
    const upstream = { ...UPSTREAM, ...servers };
    const made = hostThat({ ...host, files: "files" in host ? [] : [SOCKET] });
    const { resolvers, firewalls } = await answeringServers(made.host, upstream, options());
    assert.equal(resolvers, upstream);
    assert.deepEqual(firewalls, []);
  });
}

Deno.test("answeringServers() names the firewall that keeps machines from asking", async () => {
  const { host, commands } = hostThat({ chains: DROP });
  const { resolvers, firewalls } = await answeringServers(host, UPSTREAM, options(DROP));
  assert.equal(resolvers, UPSTREAM);
  assert.deepEqual(firewalls.map(({ fix }) => fix), [
    `nft insert rule ip x in iifname '"nr-*"' udp dport 53 accept`,
    `nft insert rule ip x in iifname '"nr-*"' tcp dport 53 accept`,
  ]);
  assert.deepEqual(commands(), ["nft list table ip x"]);
});
