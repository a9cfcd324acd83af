import assert from "node:assert/strict";
import { noCounts } from "../../../../src/history/counts.ts";
import { formatMetrics, histogramFamily } from "../../../../src/history/view/prometheus.ts";

Deno.test("formatMetrics() writes names, labels with escapes, and histograms", () => {
  const { queue } = noCounts().times;
  queue.buckets.fill(1, 3);
  queue.sum = 0.25;
  const gauge = (name: string, samples: readonly { value: number; labels?: { a: string } }[]) =>
    ({ name, type: "gauge", help: "Some help.", samples }) as const;
  assert.equal(
    formatMetrics([
      gauge("one", [{ value: 1.5 }, { value: 2, labels: { a: 'b"\\\n' } }]),
      gauge("none", []),
      histogramFamily("queue_seconds", "Some wait.", "queue", queue),
    ]),
    `# HELP nspawn_runner_one Some help.
# TYPE nspawn_runner_one gauge
nspawn_runner_one 1.5
nspawn_runner_one{a="b\\"\\\\\\n"} 2
# HELP nspawn_runner_queue_seconds Some wait.
# TYPE nspawn_runner_queue_seconds histogram
nspawn_runner_queue_seconds_bucket{le="0.01"} 0
nspawn_runner_queue_seconds_bucket{le="0.05"} 0
nspawn_runner_queue_seconds_bucket{le="0.1"} 0
nspawn_runner_queue_seconds_bucket{le="0.5"} 1
nspawn_runner_queue_seconds_bucket{le="1"} 1
nspawn_runner_queue_seconds_bucket{le="5"} 1
nspawn_runner_queue_seconds_bucket{le="30"} 1
nspawn_runner_queue_seconds_bucket{le="120"} 1
nspawn_runner_queue_seconds_bucket{le="+Inf"} 1
nspawn_runner_queue_seconds_sum 0.25
nspawn_runner_queue_seconds_count 1
`,
  );
});
