/** Metrics, alert rules and queries, checked by Prometheus' own program. */

import assert from "node:assert/strict";
import { COLORS } from "../../src/history/view/html.ts";
import { debianProgram } from "../hosts/programs.ts";
import { onEachHost } from "../hosts/shared.ts";
import { CHROOT, newJob, runScript } from "../hosts/site.ts";
import { skipReal } from "../skip.ts";
import { linkChroot, succeed, withStore } from "./store.ts";

const checkout = new URL("../..", import.meta.url).pathname;
const ALERTS = `${checkout}docs/monitoring/alerts.yml`;

/** Two jobs failed because of the host, and then two more; the store fills up. */
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
            summary: "4 attempts of jobs on ci1 failed because of the host",
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
    const promtool = await debianProgram("prometheus", "usr/bin/promtool");
    if (promtool === null) return skipReal(name, "promtool cannot be had");
    await withStore(site, {}, async (own) => {
      await linkChroot(own, site);
      const id = newJob();
      await succeed(own, "prepare", CHROOT, "--id", id);
      await runScript(own, id, "true");
      await succeed(own, "cleanup", "--id", id);
      await succeed(own, "gc");
      const { stdout } = await succeed(own, "metrics");
      assert.match(stdout, /^nspawn_runner_jobs_total\{outcome="success"\} 1$/m);
      const metrics = await promtool.run(["check", "metrics"], { stdin: stdout });
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
        const done = await promtool.run(words);
        assert.equal(done.code, 0, done.stdout + done.stderr);
      }
    } finally {
      await Deno.remove(folder, { recursive: true });
    }
  },
  ["systemd"],
);

/** Returns how many pixels of a picture have a colour; PNG, third edition, of true colours with 8 bits. */
async function pixelsOf(picture: Uint8Array<ArrayBuffer>, color: string): Promise<number> {
  const view = new DataView(picture.buffer, picture.byteOffset, picture.byteLength);
  const [width, height] = [view.getUint32(16), view.getUint32(20)];
  const size = picture[25] === 6 ? 4 : 3;
  const data: Uint8Array<ArrayBuffer>[] = [];
  for (let at = 8; at < picture.length; at += 12 + view.getUint32(at)) {
    const type = new TextDecoder().decode(picture.subarray(at + 4, at + 8));
    if (type === "IDAT") data.push(picture.slice(at + 8, at + 8 + view.getUint32(at)));
  }
  const stream = new Blob(data).stream().pipeThrough(new DecompressionStream("deflate"));
  const bytes = new Uint8Array(await new Response(stream).arrayBuffer());
  const wanted = color.match(/[0-9a-f]{2}/g)!.map((digits) => parseInt(digits, 16));
  const row = width * size;
  let above = new Uint8Array(row);
  let count = 0;
  for (let y = 0; y < height; y++) {
    const line = unfiltered(bytes.subarray(y * (row + 1), (y + 1) * (row + 1)), above, size);
    for (let x = 0; x < row; x += size) {
      if (wanted.every((value, index) => line[x + index] === value)) count++;
    }
    above = line;
  }
  return count;
}

function unfiltered([filter, ...line]: Uint8Array, above: Uint8Array, size: number) {
  const found = new Uint8Array(line.length);
  for (const [index, value] of line.entries()) {
    const left = found[index - size] ?? 0;
    const up = above[index]!;
    const corner = index < size ? 0 : above[index - size]!;
    const predictors = [0, left, up, (left + up) >> 1, nearestOf(left, up, corner)];
    found[index] = value + predictors[filter!]!;
  }
  return found;
}

/** The filter "Paeth". */
function nearestOf(left: number, up: number, corner: number): number {
  const guess = left + up - corner;
  const [a, b, c] = [left, up, corner].map((value) => Math.abs(guess - value)) as [
    number,
    number,
    number,
  ];
  return a <= b && a <= c ? left : b <= c ? up : corner;
}

onEachHost("a browser shows the plots of the report", async (site) => {
  const path = "usr/lib/chromium/chromium-headless-shell";
  const browser = await debianProgram("chromium-headless-shell", path);
  if (browser === null) return skipReal("a browser shows the report", "no browser can be had");
  const folder = await Deno.makeTempDir();
  try {
    await withStore(site, {}, async (own) => {
      await linkChroot(own, site);
      await succeed(own, "simulate", "--image", CHROOT, "--", "true");
      await succeed(own, "report", "--html", `${own.store}/report.html`);
      await Deno.copyFile(own.host.outerPath(`${own.store}/report.html`), `${folder}/report.html`);
    });
    const done = await browser.run([
      ...["--no-sandbox", "--disable-gpu", "--window-size=1000,800"],
      ...[`--screenshot=${folder}/report.png`, `file://${folder}/report.html`],
    ]);
    assert.equal(done.code, 0, done.stderr);
    const pixels = await pixelsOf(await Deno.readFile(`${folder}/report.png`), COLORS.success);
    assert.ok(pixels > 2000, `${pixels} pixels of a bar are seen`);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}, ["systemd"]);
