/** Chooses the shell that runs a script. */

/** The shells that may run a script. */
export interface Shells {
  /** Names or paths, best first: the first one that exists in the machine is used. */
  readonly programs: readonly string[];
  readonly options: readonly string[];
}

/**
 * Returns the shells for a script: `--shell`, else its `#!` line, else the chroot's shell.
 *
 * @param argument The value of `--shell`.
 * @param fallback The chroot's shell.
 */
export function chooseShells(
  script: Uint8Array,
  argument: string | undefined,
  fallback: string,
): Shells {
  if (argument !== undefined) return { programs: [argument], options: [] };
  const start = new TextDecoder().decode(script.subarray(0, HEAD_SIZE));
  const shebang = shebangOf(start);
  if (shebang === null) {
    return { programs: fallback === "bash" ? ["bash", "sh"] : [fallback], options: [] };
  }
  const [program = "sh", ...options] = shebang;
  // GitLab Runner writes eval $'…' for "sh" as well, which only bash can parse.
  const needsBash = /(^|\/)sh$/.test(program) && start.includes("eval $'");
  return { programs: needsBash ? ["bash", program] : [program], options };
}

/** Bytes that are searched for `eval $'`: GitLab Runner writes fewer before the body of a script. */
const HEAD_SIZE = 4096;

/** The words after `#!`, without `env` and its -S: the shell is looked up in PATH in any case. */
function shebangOf(script: string): string[] | null {
  const line = script.match(/^#![ \t]*([^\n]*)/)?.[1];
  if (line === undefined) return null;
  const words = line.trim().split(/[ \t]+/).filter((word) => word !== "");
  if (!/(^|\/)env$/.test(words[0] ?? "")) return words.length === 0 ? null : words;
  const rest = words.slice(1);
  return rest[0] === "-S" ? rest.slice(1) : rest;
}
