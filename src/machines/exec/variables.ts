/** How the entrypoint of an image gets the variables of a job. */

import { quote } from "../../text/quote.ts";

/**
 * Returns shell functions for variables: one tells whether a name is among them, the other one exports them. They are no
 * arguments of env(1), since all users of the host see those. What is no name in a shell is left out, as is OPTIND, whose
 * value the shell checks.
 *
 * @param variables `NAME=VALUE`.
 */
export function variableFunctions(variables: readonly string[]): string {
  const pairs = variables.map((one) => [one.replace(/=[^]*$/, ""), one.replace(/^[^=]*=/, "")])
    .filter(([name = ""]) => /^[A-Za-z_]\w*$/.test(name) && name !== "OPTIND");
  const names = pairs.map(([name]) => name).join(" | ") || "''";
  return [
    "is_of_job() {",
    "  case $1 in",
    `    (${names}) return 0 ;;`,
    "  esac",
    "  return 1",
    "}",
    "export_variables() {",
    "  :",
    ...pairs.map(([name, value = ""]) => ["  export ", name, "=", quote(value)].join("")),
    "}",
    "",
  ].join("\n");
}
