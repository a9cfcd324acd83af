import assert from "node:assert/strict";
import { CAPABILITIES } from "../../../../src/config/capabilities.ts";
import type { Leader } from "../../../../src/machines/record/lease.ts";
import {
  droppedCapabilities,
  privilegeOptions,
  refuseUnsafeNesting,
  verifyPrivileges,
  weakenedProtections,
} from "../../../../src/machines/nspawn/privileges.ts";
import { SETTINGS, specOf } from "../fixture.ts";

const IDS = 1_610_612_736;

Deno.test("privilegeOptions() drops nothing where a machine has its own user ids", () => {
  for (const booted of [true, false]) {
    assert.deepEqual(privilegeOptions(specOf({ booted, ids: IDS })), []);
  }
});

Deno.test("privilegeOptions() drops every capability of the host's root that reaches the host, and not those that it needs", () => {
  const dropped = (booted: boolean) => {
    const [drop = "", noNew] = privilegeOptions(specOf({ booted }));
    assert.equal(noNew, "--no-new-privileges=yes");
    return drop.replace("--drop-capability=", "").split(",");
  };
  const reaching = ["CAP_MKNOD", "CAP_SYS_PTRACE", "CAP_DAC_READ_SEARCH", "CAP_NET_RAW"];
  for (const name of reaching) assert.ok(dropped(true).includes(name), name);
  const more = dropped(false).filter((name) => !dropped(true).includes(name));
  assert.deepEqual(more.sort(), ["CAP_SYS_ADMIN", "CAP_SYS_RESOURCE"]);
  for (const name of dropped(false)) assert.ok(CAPABILITIES.includes(name), name);
});

Deno.test("privilegeOptions() keeps capabilities and system calls that the configuration adds", () => {
  const settings = { ...SETTINGS, capabilities: ["CAP_MKNOD"], syscalls: ["@keyring"] };
  const options = privilegeOptions(specOf({ settings }));
  assert.ok(!options[0]!.includes("CAP_MKNOD"));
  assert.deepEqual(options.slice(2), [
    "--capability=CAP_MKNOD",
    "--system-call-filter=@keyring ptrace process_vm_readv process_vm_writev",
  ]);
});

Deno.test("privilegeOptions() gives nesting its capability and its system calls", () => {
  const settings = { ...SETTINGS, nesting: true, syscalls: ["bpf"] };
  assert.deepEqual(privilegeOptions(specOf({ settings, ids: IDS })), [
    "--capability=CAP_NET_ADMIN",
    "--system-call-filter=bpf add_key keyctl",
  ]);
});

Deno.test("refuseUnsafeNesting() refuses nesting without own user ids", () => {
  assert.throws(() => refuseUnsafeNesting({ ...SETTINGS, nesting: true }, null), {
    name: "Failure",
    kind: "host",
  });
  refuseUnsafeNesting({ ...SETTINGS, nesting: true }, IDS);
  refuseUnsafeNesting(SETTINGS, null);
});

/** A PID 1 with exactly the privileges of its specification. */
function leaderOf(spec = specOf()): Leader {
  const dropped = droppedCapabilities(spec).map((name) => CAPABILITIES.indexOf(name));
  const isOnHost = spec.ids === null;
  return { pid: 7, start: 1, cgroup: "/", dropped, noNewPrivileges: isOnHost, filtered: true };
}

Deno.test("verifyPrivileges() refuses a machine with more privileges than its specification", () => {
  const host = { name: "Failure", kind: "host" };
  for (const spec of [specOf(), specOf({ booted: false }), specOf({ ids: IDS })]) {
    const leader = leaderOf(spec);
    verifyPrivileges(leader, spec);
    assert.throws(() => verifyPrivileges({ ...leader, filtered: false }, spec), host);
    const open = specOf({ ...spec, settings: { ...SETTINGS, seccomp: false } });
    verifyPrivileges({ ...leader, filtered: false }, open);
    if (spec.ids !== null) continue;
    assert.throws(() => verifyPrivileges({ ...leader, noNewPrivileges: false }, spec), host);
    const more = { ...leader, dropped: leader.dropped.slice(1) };
    assert.throws(() => verifyPrivileges(more, spec), host);
  }
});

Deno.test("weakenedProtections() names every setting that weakens the default", () => {
  assert.deepEqual(weakenedProtections(SETTINGS), []);
  const settings = {
    ...SETTINGS,
    seccomp: false,
    nesting: true,
    capabilities: ["CAP_MKNOD", "CAP_BPF"],
    devices: ["/dev/kvm"],
    syscalls: ["keyctl"],
  };
  assert.deepEqual(weakenedProtections(settings), [
    "seccomp off",
    "nesting",
    "capabilities CAP_MKNOD CAP_BPF",
    "devices /dev/kvm",
    "system calls keyctl",
  ]);
});
