import assert from "node:assert/strict";
import {
  deviceNodes,
  deviceProperties,
  deviceSteps,
  machineDevices,
} from "../../../../src/machines/nspawn/devices.ts";
import { recordingHost } from "../../recording_host.ts";
import { SETTINGS, specOf } from "../fixture.ts";

const REAL = { real: ["stat"] };

Deno.test("machineDevices() reads the kind and the numbers of devices, also through links", async () => {
  const { host } = recordingHost(REAL);
  const settings = { ...SETTINGS, devices: ["/dev/null", "/dev/zero:r"] };
  assert.deepEqual(await machineDevices(host, settings), [
    { path: "/dev/null", kind: "c", major: 1, minor: 3, readOnly: false },
    { path: "/dev/zero", kind: "c", major: 1, minor: 5, readOnly: true },
  ]);
});

Deno.test("machineDevices() refuses paths that do not exist or are no devices", async () => {
  const { host } = recordingHost(REAL);
  for (const device of ["/dev/no-such", "/dev/pts", "/dev/fd"]) {
    const found = machineDevices(host, { ...SETTINGS, devices: [device] });
    await assert.rejects(found, { name: "Failure", kind: "refused" }, device);
  }
});

Deno.test("machineDevices() adds FUSE and TUN once where nesting is set and the host has them", async () => {
  const nesting = { ...SETTINGS, nesting: true };
  const [fuse, tun] = [["/dev/fuse", 229], ["/dev/net/tun", 200]].map(([path, minor]) => (
    { path, kind: "c", major: 10, minor, readOnly: false }
  ));
  const there = recordingHost({
    answer: ([, , , , path]) => ({ stdout: `21b6 a ${path === "/dev/fuse" ? "e5" : "c8"}\n` }),
  });
  assert.deepEqual(await machineDevices(there.host, nesting), [fuse, tun]);
  const named = { ...nesting, devices: ["/dev/net/tun"] };
  assert.deepEqual(await machineDevices(there.host, named), [tun, fuse]);
  assert.deepEqual(await machineDevices(recordingHost().host, nesting), []);
  assert.deepEqual(await machineDevices(there.host, SETTINGS), []);
});

const DEVICES = [
  { path: "/dev/kvm", kind: "c", major: 10, minor: 232, readOnly: false },
  { path: "/dev/sr0", kind: "b", major: 11, minor: 0, readOnly: true },
] as const;

Deno.test("deviceSteps() creates nodes before nspawn, which binds them", () => {
  const spec = specOf({ devices: DEVICES });
  const folder = "/store/.machines/run-42/devices";
  assert.deepEqual(deviceSteps(spec).map(({ args }) => args), [[
    ...[folder, "2"],
    ...["0", "c", "10", "232", "0666"],
    ...["1", "b", "11", "0", "0444"],
  ]]);
  assert.deepEqual(deviceNodes(spec).map(({ from, to }) => [from, to]), [
    [`${folder}/0`, "/dev/kvm"],
    [`${folder}/1`, "/dev/sr0"],
  ]);
  assert.deepEqual(deviceSteps(specOf()), []);
});

Deno.test("deviceProperties() allows writing only where it was configured", () => {
  assert.deepEqual(deviceProperties(DEVICES), [
    "DeviceAllow=/dev/kvm rwm",
    "DeviceAllow=/dev/sr0 rm",
  ]);
});
