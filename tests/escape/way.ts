/** One way out of a machine, and how it is tried. */

/** A small program that tries one way. It ends with 0 when it got through, and else says why it did not. */
export interface Way {
  readonly name: string;
  /** What reads the program. */
  readonly language: "sh" | "python3";
  /** Its text; {@linkcode Bait} tells what it finds in its environment. */
  readonly program: string;
  /** Where it may be tried: what could hurt a kernel, only where that is the kernel of a virtual machine. */
  readonly where: "anywhere" | "vm";
  /** What it says where it is refused; null where it may end well, and the host's state alone counts. */
  readonly refusal: RegExp | null;
  /**
   * Where it gets through, so that the test can fail: in a plain machine without protection, or only on the
   * host itself, since no setting gives a machine as much.
   */
  readonly opened: "unprotected" | "outside";
  /** A file of the host that not every kernel has. */
  readonly needs?: string;
  /** A script of the host that prints what would change there. */
  readonly state?: string;
  /** A script of the host that takes the change back. */
  readonly undo?: string;
}

/** What of the host a way is after, as variables of its environment; digits and letters, so that none is quoted. */
export interface Bait {
  /** A process of the host. */
  readonly PID: string;
  /** A file of the host, beside the folder that machines see at /srv/data, as name_to_handle_at(2) knows it. */
  readonly HANDLE: string;
  /** The host's D-Bus, by its id. */
  readonly BUS: string;
  /** The host's disk, `MAJOR:MINOR`. */
  readonly DISK: string;
  /** A key of its root. */
  readonly KEY: string;
}

/** How a try ended. */
export interface Try {
  readonly through: boolean;
  /** All that the program said. */
  readonly said: string;
}

/** For all programs in Python: system calls that no library has a function for, by x86-64's numbers. */
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

const END = "END_OF_THIS_WAY";

/**
 * One script that tries many ways, each in a folder of its own.
 *
 * @param ways Which.
 * @param bait What they are after.
 * @param scratch Where they may write.
 * @returns Lines of sh.
 */
export function scriptOf(ways: readonly Way[], bait: Bait, scratch: string): string {
  const variables = Object.entries(bait).map(([name, value]) => `export ${name}=${value}\n`);
  return variables.join("") + ways.map((way) => oneOf(way, scratch)).join("");
}

function oneOf({ name, language, program }: Way, scratch: string): string {
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

/**
 * What a script of {@linkcode scriptOf} said, way by way.
 *
 * @param stdout All of it.
 * @returns By the ways' names.
 */
export function triesOf(stdout: string): ReadonlyMap<string, Try> {
  const sections = stdout.matchAll(/^== (?!ended )(.*)\n([^]*?)\n== ended (\d+)$/gm);
  return new Map(
    [...sections].map(([, name, said, code]) => [
      name!,
      { through: code === "0", said: said!.trim() },
    ]),
  );
}
