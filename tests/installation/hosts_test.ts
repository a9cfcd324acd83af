/** The hosts of the tests themselves: where they cannot run, and what removes them when tests are killed. */

import assert from "node:assert/strict";
import { killGroup, must, type Result, run, start } from "../hosts/command.ts";
import { ownCgroup, startOf } from "../hosts/folder.ts";
import { until } from "../hosts/init_process.ts";
import { newJob } from "../hosts/site.ts";
import { checkout } from "./installer.ts";

const TEARDOWN = `${checkout}/tests/hosts/teardown.sh`;
const CHECK = `${checkout}/tests/hosts/check.sh`;

/** Runs the command $2… in the cgroup namespace of a process in the new cgroup $1, without being in that cgroup. */
const ENTER_FROM_OUTSIDE = `
folder=$1
shift
mkdir "$folder"
sh -c 'echo 0 >"$0/cgroup.procs" && exec unshare --cgroup sleep 600' "$folder" &
until [ "$(cat "/proc/$!/comm")" = sleep ]; do sleep 0.01; done
nsenter --cgroup --target="$!" "$@"
code=$?
kill "$!"
wait
rmdir "$folder"
exit "$code"`;

async function fromOutside(...argv: string[]): Promise<Result> {
  const folder = `${await ownCgroup()}/nspawn-runner-tests-${newJob()}`;
  return await run(["sh", "-c", ENTER_FROM_OUTSIDE, "sh", folder, ...argv], {
    env: Deno.env.toObject(),
  });
}

Deno.test("check.sh prints nothing where hosts can run", async () => {
  assert.deepEqual(await run([CHECK]).then(({ code, stdout }) => [code, stdout]), [0, ""]);
});

Deno.test("check.sh prints in one line why no host can run, and a remedy", async () => {
  const user = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "sh"];
  const withoutMounts = ["setpriv", "--bounding-set=-sys_admin", "--inh-caps=-all", "sh"];
  // Nobody may not read a checkout in root's home: the scripts come by stdin.
  const text = await Deno.readTextFile(CHECK);
  const system = await Deno.readTextFile(`${checkout}/npm/system.sh`);
  const alone = text.replace(/^cd .*$/m, "").replace(/^\. npm.*$/m, () => system);
  const results: [Result, RegExp][] = [
    [await run(user, { stdin: alone, cwd: "/" }), /^it needs root\. Run the tests as root/],
    [await run(withoutMounts, { stdin: alone, cwd: "/" }), /^root may not mount here/],
    [
      await fromOutside(CHECK),
      /^this process is in the cgroup \/\.\..*Start the tests from a process of/,
    ],
  ];
  for (const [{ stdout, stderr }, reason] of results) {
    assert.match(stdout, reason, stderr);
    assert.match(stdout, /^[^\n]+\n$/);
  }
});

/** Runs the tests in the checkout $2 with the Deno $1 and a cache of their own, since the outer run has locked it. */
const RUN_TESTS = `
mount -t tmpfs tests /mnt
touch /mnt/deno
mount --bind "$1" /mnt/deno
mount -t tmpfs tests /var/cache/nspawn-runner-tests
DENO=/mnt/deno DENO_DIR=/mnt exec "$2/tests/run.sh" --require-real`;

Deno.test("tests/run.sh --require-real ends at once where no host can run", async () => {
  const words = ["unshare", "--mount", "sh", "-euc", RUN_TESTS, "sh", Deno.execPath(), checkout];
  const done = await fromOutside(...words);
  assert.equal(done.code, 1, done.stderr);
  assert.match(done.stdout, /^No tests on real nspawn: this process is in the cgroup \/\.\./m);
  assert.match(done.stdout, /^0 passed, 1 failed, 0 skipped$/m);
  assert.doesNotMatch(done.stdout, /^Running /m);
});

Deno.test("teardown.sh --after removes all hosts of tests that were killed, and no others", async () => {
  const parent = await Deno.makeTempDir();
  const tests = start(["sleep", "600"]);
  try {
    const started = await startOf(tests.pid);
    const owners = {
      "nr-host-a": `${tests.pid} ${started}`,
      "nr-host-b": `${tests.pid} ${started}`,
    };
    for (const [name, owner] of Object.entries({ ...owners, "nr-host-c": `${tests.pid} 1` })) {
      await Deno.mkdir(`${parent}/${name}`);
      await Deno.writeTextFile(`${parent}/${name}/owner`, owner);
    }
    await must(["mount", "-t", "tmpfs", "tests", `${parent}/nr-host-a/`]);
    await Deno.writeTextFile(`${parent}/nr-host-a/owner`, owners["nr-host-a"]);
    const watcher = start([TEARDOWN, "--after", `${tests.pid}`, started, parent]);
    await until(() => hasChild(watcher.pid, "tail"), 60_000);
    assert.equal((await Array.fromAsync(Deno.readDir(parent))).length, 3, "the tests still run");
    Deno.kill(tests.pid, "SIGKILL");
    await watcher.ended;
    const left = await Array.fromAsync(Deno.readDir(parent));
    assert.deepEqual(left.map(({ name }) => name), ["nr-host-c"]);
  } finally {
    killGroup(tests.pid, "SIGKILL");
    await tests.ended;
    await Deno.remove(parent, { recursive: true });
  }
});

async function hasChild(pid: number, name: string): Promise<true | null> {
  const children = await Deno.readTextFile(`/proc/${pid}/task/${pid}/children`);
  const [child] = children.split(" ");
  const comm = await Deno.readTextFile(`/proc/${child}/comm`).catch(() => "");
  return comm === `${name}\n` || null;
}
