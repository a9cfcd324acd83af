/** What the doctor says of hosts that are well, weak and broken. */

import assert from "node:assert/strict";
import type { Config } from "../../../src/config/settings.ts";
import { loadConfig } from "../../../src/config/load.ts";
import { asReport } from "../../../src/doctor/doctor.ts";
import type { Check, Finding } from "../../../src/doctor/finding.ts";
import { helper, runners } from "../../../src/doctor/gitlab.ts";
import { filter, nspawn, supervisor, timers } from "../../../src/doctor/machines.ts";
import { network } from "../../../src/doctor/network.ts";
import { chroots, disk, quota, store } from "../../../src/doctor/store.ts";
import { users } from "../../../src/doctor/users.ts";
import { runnerToml } from "../../../src/gitlab/runner_toml.ts";
import type { Host } from "../../../src/host/host.ts";
import { type Answer, inFolder, PROGRAM_FILE, recordingHost } from "../recording_host.ts";

/** What a host is made of. */
interface Scene {
  /** Files outside of the store, with what is in them. */
  readonly files?: Readonly<Record<string, string>>;
  readonly answer?: (argv: readonly string[]) => Answer | void;
}

async function find(
  check: Check,
  scene: Scene,
  prepare: (folder: string) => Promise<void> = () => Promise.resolve(),
): Promise<Finding[]> {
  let found: Finding[] = [];
  await inFolder(async (folder) => {
    const config = `${folder}/config.toml`;
    await Deno.writeTextFile(config, `store = "${folder}/store"\ndefinitions = "${folder}/defs"\n`);
    await prepare(folder);
    const { host } = recordingHost(scene.answer === undefined ? {} : { answer: scene.answer });
    const settings: Config = await loadConfig(host, config);
    found = [await check(withFiles(host, folder, scene.files ?? {}), settings)].flat();
  });
  return found;
}

function withFiles(host: Host, folder: string, there: Readonly<Record<string, string>>): Host {
  const look = (real: typeof host.files.stat) => (path: string) =>
    path in there
      ? Promise.resolve(PROGRAM_FILE)
      : path.startsWith(folder)
      ? real(path)
      : Promise.resolve(null);
  return {
    ...host,
    env: (name) => name === "PATH" ? "/usr/bin" : undefined,
    files: {
      ...host.files,
      stat: look(host.files.stat),
      lstat: look(host.files.lstat),
      real: (path) => path in there ? Promise.resolve(path) : host.files.real(path),
      read: (path) =>
        path in there
          ? Promise.resolve(there[path]!)
          : path.startsWith(folder)
          ? host.files.read(path)
          : Promise.resolve(null),
      // What is kept until a reboot is kept for nobody here.
      makeDirectory: (path) =>
        path.startsWith(folder) ? host.files.makeDirectory(path) : Promise.resolve(),
      replace: () => Promise.resolve(),
      lock: (path) => host.files.lock(path.startsWith(folder) ? path : `${folder}/lock`),
    },
  };
}

const state = ({ state, fix }: Finding) => [state, fix !== null];

Deno.test("nspawn() wants a version that knows what machines are started with", async () => {
  const versions = [["257 (257.9)", "ok"], ["247 (x)", "ok"], ["245 (x)", "broken"]] as const;
  for (const [version, expected] of versions) {
    const answer = ([program]: readonly string[]) =>
      program === "systemd-nspawn" ? { stdout: `systemd ${version}\n` } : undefined;
    const [finding] = await find(nspawn, { answer });
    assert.equal(finding?.state, expected);
  }
});

Deno.test("filter() wants a systemd-nspawn that was built with seccomp", async () => {
  for (const [built, expected] of [["+SECCOMP", "ok"], ["-SECCOMP", "broken"]] as const) {
    const answer = () => ({ stdout: `systemd 257 (x)\n+PAM ${built} +ACL\n` });
    assert.equal((await find(filter, { answer }))[0]?.state, expected);
  }
});

Deno.test("supervisor() tells whether limits bind, and which do not", async () => {
  const files = { "/run/systemd/system": "" };
  const controllers = (stdout: string) => ({ files, answer: () => ({ stdout }) });
  assert.deepEqual((await find(supervisor, {})).map(state), [["weak", true]]);
  assert.deepEqual(
    (await find(supervisor, controllers("cpuset cpu io memory pids\n"))).map(state),
    [["ok", false]],
  );
  const [missing] = await find(supervisor, controllers("cpu pids\n"));
  assert.deepEqual([missing?.state, missing?.found], [
    "weak",
    "no cgroup v2 controller for memory, io",
  ]);
});

Deno.test("timers() names those that do not run", async () => {
  const answer = (argv: readonly string[]) => ({
    stdout: argv.at(-1)!.includes("-gc") ? "active\n" : "inactive\n",
  });
  const [finding] = await find(timers, { answer });
  assert.deepEqual([finding?.state, finding?.found], [
    "weak",
    "not active: nspawn-runner-maintenance.timer",
  ]);
  const [well] = await find(timers, { answer: () => ({ stdout: "active\n" }) });
  assert.equal(well?.state, "ok");
});

Deno.test("store() is root's alone to change", async () => {
  const made = (mode: number) => async (folder: string) => {
    await Deno.mkdir(`${folder}/store`);
    await Deno.chmod(`${folder}/store`, mode);
  };
  assert.equal((await find(store, {}))[0]?.state, "weak");
  const isRoot = Deno.uid() === 0;
  assert.equal((await find(store, {}, made(0o755)))[0]?.state, isRoot ? "ok" : "broken");
  const [open] = await find(store, {}, made(0o777));
  assert.equal(open?.state, "broken");
  assert.match(open?.fix ?? "", /chmod 755/);
});

/** A store with a chroot, whose machines write to overlays. */
const limitedTo = (disk_max: string) => async (folder: string) => {
  await Deno.mkdir(`${folder}/store/x/usr`, { recursive: true });
  const more = `storage = "overlay"\n[limits]\ndisk_max = "${disk_max}"\n`;
  await Deno.writeTextFile(`${folder}/config.toml`, more, { append: true });
};

Deno.test("quota() says what keeps machines from writing more, and what it needs", async () => {
  const answer = (stderr: string) => ([program]: readonly string[]) =>
    program === "sh" ? { code: stderr === "" ? 0 : 1, stderr } : undefined;
  assert.deepEqual(await find(quota, {}, limitedTo("infinity")), []);
  const [well] = await find(quota, { answer: answer("") }, limitedTo("2G"));
  assert.deepEqual([well?.state, well?.found], ["ok", "2G, by disks of their own"]);
  const [none] = await find(quota, { answer: answer("no mkfs.ext4\n") }, limitedTo("2G"));
  assert.deepEqual([none?.state, none?.found], [
    "broken",
    "no disk of 2G can be made: no mkfs.ext4",
  ]);
});

Deno.test("quota() is broken where a loop device has no node", async () => {
  let bin = "";
  const [none] = await find(quota, {
    answer: ([program, ...words]) => {
      if (program !== "sh") return;
      const env = { PATH: `${bin}:/usr/bin:/bin` };
      const { code, stderr } = new Deno.Command("sh", { args: words, env }).outputSync();
      return { code, stderr: new TextDecoder().decode(stderr) };
    },
  }, async (folder) => {
    await limitedTo("2G")(folder);
    bin = `${folder}/bin`;
    await Deno.mkdir(bin);
    const programs = { "mkfs.ext4": "", losetup: "echo '/dev/loop0 (lost)'" };
    for (const [name, text] of Object.entries(programs)) {
      await Deno.writeTextFile(`${bin}/${name}`, `#!/bin/sh\n${text}\n`, { mode: 0o755 });
    }
  });
  assert.equal(none?.state, "broken");
  assert.match(none?.found ?? "", /no loop device: .dev.loop0 .lost.$/);
});

Deno.test("disk() is weak below a tenth", async () => {
  const df = (free: number) => ({ answer: () => ({ stdout: `Avail 1B-blocks\n${free} 1000\n` }) });
  assert.equal((await find(disk, df(100)))[0]?.state, "ok");
  assert.equal((await find(disk, df(99)))[0]?.state, "weak");
  assert.deepEqual(await find(disk, { answer: () => ({ code: 1 }) }), []);
});

Deno.test("chroots() wants one that is ready, and every definition right", async () => {
  assert.deepEqual((await find(chroots, {})).map(state), [["broken", true]]);
  const found = await find(chroots, {}, async (folder) => {
    await Deno.mkdir(`${folder}/store/x/usr`, { recursive: true });
    await Deno.mkdir(`${folder}/defs`);
    await Deno.writeTextFile(`${folder}/defs/x.toml`, "boot = true");
    await Deno.writeTextFile(`${folder}/defs/y.toml`, "boat = true");
  });
  assert.deepEqual(found.map(({ topic, state }) => [topic, state]), [["chroots", "ok"], [
    "definition of y",
    "broken",
  ]]);
  assert.match(found[1]!.found, /unknown key boat/);
});

/** What subuid(5) says, and who is told to have ids of machines. */
const SUBIDS: readonly (readonly [string, string, RegExp | null])[] = [
  ["/etc/subuid", "ci:100000:65536\n", null],
  ["/etc/subuid", "ci:1610612735:1\n", null],
  ["/etc/subuid", "ci:1879048192:65536\n", null],
  ["/etc/subuid", "a:1:2\nbuilder:1610612735:2\n", /^builder in \/etc\/subuid/],
  ["/etc/subgid", "builder:1879048191:1\n", /^builder in \/etc\/subgid/],
  ["/etc/subgid", "all:0:4294967295\n", /^all in /],
  ["/etc/subgid", "nonsense\n", null],
];

for (const [file, text, expected] of SUBIDS) {
  Deno.test(`users() ${expected ? "sees" : "sees nobody in"} ${JSON.stringify(text)}`, async () => {
    const [finding] = await find(users, { files: { [file]: text } });
    if (expected === null) assert.equal(finding, undefined, "there is no chroot to try it with");
    else assert.match(`${finding?.state} ${finding?.found}`.replace("weak ", ""), expected);
  });
}

Deno.test("users() maps owners of a chroot that is there, or says what would", async () => {
  const tree = async (folder: string) =>
    void await Deno.mkdir(`${folder}/store/x/usr`, { recursive: true });
  const said = (stdout: string) => (argv: readonly string[]) =>
    argv[0] === "unshare" ? { stdout } : undefined;
  for (
    const [stdout, expected] of [["1610612736\n", "ok"], ["0\n", "weak"], ["", "weak"]] as const
  ) {
    const [finding] = await find(users, { answer: said(stdout) }, tree);
    assert.equal(finding?.state, expected);
  }
});

Deno.test("users() is content with a shifted layer, where machines see the owners in it", async () => {
  const tree = async (folder: string) =>
    void await Deno.mkdir(`${folder}/store/x/usr`, { recursive: true });
  for (const version of [252, 249]) {
    const answer = (argv: readonly string[]) =>
      argv[0] === "systemd-nspawn"
        ? { stdout: `systemd ${version} (x)\n` }
        : argv.at(-2)?.endsWith("/tree")
        ? { stdout: "1610612736 4750\ncontent" }
        : undefined;
    const [finding] = await find(users, { answer }, tree);
    assert.equal(finding?.state, version === 252 ? "ok" : "weak");
  }
});

Deno.test("helper() finds gitlab-runner, and proves that it runs", async () => {
  assert.equal((await find(helper, {}))[0]?.state, "weak");
  const files = { "/usr/bin/gitlab-runner": "" };
  const well = await find(helper, { files, answer: () => ({ stdout: "Version:      17.5.0\n" }) });
  assert.deepEqual([well[0]?.state, well[0]?.found], [
    "ok",
    "/usr/bin/gitlab-runner, version 17.5.0",
  ]);
  assert.equal((await find(helper, { files, answer: () => ({ code: 1 }) }))[0]?.state, "broken");
});

const FILE = "/etc/gitlab-runner/config.toml";
const PROGRAM = "/usr/local/bin/nspawn-runner";
const OURS = runnerToml({ executable: PROGRAM, name: "ci", url: undefined, token: undefined });

/** GitLab Runner's configuration, and what is said of it. */
const CONFIGURATIONS: readonly (readonly [string, string, RegExp])[] = [
  [OURS, "ok", /all four stages/],
  [OURS.replaceAll("/usr/local/bin", "/opt"), "broken", /\/opt\/nspawn-runner is not there/],
  [OURS.replace('["cleanup"]', '["run"]'), "broken", /its cleanup stage does not call us/],
  [
    OURS.replace("prepare_exec_timeout = 600", "prepare_exec_timeout = 60"),
    "weak",
    /prepare_exec_timeout is 60 s/,
  ],
  [OURS.replace('shell = "bash"', 'shell = "pwsh"'), "weak", /shell = "pwsh"/],
  [OURS.replace('executor = "custom"', 'executor = "docker"'), "weak", /no runner calls/],
  ["[[runners]", "broken", /config\.toml/],
  ["", "weak", /no runner calls/],
];

for (const [text, expected, found] of CONFIGURATIONS) {
  Deno.test(`runners() finds it ${expected}: ${found.source}`, async () => {
    const files = { [FILE]: text, [PROGRAM]: "" };
    const [finding, ...more] = await find(runners, { files });
    assert.equal(finding?.state, expected, finding?.found);
    assert.match(finding?.found ?? "", found);
    assert.deepEqual(more, []);
  });
}

Deno.test("runners() is weak where GitLab Runner has no configuration", async () => {
  assert.deepEqual((await find(runners, {})).map(state), [["weak", true]]);
});

Deno.test("asReport() has a row for each finding, and what mends those that are not well", () => {
  const findings = [
    { topic: "a", state: "ok", found: "1", fix: null },
    { topic: "longer", state: "weak", found: "2\nmore", fix: "do this" },
  ] as const;
  assert.equal(
    asReport(findings),
    "WHAT    STATE  FOUND\na       ok     1\nlonger  weak   2\n\nweak: longer: do this\n",
  );
  assert.ok(!asReport(findings.slice(0, 1)).includes("\n\n"));
});

Deno.test("network() tries the rules, and names what is in the way of machines", async () => {
  const asked: string[] = [];
  const look = (forwards: string, lacks = "") => (argv: readonly string[]): Answer => {
    asked.push(argv.join(" "));
    const isLook = argv[2]?.includes("nft list chains");
    return { stdout: isLook ? `${forwards}${lacks && `lacks ${lacks}\n`}` : "" };
  };
  const files = { "/etc/resolv.conf": "nameserver 192.0.2.1\n" };
  const good = await find(network, { files, answer: look("0\n") });
  assert.deepEqual(good.map(state), [["ok", false], ["ok", false], ["ok", false]]);
  assert.match(good[1]!.found, /^IPv4, turned on with the first machine$/);
  assert.ok(asked.some((command) => command.endsWith(" sh --check no no")), "nothing is changed");
  const bare = await find(network, { answer: look("1\n", "nft") });
  assert.deepEqual(state(bare[0]!), ["weak", true]);
  const stub = { "/etc/resolv.conf": "nameserver 127.0.0.1\n" };
  const [, , dns] = await find(network, { files: stub, answer: look("1\n") });
  assert.deepEqual(state(dns!), ["weak", true]);
});

/** A line of ip-route(8) or ip-address(8), and what of it is in the range of machines, 10.231.0.0/19. */
const USES: readonly (readonly ["route" | "address", string, string | null])[] = [
  ["route", "default via 10.0.0.1 dev eth0", null],
  ["route", "10.0.0.0/8 dev wg0 scope link", null],
  ["route", "10.231.0.0/16 via 10.0.0.1 dev eth0", null],
  ["route", "10.231.0.2 dev nr-0 proto kernel scope link src 10.231.0.1", null],
  ["route", "10.231.32.0/24 dev eth1", null],
  ["route", "10.231.0.0/19 dev eth1", "10.231.0.0/19 dev eth1"],
  ["route", "10.231.16.0/24 dev eth1 scope link", "10.231.16.0/24 dev eth1 scope link"],
  ["route", "10.231.31.9 dev eth1", "10.231.31.9 dev eth1"],
  ["route", "unreachable 10.231.16.0/24 metric 9", "unreachable 10.231.16.0/24 metric 9"],
  [
    "address",
    "2: eth0    inet 10.231.0.9/8 brd x scope global eth0\\  x",
    "eth0    inet 10.231.0.9/8",
  ],
  ["address", "2: eth0    inet 10.9.0.9/8 brd x scope global eth0\\  x", null],
  ["address", "5: nr-0    inet 10.231.0.1 peer 10.231.0.2/32 scope global nr-0\\  x", null],
];

for (const [kind, line, expected] of USES) {
  Deno.test(`network() finds ${expected ?? "nobody"} in its range where ip says ${line}`, async () => {
    const answer = (argv: readonly string[]): Answer => ({
      stdout: argv[0] !== "ip" ? "1\n" : argv.includes(kind) ? `${line}\n` : "",
    });
    const [use, ...more] = (await find(network, { answer })).slice(3);
    const found = expected === null ? undefined : `10.231.0.0/19 is in use here: ${expected}`;
    assert.equal(use?.found, found);
    assert.deepEqual(more, []);
  });
}
