import assert from "node:assert/strict";
import { devices } from "../../../src/doctor/devices.ts";
import { find } from "./fixture.ts";

const SYSTEMD = { "/run/systemd/system": "" };

Deno.test("devices() tries whether a unit with the policy of machines can open a device", async () => {
  const judge = async (device: string, unit: string) => {
    const answer = (argv: readonly string[]) => {
      if (argv[0] !== "systemd-run") return { stdout: `${device}\n` };
      assert.ok(argv.includes("--property=DevicePolicy=closed"), argv.join(" "));
      assert.equal(argv.at(-1), device);
      return { stdout: unit, stderr: "Failed to connect to bus" };
    };
    return (await find(devices, { files: SYSTEMD, answer })).map(({ state }) => state);
  };
  assert.deepEqual(await judge("/dev/kmsg", "refused\n"), ["ok"]);
  assert.deepEqual(await judge("/dev/kmsg", "opened\n"), ["weak"]);
  assert.deepEqual(await judge("/dev/kmsg", ""), ["unknown"]);
  assert.deepEqual(await judge("", "refused\n"), ["unknown"]);
  assert.deepEqual(await find(devices, {}), [], "without systemd there are no units");
});
