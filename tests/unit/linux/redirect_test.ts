import assert from "node:assert/strict";
import { toFile } from "../../../src/linux/redirect.ts";
import { inFolder } from "../recording_host.ts";

Deno.test("toFile() puts stdout into a file, up to a limit", async () => {
  await inFolder(async (folder) => {
    const file = `${folder}/a b`;
    const run = async (limit: number | undefined, script: string) => {
      const [program, ...args] = toFile(file, ["sh", "-c", script], limit);
      const { code, stdout } = await new Deno.Command(program, { args }).output();
      return [code, stdout.length, await Deno.readTextFile(file)];
    };
    assert.deepEqual(await run(undefined, "echo text; exit 3"), [3, 0, "text\n"]);
    assert.deepEqual(await run(10, "echo text"), [0, 0, "text\n"]);
    const [code, , text] = await run(4, "exec head -c 100 /dev/zero");
    assert.deepEqual([code, String(text).length], [153, 4]);
  });
});
