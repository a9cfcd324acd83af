import assert from "node:assert/strict";
import { hostForLibrary } from "../../../src/library/host.ts";
import { scriptOutput } from "../../../src/library/output.ts";
import type { OutputTarget } from "../../../src/library/types.ts";
import { inFolder, recordingHost } from "../recording_host.ts";

const bytes = (text: string) => new TextEncoder().encode(text);

/** Passes on what is written to two pipes. */
async function withPipes(
  targets: Readonly<Record<"stdout" | "stderr", OutputTarget>>,
  act: (
    output: ReturnType<typeof scriptOutput>,
    writers: Readonly<Record<"stdout" | "stderr", Deno.FsFile>>,
    failures: readonly unknown[],
  ) => Promise<void>,
): Promise<void> {
  await inFolder(async (folder) => {
    const paths = { stdout: `${folder}/out`, stderr: `${folder}/err` };
    await new Deno.Command("mkfifo", { args: Object.values(paths) }).output();
    const failures: unknown[] = [];
    const host = hostForLibrary(recordingHost().host, () => {});
    const output = scriptOutput(host, targets, (reason) => failures.push(reason));
    const open = (path: string) => Deno.open(path, { read: true, write: true });
    const writers = { stdout: await open(paths.stdout), stderr: await open(paths.stderr) };
    const relays = (["stdout", "stderr"] as const)
      .map((stream) => output.host.terminal.relay(paths[stream], stream, () => {}));
    try {
      await act(output, writers, failures);
    } finally {
      await output.settle();
      for (const writer of Object.values(writers)) writer.close();
      await Promise.all(relays);
    }
  });
}

Deno.test("scriptOutput() keeps the text of both streams, also where a process keeps them open", () =>
  withPipes({ stdout: "text", stderr: "text" }, async (output, { stdout, stderr }, failures) => {
    await stdout.write(bytes("out"));
    await stderr.write(bytes("err"));
    await output.settle();
    assert.deepEqual([output.text("stdout"), output.text("stderr")], ["out", "err"]);
    assert.deepEqual(failures, []);
  }));

Deno.test("scriptOutput() gives both streams to one stream", async () => {
  const pieces: string[] = [];
  const target = new WritableStream<Uint8Array>({
    write: (piece) => void pieces.push(new TextDecoder().decode(piece)),
  });
  await withPipes({ stdout: target, stderr: target }, async (output, { stdout, stderr }) => {
    await stdout.write(bytes("out"));
    await stderr.write(bytes("err"));
    await output.settle();
    assert.deepEqual(pieces.sort(), ["err", "out"]);
    assert.equal(target.locked, false);
  });
});

Deno.test("scriptOutput() tells that a target does not take the output", async () => {
  const error = new Error("full");
  const target = new WritableStream({ write: () => Promise.reject(error) });
  await withPipes({ stdout: target, stderr: "null" }, async (output, { stdout }, failures) => {
    await stdout.write(bytes("out"));
    await output.settle();
    assert.deepEqual(failures, [error]);
  });
});
