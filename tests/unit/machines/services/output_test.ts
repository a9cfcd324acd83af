import assert from "node:assert/strict";
import { lastOutput, outputFiles } from "../../../../src/machines/services/output.ts";
import { inFolder, recordingHost } from "../../recording_host.ts";

/** Writes a log of a service that was last changed at a second. */
async function writeLog(own: string, name: string, text: string, second: number): Promise<void> {
  await Deno.writeTextFile(`${own}/${name}`, text);
  await Deno.utime(`${own}/${name}`, second, second);
}

const { host } = recordingHost();

Deno.test("outputFiles() has the file that was written last at its end", () =>
  inFolder(async (own) => {
    const [first, second] = [`${own}/log.0`, `${own}/log.1`];
    assert.deepEqual(await outputFiles(host, { own }), [first, second]);
    await writeLog(own, "log.0", "", 5);
    assert.deepEqual(await outputFiles(host, { own }), [second, first]);
    await writeLog(own, "log.1", "", 5);
    assert.deepEqual(await outputFiles(host, { own }), [first, second]);
    await writeLog(own, "log.1", "", 6);
    assert.deepEqual(await outputFiles(host, { own }), [first, second]);
  }));

Deno.test("lastOutput() joins both files, also within a line, and leaves out empty lines", () =>
  inFolder(async (own) => {
    assert.deepEqual(await lastOutput(host, { own }, 3), []);
    await writeLog(own, "log.1", "one\ntwo\nth", 5);
    await writeLog(own, "log.0", "ree\n\n  \nfour\n", 6);
    assert.deepEqual(await lastOutput(host, { own }, 9), ["one", "two", "three", "four"]);
    assert.deepEqual(await lastOutput(host, { own }, 2), ["three", "four"]);
  }));

Deno.test("lastOutput() has no character that controls a terminal, or begins a section of GitLab's log", () =>
  inFolder(async (own) => {
    await writeLog(own, "log.0", "a\x1b[0Ksection_start:1:x\rb\n\u202eabc\n\x00\x9b\n", 5);
    const lines = await lastOutput(host, { own }, 9);
    assert.deepEqual(lines, ["a\ufffd[0Ksection_start:1:x\ufffdb", "\ufffdabc", "\ufffd\ufffd"]);
  }));

Deno.test("lastOutput() reads no more than the end of files that a service has made large", () =>
  inFolder(async (own) => {
    await writeLog(own, "log.0", "x".repeat(5_000_000), 5);
    await writeLog(own, "log.1", `${"y".repeat(5_000_000)}\nend\n`, 6);
    const [long = "", ...others] = await lastOutput(host, { own }, 30);
    assert.ok(long.length < 200_000);
    assert.deepEqual(others, ["end"]);
  }));
