/** Files that a job leaves in folders that outlive it. */

import assert from "node:assert/strict";
import { assertDone, begin, planOf, withAttempt } from "../conformance/stages.ts";
import { linkChroot, succeed, withStore } from "../integration/store.ts";
import { onEachHost } from "../hosts/shared.ts";
import { CHROOT, newJob, runScript, type Settings, type Site, withMachine } from "../hosts/site.ts";

/** Gives machines the folders of their project. */
const OWN: Settings = { boot: false, persistent_builds: true, cache_max_age: "1d" };

/** Runs a test with a store and a folder of the host beside it. */
async function withFolder(
  site: Site,
  settings: (folder: string) => Settings,
  body: (own: Site, folder: string) => Promise<void>,
): Promise<void> {
  const folder = `${site.host.store}/.tests/precious-${newJob()}`;
  await site.host.exec(["mkdir", "-p", folder]);
  try {
    await withStore(site, { ...OWN, ...settings(folder) }, async (own) => {
      await linkChroot(own, site);
      await body(own, folder);
    });
  } finally {
    await site.host.exec(["chattr", "-R", "-i", folder]);
    await site.host.exec(["rm", "-rf", folder]);
  }
}

/** Runs a script as a job of its own project. */
async function job(own: Site, script: string): Promise<void> {
  await withAttempt(own, { ...planOf(CHROOT), project: 7301 }, async (attempt) => {
    await begin(attempt);
    assertDone(await attempt.run("build_script", script));
  });
}

/** Runs a program as a user of the host, by a shell, since setpriv itself keeps its capabilities. */
const AS_NOBODY = [
  ...["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "--"],
  ...["sh", "-c", 'exec "$0" -u'],
];

onEachHost(
  "users of the host cannot run a set-uid program in a cache or builds folder",
  async (site) => {
    const settings = (folder: string) => ({ binds: [`${folder}:/srv/open`] });
    await withFolder(site, settings, async (own, folder) => {
      await job(
        own,
        `for place in /cache /builds /srv/open; do
  cp /usr/bin/id $place/id && chmod 4755 $place/id
done`,
      );
      const find = ["find", own.store, folder, "-name", "id", "-perm", "-4000", "-user", "0"];
      const places = (await own.host.exec(find)).stdout.trim().split("\n");
      assert.equal(places.length, 3, places.join("\n"));
      for (const place of places) {
        const done = await own.host.exec([...AS_NOBODY, place]);
        // The administrator's bind has no such protection, and shows that the test can fail.
        if (place.startsWith(folder)) assert.equal(done.stdout, "0\n", done.stderr);
        else assert.match(done.stderr, /permission denied/i, place);
      }
    });
  },
  ["systemd"],
);

/** Prints owners, modes, times and contents of the files in a folder. */
async function seen(site: Site, folder: string): Promise<string> {
  const look = 'cd "$1" && find . -printf "%p %U %m %T@\\n" | sort; cat file; lsattr file';
  return (await site.host.exec(["sh", "-c", look, "sh", folder])).stdout;
}

const links = (folder: string) => `ln -s ${folder} folder && ln -s ${folder}/file file`;

onEachHost(
  "symbolic links of a job never lead the runner to files of the host",
  async (site) => {
    await withFolder(site, () => ({}), async (own, folder) => {
      const lay = 'cd "$1" && echo precious >file && mkdir sub && touch sub/file && chattr +i file';
      await own.host.exec(["sh", "-c", lay, "sh", folder]);
      const before = await seen(own, folder);
      await job(own, `for place in /cache /builds; do (cd $place && ${links(folder)}); done`);
      const find = ["find", own.store, "-name", "file", "-lname", `${folder}/file`];
      const left = (await own.host.exec(find)).stdout.trim().split("\n");
      assert.equal(left.length, 2, left.join("\n"));
      for (const link of left) {
        assert.equal(
          (await own.host.exec(["cat", link])).stdout,
          "precious\n",
          "the host follows it",
        );
      }
      await job(own, "test -L /cache/file && ! cat /cache/file"); // a second job gets both again
      const old = "find .cache .builds -type d -name '[p0]*' -exec touch -d '9 days ago' {} +";
      await own.host.exec(["sh", "-c", `cd ${own.store} && ${old}`]);
      await succeed(own, "gc");
      assert.equal((await own.host.exec(find)).stdout, "", "gc removes the links");
      // A file that cannot be removed is made mutable first; its links must not be followed.
      const locks = { private_users: "off", capabilities: ["CAP_LINUX_IMMUTABLE"] };
      await withMachine(await own.with(locks), async (id) => {
        const script = `mkdir /x && cd /x && ${links(folder)} && touch own && chattr +i own`;
        assert.equal((await runScript(own, id, script)).code, 0);
      });
      assert.equal(await seen(own, folder), before);
    });
  },
  ["systemd"],
);
