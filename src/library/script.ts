/** The text of a script with its variables. */

import { basename } from "@std/path/posix";
import { refused } from "../failure.ts";
import { chooseShells } from "../machines/exec/shells.ts";
import { quote } from "../text/quote.ts";

/** The variables of a script by name. */
export type Variables = Readonly<Record<string, string>>;

/**
 * Returns a script that first exports variables.
 *
 * @param shell The machine's own shell, which runs scripts without a first line `#!`.
 * @throws {Failure} `refused` where a name or a value cannot be a variable's, or no shell reads the script.
 */
export function withVariables(script: string, variables: Variables, shell: string): Uint8Array {
  checkVariables(variables);
  const encoder = new TextEncoder();
  const exports = Object.entries(variables)
    .map(([name, value]) => `export ${name}=${quote(value)}\n`).join("");
  if (exports === "") return encoder.encode(script);
  const [program = ""] = chooseShells(encoder.encode(script), undefined, shell).programs;
  if (!SHELLS.test(basename(program))) {
    throw refused(
      `Cannot give variables to the script: ${program} is no shell`,
      `Run the program from a script of sh: ${basename(program)} - <<'END'`,
    );
  }
  const [first = ""] = script.match(/^#!.*(?:\n|$)/) ?? [];
  const break_ = first === "" || first.endsWith("\n") ? "" : "\n";
  return encoder.encode(`${first}${break_}${exports}${script.slice(first.length)}`);
}

const SHELLS = /^(?:ba|da|z|k|mk|a)?sh$/;

/** @throws {Failure} `refused` where a name or a value cannot be a variable's. */
export function checkVariables(variables: Variables): void {
  for (const [name, value] of Object.entries(variables)) {
    if (/^[A-Za-z_]\w*$/.test(name) && typeof value === "string" && !value.includes("\0")) continue;
    throw refused(
      `Cannot give variables to a script: ${
        JSON.stringify(name)
      } is not valid, or its value is not`,
      "A name has letters, digits and '_'; a value is text without NUL",
    );
  }
}
