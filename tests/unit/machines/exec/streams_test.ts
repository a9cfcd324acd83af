import assert from "node:assert/strict";
import { withOwnStreams } from "../../../../src/machines/exec/streams.ts";
import { skip } from "../../../skip.ts";
import { leaseOf } from "../fixture.ts";

const CI = { name: "ci", uid: 1000, gid: 1001, home: "/home/ci" };

Deno.test("withOwnStreams() adds nothing where scripts run as root", () => {
  const argv = ["client", "a"] as const;
  assert.equal(withOwnStreams(leaseOf("/s", "1"), argv), argv);
  const own = withOwnStreams(leaseOf("/s", "1", { user: CI }), argv);
  assert.deepEqual(own.slice(-3), ["1000", "client", "a"]);
});

Deno.test("withOwnStreams() gives pipes to the user who runs scripts, and leaves other files alone", async () => {
  const name = "withOwnStreams() gives pipes to the user who runs scripts";
  if (Deno.uid() !== 0) return skip(name, "not root");
  const file = await Deno.makeTempFile();
  const show = 'stat -Lc %u /proc/self/fd/1; exec 2>"$1"; stat -Lc %u /proc/self/fd/2';
  const [program, ...args] = withOwnStreams(leaseOf("/s", "1", { user: CI }), [
    ...["sh", "-c", show, "sh", file] as const,
  ]);
  const { stdout, code } = await new Deno.Command(program, { args }).output();
  await Deno.remove(file);
  assert.deepEqual([new TextDecoder().decode(stdout), code], ["1000\n0\n", 0]);
});
