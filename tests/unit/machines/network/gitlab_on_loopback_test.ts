import assert from "node:assert/strict";
import { loopbackObstacles } from "../../../../src/machines/network/gitlab_on_loopback.ts";
import { recordingHost } from "../../recording_host.ts";

const HOSTS = `127.0.0.1 localhost
127.0.1.1 git.example git dev.localhost # me
10.0.0.1 other lan.localhost
127.0.0.1 other
`;

/** A server, names that machines get by configuration, and how serious the obstacle is; null for none. */
const SERVERS: readonly (readonly [string | undefined, readonly string[], string | null])[] = [
  ["https://git.example/x", [], "minor"],
  ["https://git.example/x", ["git.example:10.0.0.2"], null],
  ["https://git.example/x", ["git.example.org:10.0.0.2"], "minor"],
  ["https://other/x", [], null],
  ["https://elsewhere.example", [], null],
  ["http://localhost:8080", [], "serious"],
  ["http://dev.localhost", [], "serious"],
  ["http://unknown.localhost", [], "serious"],
  ["http://unknown.localhost", ["unknown.localhost:fd00::1"], null],
  ["http://lan.localhost", [], null],
  ["http://0.0.0.0:8080", [], "serious"],
  ["http://[::]:8080", [], "serious"],
  [undefined, [], null],
];

for (const [server, extra, expected] of SERVERS) {
  Deno.test(`loopbackObstacles() finds ${expected ?? "none"} for ${server} with extra_hosts = [${extra}]`, async () => {
    const { host } = recordingHost();
    const files = { ...host.files, read: () => Promise.resolve(HOSTS) };
    const [obstacle, ...more] = await loopbackObstacles({ ...host, files }, server, extra);
    assert.equal(obstacle?.severity ?? null, expected);
    assert.deepEqual(more, []);
  });
}
