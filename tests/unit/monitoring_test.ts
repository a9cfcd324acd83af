/** Compares the documents for monitoring with the metrics that there are. */

import assert from "node:assert/strict";
import { CHECKOUT } from "./source.ts";

const read = (path: string) => Deno.readTextFileSync(CHECKOUT + path);

const PREFIX = "nspawn_runner_";

/** The names of all metrics, without those that a histogram has. */
const NAMES = new Set(
  [...read("src/app/metrics.ts").matchAll(/(?:gauge|counter|histogramFamily)\(\s*"(\w+)"/g)]
    .map(([, name]) => name!),
);

const ALERTS = read("docs/monitoring/alerts.yml");
const DASHBOARD = read("docs/monitoring/dashboard.json");

Deno.test("alert rules and the dashboard name metrics that there are", () => {
  assert.ok(NAMES.size > 25, `only ${NAMES.size} were found`);
  for (const text of [ALERTS, DASHBOARD]) {
    const named = [...text.matchAll(/nspawn_runner_(\w+)/g)].map(([, name]) => name!);
    const known = (name: string) => NAMES.has(name) || NAMES.has(name.replace(/_bucket$/, ""));
    assert.deepEqual(named.filter((name) => !known(name)), []);
  }
});

Deno.test("docs/monitoring.md has all metrics and all alerts", () => {
  const page = read("docs/monitoring.md");
  const table = page.slice(page.indexOf("## Metrics"));
  const shown = [...table.matchAll(/`(\w+)(?:\{[\w,]+\})?`/g)].map(([, name]) => name!)
    .filter((name) => name !== PREFIX && name.includes("_") || NAMES.has(name));
  const wrong = shown.filter((name) => !NAMES.has(name) && !["disk_reserve"].includes(name));
  assert.deepEqual(wrong, []);
  assert.deepEqual([...NAMES].filter((name) => !shown.includes(name)), []);
  const alerts = [...ALERTS.matchAll(/alert: (\w+)/g)].map(([, name]) => name!);
  assert.deepEqual([...page.matchAll(/^\| `(Ci\w+)`/gm)].map(([, name]) => name), alerts);
});

Deno.test("the dashboard is one for Grafana, with a title and a query in each panel", () => {
  const { panels, templating } = JSON.parse(DASHBOARD);
  assert.ok(panels.length > 10);
  assert.deepEqual(templating.list.map(({ name }: { name: string }) => name), [
    "datasource",
    "instance",
  ]);
  for (const { title, targets, id } of panels) {
    assert.ok(title.length > 0 && targets.length > 0, `${id}`);
    for (const { expr } of targets) assert.match(expr, /\$instance/, title);
  }
});
