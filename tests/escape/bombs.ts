/** Programs that take all that they get. Only where limits bind: in a virtual machine. */

/** A program and how it ends: with its code and all that it said. */
export interface Bomb {
  readonly name: string;
  /** A script of bash. */
  readonly script: string;
  readonly said: RegExp;
  /** The same without limits, where the host survives that. */
  readonly unlimited?: RegExp;
}

/** Bombs for one machine: the last one may take it along. */
export interface Load {
  /** What the machine may have: a definition. */
  readonly limits: string;
  readonly bombs: readonly Bomb[];
}

const MEMORY: Load = {
  limits: 'storage = "tmpfs"\n[limits]\nmemory_max = "300M"\ntasks_max = "60"\n',
  bombs: [
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
      unlimited: /^0 $/,
    },
    {
      name: "/dev/shm",
      script: "head -c 2G /dev/zero >/dev/shm/x\n",
      said: /^1 [^]*No space left on device/,
    },
    {
      // No process has this memory, so that the kernel kills them all, the machine's own too.
      name: "files, where they are kept in memory",
      script: "head -c 600M /dev/zero >/root/x\n",
      said: /^137 [^]*Out of memory: the machine was killed with all that it held\./,
      unlimited: /^0 $/,
    },
  ],
};

const DISK: Load = {
  limits: 'storage = "overlay"\n[limits]\ndisk_max = "64M"\n',
  bombs: [
    {
      name: "a file without end",
      script: "head -c 200M /dev/zero >/root/x\n",
      said: /^1 [^]*Disk full: the machine may write 64 MiB\./,
      unlimited: /^0 $/,
    },
    {
      name: "files without end",
      script: `rm -f /root/x && mkdir /root/many && cd /root/many
python3 -c 'for i in range(12000): open(str(i), "w").close()'
`,
      said: /^1 [^]*Too many files: no more fit into the 64 MiB/,
      unlimited: /^0 $/,
    },
  ],
};

/** All of them. */
export const LOADS: readonly Load[] = [DISK, MEMORY];
