/** Programs that take all that they get. Only where limits bind: in a virtual machine. */

/** A program and how it ends. */
export interface Bomb {
  readonly name: string;
  /** A script of bash. */
  readonly script: string;
  /** The program's code and all that it said. */
  readonly said: RegExp;
}

/** What a machine may have that one is tried in: a definition. */
export const LIMITS = 'storage = "tmpfs"\n[limits]\nmemory_max = "300M"\ntasks_max = "60"\n';

/** All of them, for one machine: the last one takes it along. */
export const BOMBS: readonly Bomb[] = [
  {
    name: "processes",
    script: `bomb() { bomb | bomb & }
bomb 2>/dev/null
until [ "$SECONDS" -gt 20 ]; do :; done
exit 9
`,
    said: /^9 [^]*Too many processes: refused \d+ times at 60\./,
  },
  {
    name: "memory",
    script: "python3 -c 'x = bytearray(600 * 1024 ** 2)'\n",
    said: /^137 [^]*Out of memory: \d+ process(es)? killed at 300 MiB\./,
  },
  {
    name: "/dev/shm",
    script: "head -c 2G /dev/zero >/dev/shm/x\n",
    said: /^1 [^]*No space left on device/,
  },
  {
    // No process has this memory, so that the kernel kills them all, the machine's own too.
    name: "files, where they are kept in memory",
    script: "head -c 2G /dev/zero >/root/x\n",
    said: /^137 [^]*Out of memory: the machine was killed with all that it held\./,
  },
];
