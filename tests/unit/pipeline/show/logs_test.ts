import assert from "node:assert/strict";
import { makeLogs } from "../../../../src/pipeline/show/logs.ts";
import { inFolder, recordingHost } from "../../recording_host.ts";

const uid = Deno.uid()!;
const OTHER = 1234;

Deno.test("logs are for their maker alone, in files that differ for all names", async () => {
  await inFolder(async (folder) => {
    const { host } = recordingHost({ uid });
    const long = "x".repeat(300);
    const names = ["..", "a/b", "a%2Fb", `${long}1`, `${long}2`];
    const logs = await makeLogs(host, `${folder}/logs`, names);
    for (const name of names) logs.attempt(name)(name);
    const texts: string[] = [];
    for (const name of await host.files.list(`${folder}/logs`)) {
      const file = `${folder}/logs/${name}`;
      texts.push((await Deno.readTextFile(file)).trim());
      assert.equal((await Deno.stat(file)).mode! & 0o777, 0o600);
    }
    assert.deepEqual(texts.toSorted(), names.toSorted());
  });
});

Deno.test("logs are not written where another user could put a link", async () => {
  await inFolder(async (folder) => {
    const make = (path: string, env = {}) =>
      makeLogs(recordingHost({ uid, env }).host, `${folder}/${path}`, ["a"]);
    await Deno.symlink("/etc", `${folder}/link`);
    await assert.rejects(make("link"), /link: it exists/);
    await assert.rejects(make("none/logs"), /none\/logs: no such folder/);
    await Deno.mkdir(`${folder}/open/below`, { recursive: true });
    await Deno.chmod(`${folder}/open`, 0o777);
    await assert.rejects(make("open/below/logs"), /other users can change .*open$/);
    await Deno.chmod(`${folder}/open`, 0o1777);
    await make("open/below/logs");
    if (uid !== 0) return;
    await Deno.chmod(`${folder}/open`, 0o775);
    await assert.rejects(make("open/below/more"), /other users can change .*open$/);
    await Deno.chown(`${folder}/open`, OTHER, OTHER);
    await assert.rejects(make("open/logs"), /other users can change .*open$/);
    const logs = await make("open/logs", { SUDO_UID: `${OTHER}`, SUDO_GID: `${OTHER}` });
    logs.attempt("a")("text");
    assert.equal((await Deno.stat(`${folder}/open/logs/a.log`)).uid, OTHER);
  });
});

Deno.test("a log takes 4 MiB of each attempt, and says that the rest is left out", async () => {
  await inFolder(async (folder) => {
    const logs = await makeLogs(recordingHost({ uid }).host, `${folder}/logs`, ["a"]);
    const half = "ä".repeat(1024 ** 2 - 1) + "b"; // 2 MiB with the end of the line
    const notice = "The log has reached 4 MiB: the rest of the output is left out";
    const first = logs.attempt("a");
    for (const line of [half, half, "c", "d"]) first(line);
    logs.attempt("a")("again");
    const text = await Deno.readTextFile(`${folder}/logs/a.log`);
    assert.deepEqual(text.split("\n").slice(2), [notice, "again", ""]);
    assert.equal(text.indexOf(notice), 2 * (half.length + 1));
  });
});
