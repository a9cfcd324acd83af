/** Escapes that could harm a kernel, and limits that are enforced only where all cgroup controllers are. */

import assert from "node:assert/strict";
import { BOMB_SETS, THREADS_OF_TWO } from "../escape/bombs.ts";
import { tryAll } from "../escape/attempt.ts";
import type { Target } from "../escape/target.ts";
import { ESCAPES } from "../escape/escapes.ts";
import type { Settings } from "../hosts/site.ts";
import { skip } from "../skip.ts";
import { onVm, type VmSite } from "./site.ts";

/** Returns a target for a virtual machine. */
function targetOn(site: VmSite): Target {
  return {
    bait: "/srv/bait",
    host: site.host,
    withMachine: async (settings, body) => {
      await site.define(toml(settings));
      await site.withMachine((id) => body((script) => site.runScript(id, script)));
    },
  };
}

function toml(settings: Settings): string {
  return Object.entries(settings)
    .map(([key, value]) => `${key} = ${JSON.stringify(value)}\n`).join("");
}

onVm("no escape from a machine or into its kernel succeeds", async (site) => {
  await tryAll(targetOn(site), ESCAPES.filter(({ needs }) => needs === undefined));
});

for (const escape of ESCAPES) {
  const { name, needs } = escape;
  if (needs === undefined) continue;
  onVm(`no machine can ${name}`, async (site) => {
    const there = await site.host(`[ ! -e ${needs} ] || echo there`);
    if (there === "") return skip(name, `the kernel of the guest has no ${needs}`);
    await tryAll(targetOn(site), [escape]);
  });
}

/** Longest time for an answer, in milliseconds, with an emulated kernel and another machine at its limits. */
const PATIENCE = 60_000;

/** A service of the host that repeats a line. */
const SERVICE = `mkdir /run/service && mkfifo /run/service/ask /run/service/answer
systemd-run --quiet --unit=answering --collect sh -c '
  while :; do read -r line </run/service/ask; echo "$line" >/run/service/answer; done'
`;
const ASK = "echo yes >/run/service/ask; read -r line </run/service/answer; echo $line";

/** Returns how long both take to answer, in milliseconds. */
async function answers(site: VmSite, neighbour: string): Promise<number> {
  const began = Date.now();
  assert.equal(await site.host(ASK), "yes\n");
  const done = await site.call(["run", "--id", neighbour, "/root/quiet", "step_script"]);
  assert.deepEqual([done.code, done.stdout], [0, "here\n"], done.stderr);
  return Date.now() - began;
}

/** Runs a script in a machine, and `also` repeatedly meanwhile; returns `CODE OUTPUT` of the script. */
async function during(
  site: VmSite,
  id: string,
  script: string,
  also: () => Promise<void>,
): Promise<string> {
  let going = true;
  const running = site.runScript(id, script).finally(() => going = false);
  running.catch(() => {}); // it is awaited later
  while (going) await also();
  const { code, stdout, stderr } = await running;
  return `${code} ${stdout}${stderr}`;
}

onVm("a job without limits can exceed what a job with limits may use", async (site) => {
  for (const { limits, bombs } of BOMB_SETS) {
    await site.define(limits.replace(/^\[limits\][^]*/m, ""));
    await site.withMachine(async (id) => {
      for (const { name, script, unlimited } of bombs) {
        if (unlimited === undefined) continue;
        const { code, stdout, stderr } = await site.runScript(id, script);
        assert.match(`${code} ${stdout}${stderr}`, unlimited, name);
      }
    });
  }
});

onVm("another job and a host service answer while a job exhausts its limits", async (site) => {
  await site.vm.push("echo here\n", "/root/quiet");
  await site.host(SERVICE);
  await site.withMachine(async (neighbour) => {
    const othersAnswer = async () => {
      const took = await answers(site, neighbour);
      assert.ok(took < PATIENCE, `an answer took ${took} ms`);
    };
    for (const { limits, bombs } of BOMB_SETS) {
      await site.define(limits);
      await site.withMachine(async (wild) => {
        for (const { name, script, output } of bombs) {
          assert.match(await during(site, wild, script, othersAnswer), output, name);
        }
      });
    }
  });
  await site.host("systemctl stop answering.service; rm -r /run/service");
});

/** Runs a test on a host with this many threads; the next machine gives the slice of all machines its share of them. */
async function withThreads(
  site: VmSite,
  count: number,
  body: () => Promise<void>,
): Promise<void> {
  const file = "/proc/sys/kernel/threads-max";
  const limit = (threads: string | number) =>
    site.host(`echo ${threads} >${file}
      systemctl set-property --runtime machine-ci.slice TasksMax=infinity
      rm -f /run/nspawn-runner/.slice`);
  const before = (await site.host(`cat ${file}`)).trim();
  await limit(count);
  try {
    await body();
  } finally {
    await limit(before);
  }
}

onVm(
  "the host answers while two jobs at once take all threads that machines may have",
  async (site) => {
    const { limits, ofHost, script, output } = THREADS_OF_TWO;
    await site.vm.push(script, "/root/bomb");
    await site.host(SERVICE);
    await site.define(limits);
    await withThreads(
      site,
      ofHost,
      () =>
        site.withMachine((one) =>
          site.withMachine(async (other) => {
            let going = true;
            const running = Promise.all(
              [one, other].map((id) => site.call(["run", "--id", id, "/root/bomb", "step_script"])),
            ).finally(() => going = false);
            while (going) assert.equal(await site.host(ASK), "yes\n");
            const made = (await running).map(({ code, stdout, stderr }) => {
              assert.match(`${code} ${stdout}`, output, stderr);
              return Number(`${code} ${stdout}`.match(output)![1]);
            });
            const all = made[0]! + made[1]!;
            // Less than their own limits allow, and most of what all machines may have.
            assert.ok(all > ofHost / 2 && all < ofHost * 0.7, `${made} threads`);
          })
        ),
    );
    await site.host("systemctl stop answering.service; rm -r /run/service");
  },
);
