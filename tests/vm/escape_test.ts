/** Ways out of a machine that could hurt a kernel, and those that bind only where every controller is. */

import assert from "node:assert/strict";
import { LOADS } from "../escape/bombs.ts";
import { tryAll } from "../escape/trial.ts";
import type { Ground } from "../escape/ground.ts";
import { WAYS } from "../escape/ways.ts";
import type { Settings } from "../hosts/site.ts";
import { skip } from "../skip.ts";
import { onVm, type VmSite } from "./site.ts";

/** A virtual machine as a ground. */
function groundOn(site: VmSite): Ground {
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

onVm("no way leads out of a machine, nor into its kernel", async (site) => {
  await tryAll(groundOn(site), WAYS.filter(({ needs }) => needs === undefined));
});

for (const way of WAYS) {
  const { name, needs } = way;
  if (needs === undefined) continue;
  onVm(`no machine gets to ${name}`, async (site) => {
    const there = await site.host(`[ ! -e ${needs} ] || echo there`);
    if (there === "") return skip(name, `the kernel of the guest has no ${needs}`);
    await tryAll(groundOn(site), [way]);
  });
}

/** Milliseconds that an answer may take where the kernel is emulated and another machine is at its limits. */
const PATIENCE = 60_000;

/** A service of the host: it says what it hears. */
const SERVICE = `mkdir /run/service && mkfifo /run/service/ask /run/service/answer
systemd-run --quiet --unit=answering --collect sh -c '
  while :; do read -r line </run/service/ask; echo "$line" >/run/service/answer; done'
`;
const ASK = "echo yes >/run/service/ask; read -r line </run/service/answer; echo $line";

/** How long it takes both to answer. */
async function answers(site: VmSite, neighbour: string): Promise<number> {
  const began = Date.now();
  assert.equal(await site.host(ASK), "yes\n");
  const done = await site.call(["run", "--id", neighbour, "/root/quiet", "step_script"]);
  assert.deepEqual([done.code, done.stdout], [0, "here\n"], done.stderr);
  return Date.now() - began;
}

/** Runs a script in a machine, and meanwhile something else again and again; gives its code and all that it said. */
async function during(
  site: VmSite,
  id: string,
  script: string,
  also: () => Promise<void>,
): Promise<string> {
  let going = true;
  const running = site.runScript(id, script).finally(() => going = false);
  while (going) await also();
  const { code, stdout, stderr } = await running;
  return `${code} ${stdout}${stderr}`;
}

onVm("a job without limits takes what one with limits does not get", async (site) => {
  for (const { limits, bombs } of LOADS) {
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

onVm("a neighbour and a service of the host answer while a job does its worst", async (site) => {
  await site.vm.push("echo here\n", "/root/quiet");
  await site.host(SERVICE);
  await site.withMachine(async (neighbour) => {
    const othersAnswer = async () => {
      const took = await answers(site, neighbour);
      assert.ok(took < PATIENCE, `an answer took ${took} ms`);
    };
    for (const { limits, bombs } of LOADS) {
      await site.define(limits);
      await site.withMachine(async (wild) => {
        for (const { name, script, said } of bombs) {
          assert.match(await during(site, wild, script, othersAnswer), said, name);
        }
      });
    }
  });
  await site.host("systemctl stop answering.service; rm -r /run/service");
});
