import assert from "node:assert/strict";
import { loopbackObstacles } from "../../../../src/machines/network/gitlab_on_loopback.ts";
import { recordingHost } from "../../recording_host.ts";

Deno.test("loopbackObstacles() finds a server that hosts(5) has only on a loopback address", async () => {
  const { host } = recordingHost();
  const files = {
    read: () =>
      Promise.resolve("127.0.1.1 git.example git # me\n10.0.0.1 other\n127.0.0.1 other\n"),
  };
  const named = { ...host, files } as unknown as typeof host;
  assert.equal((await loopbackObstacles(named, "https://git.example/x")).length, 1);
  assert.deepEqual(await loopbackObstacles(named, "https://other/x"), []);
  assert.deepEqual(await loopbackObstacles(named, "https://elsewhere.example"), []);
  assert.deepEqual(await loopbackObstacles(named, undefined), []);
});
