import assert from "node:assert/strict";
import { KEEP_TIME_ZONE, timezoneOptions } from "../../../src/linux/time_zone.ts";
import { inFolder, recordingHost } from "../recording_host.ts";

/** The target of the host's /etc/localtime, whether the tree has that zone, whether nspawn sets it. */
const ZONES = [
  ["/usr/share/zoneinfo/Europe/Rome", true, true],
  ["../usr/share/zoneinfo/Europe/Rome", true, true],
  ["/usr/share/zoneinfo/Europe/Rome", false, false],
  ["/usr/share/zoneinfo/Europe/../Europe/Rome", true, false],
  ["/elsewhere/Europe/Rome", true, false],
  [null, true, false], // no link
] as const;

for (const [link, isKnown, isLinked] of ZONES) {
  const what = `${link}, which the tree ${isKnown ? "has" : "lacks"}`;
  Deno.test(`timezoneOptions() with ${what}, ${isLinked ? "is empty" : "keeps the tree's own zone"}`, async () => {
    await inFolder(async (tree) => {
      const { host } = recordingHost();
      if (isKnown) {
        await Deno.mkdir(`${tree}/usr/share/zoneinfo/Europe`, { recursive: true });
        await Deno.writeTextFile(`${tree}/usr/share/zoneinfo/Europe/Rome`, "");
      }
      const files = { ...host.files, readLink: () => Promise.resolve(link) };
      const options = await timezoneOptions({ ...host, files }, tree);
      assert.deepEqual(options, isLinked ? [] : KEEP_TIME_ZONE);
    });
  });
}
