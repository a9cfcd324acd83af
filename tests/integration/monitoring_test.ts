/** Metrics, alert rules and queries, checked by Prometheus' own program. */

import assert from "node:assert/strict";
import { run } from "../hosts/command.ts";
import { promtool } from "../hosts/promtool.ts";
import { onEachHost } from "../hosts/shared.ts";
import { CHROOT, newJob, runScript } from "../hosts/site.ts";
import { skipReal } from "../skip.ts";
import { linkChroot, succeed, withStore } from "./store.ts";

const checkout = new URL("../..", import.meta.url).pathname;
const ALERTS = `${checkout}docs/monitoring/alerts.yml`;

/** Two jobs failed for the host's sake, and then two more; the store fills up. */
const ALERTS_TEST = {
  rule_files: [ALERTS],
  evaluation_interval: "1m",
  tests: [{
    interval: "1m",
    input_series: [
      {
        series: 'nspawn_runner_jobs_total{instance="ci1", outcome="lost"}',
        values: "0x60 2x30 4x60",
      },
      { series: 'nspawn_runner_store_free_bytes{instance="ci1"}', values: "100x60 10x100" },
      { series: 'nspawn_runner_store_reserve_bytes{instance="ci1"}', values: "5x160" },
      { series: 'nspawn_runner_store_size_bytes{instance="ci1"}', values: "200x160" },
    ],
    alert_rule_test: [
      { eval_time: "30m", alertname: "CiJobsFailForTheHost", exp_alerts: [] },
      { eval_time: "30m", alertname: "CiStoreIsFull", exp_alerts: [] },
      {
        eval_time: "95m",
        alertname: "CiJobsFailForTheHost",
        exp_alerts: [{
          exp_labels: { severity: "warning", instance: "ci1" },
          exp_annotations: {
            summary: "4 jobs on ci1 failed for the host's sake",
            description:
              "List them: nspawn-runner history --failed. Explain one: nspawn-runner explain JOB",
          },
        }],
      },
      {
        eval_time: "80m",
        alertname: "CiStoreIsFull",
        exp_alerts: [{
          exp_labels: { severity: "critical", instance: "ci1" },
          exp_annotations: {
            summary: "The store of ci1 is almost full; soon no machine starts",
            description: "Free some: nspawn-runner gc, or lower cache_max_size and images_max_size",
          },
        }],
      },
    ],
  }],
};

/** Returns the queries of the dashboard as rules, which promtool can check. */
async function queriesAsRules(): Promise<unknown> {
  const { panels } = JSON.parse(
    await Deno.readTextFile(`${checkout}docs/monitoring/dashboard.json`),
  );
  const queries: string[] = panels.flatMap(({ targets }: { targets: { expr: string }[] }) =>
    targets.map(({ expr }) => expr.replaceAll("$instance", "ci1"))
  );
  const rules = queries.map((expr, index) => ({ record: `query_${index}`, expr }));
  return { groups: [{ name: "dashboard", rules }] };
}

onEachHost(
  "promtool finds metrics, alert rules and the dashboard's queries right",
  async (site) => {
    const name = "promtool finds metrics right";
    const program = await promtool();
    if (program === null) return skipReal(name, "promtool cannot be had");
    await withStore(site, {}, async (own) => {
      await linkChroot(own, site);
      const id = newJob();
      await succeed(own, "prepare", CHROOT, "--id", id);
      await runScript(own, id, "true");
      await succeed(own, "cleanup", "--id", id);
      await succeed(own, "gc");
      const { stdout } = await succeed(own, "metrics");
      assert.match(stdout, /^nspawn_runner_jobs_total\{outcome="success"\} 1$/m);
      const metrics = await run([program, "check", "metrics"], { stdin: stdout });
      assert.deepEqual([metrics.code, metrics.stdout, metrics.stderr], [0, "", ""]);
    });
    const folder = await Deno.makeTempDir();
    try {
      await Deno.writeTextFile(`${folder}/test.yml`, JSON.stringify(ALERTS_TEST));
      await Deno.writeTextFile(`${folder}/queries.yml`, JSON.stringify(await queriesAsRules()));
      for (
        const words of [
          ["check", "rules", ALERTS, `${folder}/queries.yml`],
          ["test", "rules", `${folder}/test.yml`],
        ]
      ) {
        const done = await run([program, ...words]);
        assert.equal(done.code, 0, done.stdout + done.stderr);
      }
    } finally {
      await Deno.remove(folder, { recursive: true });
    }
  },
  ["systemd"],
);
