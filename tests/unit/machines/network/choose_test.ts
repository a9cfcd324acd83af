/** Which network a machine gets. */

import assert from "node:assert/strict";
import { chooseNetwork, type NetworkSettings } from "../../../../src/machines/network/choose.ts";
import {
  FACTS_SCRIPT,
  LOAD_RULES_SCRIPT,
} from "../../../../src/machines/network/private_network.ts";
import { rulesFor } from "../../../../src/machines/network/rules.ts";
import { readResolvers } from "../../../../src/machines/network/resolv.ts";
import type { Answer, Recording } from "../../recording_host.ts";
import { inFolder, recordingHost } from "../../recording_host.ts";
import { withOwnRun } from "../standalone_host.ts";
import type { Argv, Host } from "../../../../src/host/host.ts";

const PLAN = { network_range: "10.1.0.0/16", network_deny: [], network_allow: [] };

const choose = async (host: Host, network: NetworkSettings["network"], server?: string) => {
  const { kind, details } = await chooseNetwork(host, { network, extra_hosts: [] }, PLAN, server);
  return { kind, ...await details };
};

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
    assert.equal((await choose(recording.host, choice)).kind, choice);
    assert.deepEqual(recording.commands(), []);
  }
});

Deno.test("chooseNetwork() loads the rules and forwards, once", async () => {
  const fresh = hostThat({ forwards: "0\n0\n", route6: "default via fe80::1\n" });
  const chosen = await choose(fresh.host, "auto");
  assert.deepEqual([chosen.kind, chosen.ipv6, chosen.notes], ["private", true, []]);
  assert.match(loads(fresh)[0]!, / sh +yes yes$/);
  const { servers } = await readResolvers(fresh.host);
  const { mark } = rulesFor(PLAN, servers);
  const ready = hostThat({ forwards: "1\n0\n", chains: `\t\tdrop comment "${mark}"\n` });
  assert.equal((await choose(ready.host, "private")).kind, "private");
  assert.deepEqual(loads(ready), [], "a host without IPv6 need not forward it");
});

const LACKS = hostThat({ lacks: "nft" });
const UNABLE = hostThat({ load: { code: 1, stderr: "Operation not supported\n" } });

for (const [recording, reason] of [[LACKS, /has no nft/], [UNABLE, /not supported/]] as const) {
  Deno.test(`chooseNetwork() falls back to the host's network for auto, and fails for private: ${reason}`, async () => {
    const chosen = await choose(recording.host, "auto");
    assert.equal(chosen.kind, "host");
    assert.match(chosen.notes.join(), /^Network of the host, since /);
    assert.match(chosen.notes.join(), reason);
    await assert.rejects(choose(recording.host, "private"), {
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
  const named = await choose(host, "private");
  assert.equal(named.kind, "private");
  assert.match(named.notes.join(), /table ip x drops what machines send\. Let it pass: /);
  assert.equal((await choose(host, "auto")).kind, "host");
});

for (const server of ["http://localhost:8080", "http://127.0.0.1", "https://[::1]/"]) {
  Deno.test(`chooseNetwork() gives and logs the host's network for ${server}, and changes no host for it`, () =>
    inFolder(async (folder) => {
      const { host, commands } = recordingHost();
      const own = withOwnRun(host, folder);
      for (let job = 0; job < 3; job++) {
        const { kind, notes } = await choose(own, "auto", server);
        assert.equal(kind, "host");
        assert.match(notes.join(), /^Network of the host, since .* own loopback.*network = "host"/);
      }
      const [logged, ...more] = commands();
      assert.match(logged!, /^logger --tag=nspawn-runner -- Network of the host, since .*loopback/);
      assert.deepEqual(more, []);
      const { kind, notes } = await choose(hostThat({}).host, "private", server);
      assert.equal(kind, "private");
      assert.match(notes.join(), /^Network: .* own loopback/);
    }));
}

Deno.test("chooseNetwork() gives a private network where a name server may know the server better", async () => {
  const { host } = hostThat({});
  const files = { ...host.files, read: () => Promise.resolve("127.0.1.1 git.example\n") };
  const chosen = await choose({ ...host, files }, "auto", "https://git.example");
  assert.equal(chosen.kind, "private");
  assert.match(
    chosen.notes.join(),
    /git\.example is on the host's own loopback by its \/etc\/hosts/,
  );
});

Deno.test("chooseNetwork() goes on where the host has no name server for anybody", async () => {
  const { host } = hostThat({});
  const files = { ...host.files, read: () => Promise.resolve(null) };
  const chosen = await choose({ ...host, files }, "auto");
  assert.equal(chosen.kind, "private");
  assert.match(chosen.notes.join(), /no \/etc\/resolv\.conf.*Make one, or link it/);
});

const DROP =
  "table ip x {\n\tchain f {\n\t\ttype filter hook forward priority 0; policy drop;\n\t}\n}\n";

/** Failures of one attempt, by the answers to the examination, the rules, and a firewall's table. */
const FAILURES: readonly (readonly [string, { facts?: Answer; load?: Answer; table?: Answer }])[] =
  [
    ["no process can be started", { facts: { code: 2, stderr: "sh: Cannot fork\n" } }],
    ["chains are busy", { facts: { stdout: "1\n1\nnft failed: Device or resource busy\n" } }],
    ["no memory for rules", {
      load: { code: 1, stderr: "Could not process rule: Cannot allocate memory" },
    }],
    ["nft is killed", { load: { code: 137 } }],
    ["a table is gone", {
      facts: { stdout: `1\n1\n${DROP}` },
      table: { code: 1, stderr: "No such file" },
    }],
    ["a table is empty", { facts: { stdout: `1\n1\n${DROP}` }, table: { stdout: "" } }],
  ];

for (const [what, { facts = { stdout: "1\n1\n" }, load = {}, table = {} }] of FAILURES) {
  for (const choice of ["auto", "private"] as const) {
    Deno.test(`chooseNetwork() for ${choice} is a failure of the host where ${what}`, async () => {
      const { host } = recordingHost({
        answer: ([, , script, , , name]) =>
          script === FACTS_SCRIPT
            ? facts
            : script === LOAD_RULES_SCRIPT
            ? load
            : name === "x"
            ? table
            : {},
      });
      await assert.rejects(choose(host, choice), { kind: "host" });
    });
  }
}

Deno.test("chooseNetwork() does not fall back for an obstacle that only the first of two looks finds", async () => {
  let looks = 0;
  const { host } = recordingHost({
    answer: (argv) =>
      argv[2] === FACTS_SCRIPT
        ? { stdout: `1\n1\n${looks++ === 0 ? DROP : ""}` }
        : { stdout: DROP },
  });
  await assert.rejects(choose(host, "auto"), { kind: "host" });
  assert.equal(looks, 2);
});

/** A host whose examination finds `facts`, and that keeps its verdict. */
function rememberingHost(folder: string, facts: () => string, boot: () => string) {
  const { host, commands } = recordingHost({
    async answer(argv) {
      if (argv[2] !== FACTS_SCRIPT) return { stdout: DROP };
      const known = await Deno.readTextFile(`${folder}/run/nspawn-runner/.network`).catch(() => "");
      return { stdout: `1\n1\nboot ${boot()}\n${known && `verdict ${known}`}${facts()}` };
    },
  });
  return { host: withOwnRun(host, folder), commands };
}

Deno.test("chooseNetwork() never falls back once a private network worked in this boot", () =>
  inFolder(async (folder) => {
    const found = { facts: "", boot: "a" };
    const { host } = rememberingHost(folder, () => found.facts, () => found.boot);
    const kind = async () => (await choose(host, "auto")).kind;
    assert.equal(await kind(), "private");
    found.facts = DROP;
    assert.equal(
      await kind(),
      "private",
      "jobs without a network are better than jobs in the host's",
    );
    found.facts = "lacks nft\n";
    await assert.rejects(kind(), { kind: "host", message: /has no nft/ });
    found.boot = "b";
    assert.equal(await kind(), "host");
  }));

/** A host where a private network worked in the boot `a`, and whose examination waits for `facts`. */
async function workingHost(folder: string, facts: Promise<string>) {
  const { host, processes } = recordingHost({
    answer: async ([, , script]) => script === FACTS_SCRIPT ? { stdout: await facts } : {},
  });
  const own = withOwnRun(host, folder);
  await own.files.makeDirectory("/run/nspawn-runner");
  await own.files.replace("/run/nspawn-runner/.network", "a private\n");
  const begin = (boot: string) =>
    chooseNetwork(own, { network: "auto", extra_hosts: [] }, PLAN, undefined, {
      boot: Promise.resolve(boot),
    });
  return { begin, processes };
}

Deno.test("chooseNetwork() knows the kind before the examination ends, where a private network worked in this boot", () =>
  inFolder(async (folder) => {
    const facts = Promise.withResolvers<string>();
    const { begin, processes } = await workingHost(folder, facts.promise);
    const { kind, details } = await begin("a");
    assert.equal(kind, "private");
    facts.resolve("1\n1\nboot a\n");
    assert.deepEqual((await details).notes, []);
    assert.ok(processes.some(({ argv }) => argv[2] === LOAD_RULES_SCRIPT), "the rules are loaded");
  }));

Deno.test("chooseNetwork() never gives details of the host's network where a private network worked in this boot", () =>
  inFolder(async (folder) => {
    const facts = Promise.withResolvers<string>();
    const { begin } = await workingHost(folder, facts.promise);
    const [{ details }, ofOtherBoot] = [await begin("a"), begin("b")];
    facts.resolve("1\n1\nlacks nft\n"); // an examination that began before the verdict was recorded
    await new Promise((resolve) => setTimeout(resolve, 1)); // where a rejection is not handled, Deno ends
    await assert.rejects(details, { kind: "host", message: /has no nft/ });
    assert.equal((await ofOtherBoot).kind, "host");
  }));

Deno.test("chooseNetwork() looks twice and writes to the system's log once in a boot", () =>
  inFolder(async (folder) => {
    const { host, commands } = rememberingHost(folder, () => DROP, () => "a");
    for (let job = 0; job < 3; job++) {
      assert.equal((await choose(host, "auto")).kind, "host");
    }
    const logged = commands().filter((command) => command.startsWith("logger "));
    assert.equal(logged.length, 1);
    assert.match(
      logged[0]!,
      /^logger --tag=nspawn-runner -- Network of the host, since table ip x drops/,
    );
    assert.equal(commands().filter((command) => command.includes("nft list chains")).length, 4);
  }));

Deno.test("chooseNetwork() gives a private network while systemd-resolved knows no server", async () => {
  const { host } = hostThat({});
  const read = (path: string) =>
    Promise.resolve(path === "/etc/resolv.conf" ? "nameserver 127.0.0.53\n" : null);
  const chosen = await choose({ ...host, files: { ...host.files, read } }, "auto");
  assert.equal(chosen.kind, "private");
  assert.match(chosen.notes.join(), /knows no name server at this moment/);
});

/** A host whose name server is systemd-resolved, with rules that are loaded as `load` answers. */
function hostOfResolved(facts: string, load: (rules: string) => Answer) {
  const loaded: string[] = [];
  const { host, processes } = recordingHost({
    answer: ([, , script]): Answer => {
      if (script === FACTS_SCRIPT) return { stdout: `1\n1\n${facts}` };
      if (script !== LOAD_RULES_SCRIPT) return {};
      const { stdin: rules } = processes.at(-1)!.options as { stdin: string };
      const answer = load(rules);
      if ((answer.code ?? 0) === 0) loaded.push(rules);
      return answer;
    },
  });
  const read = (path: string) =>
    Promise.resolve(
      path === "/etc/resolv.conf"
        ? "nameserver 127.0.0.53\n"
        : path === "/run/systemd/resolve/resolv.conf"
        ? "nameserver 192.0.2.53\n"
        : null,
    );
  return { host: { ...host, files: { ...host.files, read } }, loaded };
}

const LISTENS = "resolved\n  7: 0100010A:0035 00000000:0000 07\n";
const ASKING =
  "table inet nspawn-runner {\n\tchain dns_limit {\n\t\ttype filter hook input priority -11; policy accept;\n\t}\n}\n";

Deno.test("chooseNetwork() uses the upstream servers where the host cannot limit what machines ask its own", async () => {
  const { host, loaded } = hostOfResolved(
    LISTENS,
    (rules) => rules.includes(" limit rate ") ? { code: 1, stderr: "No such file" } : {},
  );
  const { kind, resolvers } = await choose(host, "private");
  assert.deepEqual([kind, resolvers.servers], ["private", ["192.0.2.53"]]);
  assert.equal(loaded.length, 1);
});

Deno.test("chooseNetwork() does not take the gateway from running machines where loading fails once", async () => {
  const { host, loaded } = hostOfResolved(
    LISTENS + ASKING,
    (rules) => rules.includes(" limit rate ") ? { code: 1, stderr: "Resource busy" } : {},
  );
  await assert.rejects(choose(host, "private"), { kind: "host", message: /Resource busy/ });
  assert.deepEqual(loaded, []);
});

Deno.test("chooseNetwork() lets running machines ask the gateway while systemd-resolved restarts", async () => {
  for (const [facts, told] of [[LISTENS, "10.1.0.1"], ["", "192.0.2.53"]] as const) {
    const { host, loaded } = hostOfResolved(facts + ASKING, () => ({}));
    assert.deepEqual((await choose(host, "private")).resolvers.servers, [told]);
    assert.deepEqual(loaded, [rulesFor(PLAN, ["192.0.2.53", "10.1.0.1"]).text]);
  }
  const { host, loaded } = hostOfResolved(ASKING.replace("nspawn-runner", "x"), () => ({}));
  await choose(host, "private");
  assert.deepEqual(loaded, [rulesFor(PLAN, ["192.0.2.53"]).text], "no machine was told to ask it");
});
