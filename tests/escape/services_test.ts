/** Services that look for machines of other jobs, and for their host. */

import assert from "node:assert/strict";
import { quote } from "../../src/text/quote.ts";
import type { Attempt } from "../conformance/runner.ts";
import { begin, withAttempt } from "../conformance/stages.ts";
import { until } from "../hosts/init_process.ts";
import { withPeer } from "../integration/peer.ts";
import { IN_SERVICE, planWith, withServices } from "../integration/services.ts";

/** Runs a script in the service of a job. */
async function inService(job: Attempt, script: string): Promise<string> {
  const done = await job.run(
    "build_script",
    `${IN_SERVICE}in_service web ${quote(script)}`,
  );
  assert.equal(done.code, 0, done.stderr);
  return done.stdout;
}

/** Prints the addresses of a machine and of those beside it, but not that of the host, which every neighbour reaches. */
const ADDRESSES =
  "ip -o address | grep -oE '10\\.231\\.[0-9.]+|fd[0-9a-f:]+' | grep -vx 10.231.0.1 | sort -u";

/** Prints the addresses that answer on a port where something listens. */
const SCAN = (addresses: readonly string[], ports: readonly number[]) =>
  `for address in ${addresses.join(" ")}; do
  for port in ${ports.join(" ")}; do
    nc -w 2 $address $port </dev/null >/dev/null 2>&1 && echo $address $port &
  done
done | sort`;

withServices(
  "a service finds no machine of another job, no loopback of its host, and no metadata service",
  ["web", "box"],
  { network: "private" },
  async (own) => {
    await withPeer(own, async () => {
      const plan = () => planWith([{ name: "web:1" }]);
      await withAttempt(own, plan(), async (mine) => {
        await begin(mine);
        await withAttempt(own, plan(), async (other) => {
          await begin(other);
          const ofJob = (await other.run("build_script", ADDRESSES)).stdout;
          const found = `${ofJob}${await inService(other, ADDRESSES)}`.trim().split("\n");
          const theirs = `${IN_SERVICE}${ADDRESSES}
            httpd -p 80 && in_service web 'ip -o address' >/dev/null && echo begun; sleep 1000`;
          const listening = await other.startRun("build_script", theirs);
          await listening.untilPrinted("begun");
          const targets = [...found, "169.254.169.254", "127.0.0.1", "::1"];
          const seen = () => inService(mine, SCAN(targets, [80, 7777]));
          assert.equal(await seen(), "127.0.0.1 80\n::1 80\n", "only the service itself answers");
          assert.match(
            await inService(mine, SCAN(["192.0.2.9"], [7777])),
            /192/,
            "it has a way out",
          );
          // Only the table keeps them apart; the next prepare loads it again.
          await own.host.exec(["nft", "delete", "table", "inet", "nspawn-runner"]);
          const reached = await until(
            async () => (await seen()).split("\n").length > 3 || null,
            20_000,
          );
          assert.ok(reached, "the scan finds what it can");
          await own.host.signal(listening, "SIGTERM");
          await listening.ended;
        });
      });
    });
  },
);
