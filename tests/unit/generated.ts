/** Files of the checkout that tests generate from the source. */

import assert from "node:assert/strict";
import { dirname } from "@std/path/posix";
import { CHECKOUT } from "./source.ts";

/**
 * Checks that a generated file is up to date. Under `deno task update` writes it instead.
 *
 * @param file Relative to the checkout.
 * @param content The content; Markdown is formatted first.
 */
export async function assertUpToDate(file: string, content: string): Promise<void> {
  const text = file.endsWith(".md") ? await formatted(content) : content;
  if (Deno.env.get("NSPAWN_RUNNER_UPDATE") === "1") {
    await Deno.mkdir(dirname(CHECKOUT + file), { recursive: true });
    return await Deno.writeTextFile(CHECKOUT + file, text);
  }
  const found = await Deno.readTextFile(CHECKOUT + file).catch(() => "");
  assert.equal(
    found,
    text,
    `${file} is not up to date: run deno task update, and read the changes`,
  );
}

async function formatted(markdown: string): Promise<string> {
  const command = new Deno.Command(Deno.execPath(), {
    args: ["fmt", "--ext=md", "-"],
    cwd: CHECKOUT,
    stdin: "piped",
    stdout: "piped",
  });
  const child = command.spawn();
  const writer = child.stdin.getWriter();
  await writer.write(new TextEncoder().encode(markdown));
  await writer.close();
  const { code, stdout } = await child.output();
  assert.equal(code, 0, "deno fmt");
  return new TextDecoder().decode(stdout);
}
