/** An escape from a machine, and the script that tries escapes. */

/** A small program that tries one escape. It exits with 0 if it succeeds, and else prints why it did not. */
export interface Escape {
  readonly name: string;
  /** The interpreter of the program. */
  readonly language: "sh" | "python3";
  /** Its text; its environment has the variables of {@linkcode Bait}. */
  readonly program: string;
  /** Where it may be tried: what could harm a kernel only in a virtual machine. */
  readonly where: "anywhere" | "vm";
  /** Its output when it is refused; null if it may exit with 0, so that only the host's state counts. */
  readonly refusal: RegExp | null;
  /**
   * Where it succeeds, which shows that the test can fail: in a plain machine without protection, or only on
   * the host itself, since no setting gives a machine that much.
   */
  readonly opened: "unprotected" | "outside";
  /** A file of the host that the escape needs, and that not every kernel has. */
  readonly needs?: string;
  /** A script that prints, on the host, the state that the escape would change. */
  readonly state?: string;
  /** A script that undoes the change on the host. */
  readonly undo?: string;
}

/** Things of the host that escapes aim at, as environment variables; only digits and letters, so that none is quoted. */
export interface Bait {
  /** The process id of a process of the host. */
  readonly PID: string;
  /** The handle, by name_to_handle_at(2), of a host file beside the folder that machines see at /srv/data. */
  readonly HANDLE: string;
  /** The id of the host's D-Bus. */
  readonly BUS: string;
  /** The device number of the host's disk, `MAJOR:MINOR`. */
  readonly DISK: string;
  /** The id of a key of the host's root. */
  readonly KEY: string;
}

/** The outcome of an attempt. */
export interface Attempt {
  readonly succeeded: boolean;
  readonly output: string;
}

/** Prepended to all programs in Python: system calls without a library function, by x86-64's numbers. */
const PRELUDE = `
import ctypes, os, platform, struct
assert platform.machine() == "x86_64"
libc = ctypes.CDLL(None, use_errno=True)
def call(function, *words):
    result = function(*words)
    if result < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    return result
def syscall(*words):
    return call(libc.syscall, *words)
`;

const END = "END_OF_THIS_ESCAPE";

/** Returns a script of sh that tries many escapes, each in a folder of its own below `scratch`. */
export function scriptOf(escapes: readonly Escape[], bait: Bait, scratch: string): string {
  const variables = Object.entries(bait).map(([name, value]) => `export ${name}=${value}\n`);
  return variables.join("") + escapes.map((escape) => attemptScript(escape, scratch)).join("");
}

function attemptScript({ name, language, program }: Escape, scratch: string): string {
  const [command, text] = language === "sh"
    ? ["sh -e", program]
    : ["python3 -", `${PRELUDE}${program}`];
  return `
mkdir -p ${scratch} && cd "$(mktemp -d -p ${scratch})"
echo "== ${name}"
timeout 300 ${command} 2>&1 <<'${END}' && code=0 || code=$?
${text}
${END}
printf '\\n== ended %s\\n' "$code"
`;
}

/** Returns the attempts in the output of a script of {@linkcode scriptOf}, by the escapes' names. */
export function attemptsIn(stdout: string): ReadonlyMap<string, Attempt> {
  const sections = stdout.matchAll(/^== (?!ended )(.*)\n([^]*?)\n== ended (\d+)$/gm);
  return new Map(
    [...sections].map(([, name, output, code]) => [
      name!,
      { succeeded: code === "0", output: output!.trim() },
    ]),
  );
}
