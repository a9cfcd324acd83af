/** Pulled images: a real registry, with passwords, behind a proxy that disturbs. */

import assert from "node:assert/strict";
import type { Running } from "../hosts/command.ts";
import { pushImage } from "../hosts/images.ts";
import { until } from "../hosts/init_process.ts";
import { OUTER_ADDRESS } from "../hosts/network.ts";
import {
  allowPlainHttp,
  asMirror,
  blobFiles,
  damage,
  missingRegistryProgram,
  type Registry,
  withRegistry,
} from "../hosts/registry.ts";
import { type RegistryProxy, withProxy } from "../hosts/registry_proxy.ts";
import { onEachHost } from "../hosts/shared.ts";
import type { Site } from "../hosts/site.ts";
import { skipReal } from "../skip.ts";
import { PATIENCE, withStore } from "./store.ts";

/** A store, and a registry that its host reaches through a proxy. */
interface Pulls {
  readonly own: Site;
  readonly registry: Registry;
  readonly proxy: RegistryProxy;
  /** The registry's name on the host. */
  readonly at: string;
  /** Root's credentials on the host. */
  readonly env: Readonly<Record<string, string>>;
  /** Pulls an image of the registry, with root's credentials. */
  pull(name: string): Promise<{ readonly code: number; readonly stderr: string }>;
  /** Starts to pull an image. */
  start(name: string): Running;
  images(): Promise<readonly Listed[]>;
}

/** The fields of `image-list --json` that tests read. */
interface Listed {
  readonly digest: string;
  readonly names: readonly string[];
  readonly layers: number;
}

/** Runs a test with a store of its own and a registry. */
async function withPulls(
  name: string,
  site: Site,
  body: (pulls: Pulls) => Promise<void>,
): Promise<void> {
  const reason = await missingRegistryProgram();
  if (reason !== null) return skipReal(name, reason);
  await withRegistry((registry) =>
    withProxy(registry, async (proxy) => {
      await allowPlainHttp(site.host, proxy);
      const { auths } = JSON.parse(await Deno.readTextFile(registry.auth));
      const own = { [proxy.address]: auths[registry.address] };
      const env = { REGISTRY_AUTH_FILE: await site.put(JSON.stringify({ auths: own })) };
      await withStore(site, { pull: [`${proxy.address}/**`] }, async (own) => {
        const options = { ...PATIENCE, env };
        const words = (image: string) => ["image-pull", `${proxy.address}/${image}`];
        await body({
          ...{ own, registry, proxy, env, at: proxy.address },
          pull: (image) => own.call(words(image), options),
          start: (image) => own.start(words(image), options),
          images: async () =>
            JSON.parse((await own.call(["image-list", "--json"], PATIENCE)).stdout),
        });
      });
    })
  );
}

/** Returns the requests for parts of images since the last call. */
function blobsAsked(proxy: RegistryProxy): string[] {
  return proxy.requests().filter((line) => /^GET \S+\/blobs\//.test(line));
}

/** Returns a script that writes a file of some mebibytes that do not compress. */
function random(mebibytes: number): string {
  return `head -c ${mebibytes * 1_048_576} /dev/urandom >random`;
}

const NAME = "one/two/three/four:1";
const DOCUMENT = "mkdir -p opt/dir && echo a >opt/dir/a && echo gone >opt/gone";
const CHANGE =
  "mkdir -p opt/dir && : >opt/.wh.gone && : >opt/dir/.wh..wh..opq && echo b >opt/dir/b";

onEachHost("an image is pulled once, and an update fetches what changed", async (site) => {
  await withPulls("layers", site, async ({ own, registry, proxy, at, pull, start, images }) => {
    const digest = await pushImage(registry, NAME, { layers: [DOCUMENT, CHANGE] });
    const all = await Promise.all([1, 2, 3].map(() => start(NAME).ended));
    for (const { code, stdout, stderr } of all) {
      assert.equal(code, 0, stderr);
      assert.equal(stdout, `${digest}\n`);
    }
    assert.equal(blobsAsked(proxy).length, 4, "three layers and the configuration");
    assert.match(all.map(({ stderr }) => stderr).join(""), /^Waiting for image/m);
    assert.equal((await pull(NAME)).code, 0);
    assert.deepEqual(proxy.requests().map((line) => line.replace(/ HTTP.*/, "")), [
      "GET /v2/",
      "GET /v2/one/two/three/four/manifests/1",
    ]);
    const next = await pushImage(registry, NAME, { layers: [DOCUMENT, CHANGE, random(1)] });
    assert.equal((await pull(NAME)).code, 0);
    assert.equal(blobsAsked(proxy).length, 2, "a layer and the configuration");
    const many = Array.from({ length: 30 }, (_, index) => `echo ${index} >${index}`);
    await pushImage(registry, "many:1", { layers: many });
    await pushImage(registry, "zstd:1", {
      push: ["--dest-compress-format=zstd"],
      layers: [DOCUMENT],
    });
    for (const image of ["many:1", "zstd:1"]) assert.equal((await pull(image)).code, 0);
    const found = await images();
    assert.deepEqual(found.map(({ names, layers }) => [names[0], layers]), [
      [`${at}/zstd:1`, 2],
      [`${at}/many:1`, 31],
      [`${at}/${NAME}`, 4],
      [undefined, 3],
    ]);
    assert.equal(found[2]!.digest, next);
    for (const image of found.map((one) => one.digest)) {
      const removed = await own.call(["image-remove", image], PATIENCE);
      assert.equal(removed.code, 0, removed.stderr);
    }
    const left = await own.host.exec(["sh", "-c", LEFT, "sh", own.store]);
    assert.equal(left.stdout, "");
  });
}, ["systemd"]);

/** Prints what is left of images in the store $1. */
const LEFT = `
cd "$1/.images"
ls storage/overlay | grep -v '^l$'
ls records names facts removals pulls/*/scratch 2>/dev/null | grep -v ':$' | grep .
ls /run/nspawn-runner/.images | grep ^auth
true
`;

onEachHost("a failed pull tells whose fault it is, and leaves nothing", async (site) => {
  await withPulls("failures", site, async (pulls) => {
    const { own, registry, proxy, at, pull, images } = pulls;
    const fails = async (image: string, code: number, words: RegExp) => {
      const done = await pull(image);
      assert.match(done.stderr, words);
      assert.equal(done.code, code, done.stderr);
    };
    await pushImage(registry, "x:1", { layers: [random(1)] });
    await fails("x:2", 1, new RegExp(`Cannot pull image ${at}/x:2: ${at} does not have it`));
    const anonymous = await own.call(["image-pull", `${at}/x:1`], PATIENCE);
    assert.match(anonymous.stderr, /denies access/);
    const other = await own.call(["image-pull", "alpine"], PATIENCE);
    assert.match(other.stderr, /no pattern of pull allows it/);
    proxy.disturb({ requests: /manifests/, times: 1, how: 500 });
    await fails("x:1", 1, /500[^]*The registry failed/);
    for (const requests of [/manifests/, /blobs/]) {
      proxy.disturb({ requests, times: 2, how: "reset" }); // newer versions of skopeo mend one alone
      const done = await pull("x:1");
      assert.equal(done.code, 0, done.stderr);
      assert.match(done.stderr, /EOF; next attempt in \d s/);
      await own.call(["image-remove", `${at}/x:1`], PATIENCE);
    }
    await pushImage(registry, "large:1", { layers: [random(1)] });
    await damage(await blobFiles(registry));
    await fails("large:1", 1, /digest|corrupt/i);
    assert.deepEqual(await images(), []);
  });
}, ["standalone"]);

onEachHost(
  "a pull that does not fit removes an unused image, or fails before the disk is full",
  async (site) => {
    await withPulls("full disks", site, async ({ own: other, registry, proxy, at, env }) => {
      const own = await other.with({ disk_reserve: "16M" });
      const on = async (script: string) => {
        const done = await own.host.exec(["sh", "-euc", script, "sh", own.store]);
        assert.equal(done.code, 0, done.stderr);
        return done.stdout;
      };
      const start = (image: string) =>
        own.start(["image-pull", `${at}/${image}`], { ...PATIENCE, env });
      const layers = () => on('ls "$1/.images/storage/overlay" | grep -cv "^l$"');
      await on('mkdir -p "$1" && mount -t tmpfs -o size=96m tests "$1"');
      try {
        for (const [name, size] of [["old:1", 40], ["new:1", 32], ["slow:1", 12]] as const) {
          await pushImage(registry, name, { layers: [random(size)] });
        }
        assert.equal((await start("old:1").ended).code, 0);
        await on('touch -d "1 hour ago" "$1"/.images/records/*');
        const fitting = await start("new:1").ended;
        assert.equal(fitting.code, 0, fitting.stderr);
        assert.match(fitting.stderr, /^Removing image \S+old:1: disk space is short/m);
        assert.equal(await layers(), "2\n");

        await on('head -c 40M /dev/zero >"$1/file"'); // 20 MiB are left
        proxy.disturb({ requests: /blobs/, times: 9, how: "slow" });
        let least = Infinity;
        let isOver = false;
        const ended = start("slow:1").ended.finally(() => isOver = true);
        while (!isOver) {
          const free = await on('df --block-size=1M --output=avail "$1" | tail -n 1; sleep 0.2');
          least = Math.min(least, Number(free));
        }
        const { code, stderr } = await ended;
        assert.equal(code, 1);
        assert.match(
          stderr,
          /no space left on device: 2\d MiB were free[^]*16 MiB stay free[^]*gc/,
        );
        assert.ok(least >= 12, `${least} MiB were free`);
        assert.equal(await layers(), "2\n");
        assert.equal(await on('ls "$1/.images/pulls"'), "");
      } finally {
        await on('umount "$1"');
      }
    });
  },
);

onEachHost("a store on an overlay holds images as whole trees", async (site) => {
  await withPulls("whole trees", site, async ({ own, registry, pull, images }) => {
    const zstd = ["--dest-compress-format=zstd"];
    await pushImage(registry, "x:1", { push: zstd, layers: [DOCUMENT, CHANGE] });
    const on = (script: string) => own.host.exec(["sh", "-euc", script, "sh", own.store]);
    const mounted = await on(OVERLAY);
    assert.equal(mounted.code, 0, mounted.stderr);
    try {
      const pulled = await pull("x:1");
      assert.equal(pulled.code, 0, pulled.stderr);
      const [image] = await images();
      assert.equal(image?.layers, 0);
      const seen = await on('cd "$1"/.images/trees/* && find opt | sort && cat opt/dir/b');
      assert.equal(seen.stdout, "opt\nopt/dir\nopt/dir/b\nb\n");
      const shells = await on('cd "$1"/.images/facts/* && find . -name "*sh" && cat etc/passwd');
      assert.equal(shells.stdout, "./bin/sh\nroot:x:0:0::/root:/bin/sh\n");
      const removed = await own.call(["image-remove", image!.digest], PATIENCE);
      assert.equal(removed.code, 0, removed.stderr);
      assert.equal((await on('ls "$1/.images/trees" "$1/.images/facts" | grep -v :')).stdout, "\n");
    } finally {
      await on('umount "$1" && rm -r "$1-below"');
    }
  });
}, ["standalone"]);

onEachHost("an image comes from a mirror that asks for root's password", async (site) => {
  const reason = await missingRegistryProgram();
  if (reason !== null) return skipReal("mirrors", reason);
  const gone = `${OUTER_ADDRESS}:1`;
  await withRegistry((registry) =>
    asMirror(site.host, registry, gone, async () => {
      await withStore(site, { pull: [`${gone}/**`] }, async (own) => {
        await pushImage(registry, "mirrored/x:1");
        const denied = await own.call(["image-pull", `${gone}/x:1`], PATIENCE);
        assert.equal(denied.code, 1);
        const hint = `^Its mirror ${registry.address} denies access: skopeo login`;
        assert.match(denied.stderr, new RegExp(hint, "m"));
        const env = { REGISTRY_AUTH_FILE: await site.put(await Deno.readFile(registry.auth)) };
        const pulled = await own.call(["image-pull", `${gone}/x:1`], { ...PATIENCE, env });
        assert.equal(pulled.code, 0, pulled.stderr);
      });
    })
  );
}, ["standalone"]);

/** Mounts an overlay on the store $1. */
const OVERLAY = `
mkdir -p "$1" "$1-below/lower" "$1-below/upper" "$1-below/work"
cd "$1-below"
mount -t overlay -o lowerdir=lower,upperdir=upper,workdir=work tests "$1"
`;

onEachHost("an interrupted pull ends, unless another job waits for the image", async (site) => {
  await withPulls("interruptions", site, async (pulls) => {
    const { own, registry, proxy, at, pull, start, images } = pulls;
    const digest = await pushImage(registry, "slow:1", { layers: [random(12)] });
    const begin = async () => {
      const slow = start("slow:1");
      await until(async () => (await copying(own)) || null, 30_000);
      return slow;
    };
    const disturb = () => proxy.disturb({ requests: /blobs/, times: 9, how: "slow" });
    disturb();
    const alone = await begin();
    await own.host.signal(alone, "SIGTERM");
    assert.match((await alone.ended).stderr, /interrupted/);
    assert.ok(await until(async () => !(await copying(own)) || null, 10_000), "skopeo has ended");
    proxy.requests();
    disturb();
    const first = await begin();
    const second = start("slow:1");
    await second.untilPrinted("Waiting for image");
    await own.host.signal(first, "SIGTERM");
    assert.notEqual((await first.ended).code, 0);
    const { code, stderr } = await second.ended;
    assert.equal(code, 0, stderr);
    assert.match(stderr, /MiB downloaded/);
    assert.equal(blobsAsked(proxy).length, 4, "no layer was fetched twice, only the configuration");
    await own.call(["image-remove", digest], PATIENCE);
    disturb();
    const killed = await begin();
    await own.host.signalAlone(killed, "SIGKILL");
    await killed.ended;
    assert.ok(await until(async () => !(await copying(own)) || null, 10_000), "skopeo has ended");
    assert.deepEqual(await images(), []);
    // As after a power cut: a layer without its image may be damaged, and is not used.
    proxy.disturb({ requests: /^$/, times: 0, how: "reset" });
    assert.equal((await pull("slow:1")).code, 0);
    const cut = await own.host.exec(["sh", "-euc", POWER_CUT, "sh", own.store]);
    assert.equal(cut.code, 0, cut.stderr);
    proxy.requests();
    const again = await pull("slow:1");
    assert.equal(again.code, 0, again.stderr);
    assert.match(again.stderr, /leftovers of image pulls that a reboot/);
    assert.equal(blobsAsked(proxy).length, 3, "all of it was fetched again");
    assert.equal((await images())[0]?.names[0], `${at}/slow:1`);
    const collected = await own.call(["gc"], PATIENCE);
    assert.equal(collected.code, 0, collected.stderr);
    const left = await own.host.exec(["sh", "-c", `ls ${own.store}/.images/pulls`]);
    assert.equal(left.stdout, "");
  });
});

/** Returns whether skopeo copies an image on the host. */
async function copying(own: Site): Promise<boolean> {
  for (const pid of await own.host.processes()) {
    const words = await Deno.readTextFile(`/proc/${pid}/cmdline`).catch(() => ""); // it just ended
    if (words.startsWith("skopeo\0--tmpdir")) return true;
  }
  return false;
}

/** Leaves the layers of an image in the store $1 and neither the image nor its record, with a pull of another boot. */
const POWER_CUT = `
cd "$1/.images"
echo '[]' >storage/overlay-images/images.json
for record in records/*; do
  id=$(basename "$record" .json)
  mkdir -p "pulls/$id"
  echo another-boot >"pulls/$id/boot"
done
rm -r records facts
`;
