import assert from "node:assert/strict";
import type { Argv } from "../../../../src/host/host.ts";
import { machineName } from "../../../../src/machines/record/name.ts";
import { machinePaths } from "../../../../src/machines/record/paths.ts";
import { nspawnArgv, nspawnEnvironment } from "../../../../src/machines/nspawn/command_line.ts";
import type { MachineSpec } from "../../../../src/machines/nspawn/spec.ts";
import { SETTINGS, specOf } from "../fixture.ts";

const FIRST = 0x4000_0000;

/** Returns the command line of nspawn itself. */
function optionsOf(spec: MachineSpec): Argv {
  const argv = nspawnArgv(spec, "unit", { script: "", args: [] });
  return argv.slice(argv.indexOf("systemd-nspawn")) as unknown as Argv;
}

Deno.test("nspawnArgv() limits itself, and mounts what the machine needs, in this order", () => {
  const device = { path: "/dev/kvm", kind: "c", major: 10, minor: 232, readOnly: false } as const;
  const spec = specOf({ resolvConf: "/own/resolv.conf", devices: [device] });
  const argv = nspawnArgv(spec, "unit", { script: "limit $1\nshift\n", args: ["strictly"] });
  assert.deepEqual(argv.slice(0, 5), ["unshare", "--mount", "--propagation=slave", "sh", "-euc"]);
  assert.match(argv[5]!, /^limit .*\/etc\/resolv\.conf\n.*mknod .*^mount_root\n\nexec "\$@"$/ms);
  assert.deepEqual(argv.slice(6, 10), [
    ...["sh", "strictly", "/own/resolv.conf", "/store/.machines/run-42/devices"],
  ]);
});

Deno.test("nspawnArgv() boots a machine that reports when it is ready", () => {
  assert.deepEqual(optionsOf(specOf({ ids: FIRST })), [
    "systemd-nspawn",
    "--quiet",
    "--machine=run-42",
    "--keep-unit",
    "--timezone=off",
    "--console=pipe",
    "--settings=no",
    "--rlimit=RLIMIT_NOFILE=1024:524288",
    "--rlimit=RLIMIT_CORE=1",
    "--directory=/root",
    "--private-users=1073741824:1048576",
    "--resolv-conf=replace-host",
    "--link-journal=no",
    "--bind-ro=/run/nspawn-runner/run-42:/run/nspawn-runner",
    "--bind=/store/.machines/run-42/own/result:/run/nspawn-runner/result",
    "--setenv=SYSTEMD_GENERATOR_PATH=/run/nspawn-runner/generators:",
    "--setenv=SYSTEMD_UNIT_PATH=/run/nspawn-runner/units:",
    "--boot",
    "--notify-ready=yes",
    "--",
    "systemd.hostname=run-42",
    "systemd.mask=ldconfig.service",
    "systemd.wants=nspawn-runner.service",
  ]);
});

Deno.test("nspawnArgv() gives a plain machine the server of its stages as its payload", () => {
  const argv = optionsOf(specOf({ booted: false }));
  assert.deepEqual(argv.slice(-4), ["--as-pid2", "--", "/bin/sh", "/run/nspawn-runner/server"]);
  assert.ok(!argv.includes("--boot"));
});

Deno.test("nspawnArgv() escapes colons and backslashes of paths", () => {
  const paths = machinePaths("/a:b\\c", machineName("42", undefined));
  const bind = optionsOf(specOf({ paths })).find((word) => word.startsWith("--bind="));
  assert.ok(bind?.startsWith("--bind=/a\\:b\\\\c/.machines/run-42/own/result:"));
});

Deno.test("nspawnArgv() with own ids maps the owners of binds whose owners are kept", () => {
  const binds = [
    { from: "/c", to: "/cache", readOnly: false, keepsDiskOwners: true },
    { from: "/h", to: "/etc/hosts", readOnly: false, keepsDiskOwners: false },
  ];
  const mapped = optionsOf(specOf({ ids: FIRST, binds }));
  assert.ok(mapped.includes(`--private-users=${FIRST}:1048576`));
  assert.ok(mapped.includes("--bind=/c:/cache:idmap") && mapped.includes("--bind=/h:/etc/hosts"));
  const small = optionsOf(specOf({ ids: 0x6000_0000 }));
  assert.ok(small.includes("--private-users=1610612736:65536"), "as earlier releases gave them");
  const plain = optionsOf(specOf({ binds }));
  assert.ok(
    plain.includes("--bind=/c:/cache") && !plain.some((word) => /private-users/.test(word)),
  );
});

Deno.test("nspawnEnvironment() always sets SYSTEMD_SECCOMP", () => {
  const seccomp = (seccomp: boolean) =>
    nspawnEnvironment({ ...SETTINGS, seccomp })["SYSTEMD_SECCOMP"];
  assert.deepEqual([seccomp(true), seccomp(false)], ["1", "0"]);
});

Deno.test("nspawnEnvironment() leaves /tmp to the machine's storage unless a tmpfs is configured", () => {
  const tmpfs = (tmp: "storage" | "tmpfs") =>
    nspawnEnvironment({ ...SETTINGS, tmp })["SYSTEMD_NSPAWN_TMPFS_TMP"];
  assert.deepEqual([tmpfs("storage"), tmpfs("tmpfs")], ["0", undefined]);
});

Deno.test("nspawnArgv() shows the helper root read-only, whose shell runs the server of a plain machine", () => {
  const bundle = { from: "/ca.pem", to: "/etc/ca.pem", readOnly: true, keepsDiskOwners: false };
  const helper = { path: "/store/helper", runner: "/usr/bin/gitlab-runner", binds: [bundle] };
  const argv = optionsOf(specOf({ helper, booted: false, ids: 65_536 }));
  const inside = "/run/nspawn-runner/helper";
  for (
    const option of [
      `--bind-ro=/store/helper:${inside}:idmap`,
      `--bind-ro=/ca.pem:${inside}/etc/ca.pem`,
      "--bind-ro=/usr/bin/gitlab-runner:/run/nspawn-runner/bin/gitlab-runner",
    ]
  ) assert.ok(argv.includes(option), option);
  assert.deepEqual(argv.slice(-3), [
    `${inside}/usr/bin/busybox`,
    "sh",
    "/run/nspawn-runner/server",
  ]);
});
