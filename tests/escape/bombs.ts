/** Programs that exhaust resources. Limits are enforced, and so tested, only in a virtual machine. */

/** A program, with its exit code and output. */
export interface Bomb {
  readonly name: string;
  /** In bash. */
  readonly script: string;
  /** Of `CODE OUTPUT`. */
  readonly output: RegExp;
  /** The same without limits; only for programs that the host survives. */
  readonly unlimited?: RegExp;
}

/** Programs for one machine, which the last one may end. */
export interface BombSet {
  /** The definition of its chroot. */
  readonly limits: string;
  readonly bombs: readonly Bomb[];
}

const MEMORY: BombSet = {
  limits: 'storage = "tmpfs"\n[limits]\nmemory_max = "300M"\ntasks_max = "60"\n',
  bombs: [
    {
      name: "processes",
      script: `bomb() { bomb | bomb & }
bomb 2>/dev/null
until [ "$SECONDS" -gt 20 ]; do :; done
exit 9
`,
      output: /^9 [^]*Too many processes: refused \d+ times at 60\./,
    },
    {
      name: "memory",
      script: "python3 -c 'x = bytearray(600 * 1024 ** 2)'\n",
      output: /^137 [^]*Out of memory: \d+ process(es)? killed at 300 MiB\./,
      unlimited: /^0 $/,
    },
    {
      name: "/dev/shm",
      script: "head -c 2G /dev/zero >/dev/shm/x\n",
      output: /^1 [^]*No space left on device/,
    },
    {
      // No process owns this memory, so that the kernel kills all of them, the machine's own too.
      name: "files in memory",
      script: "head -c 600M /dev/zero >/root/x\n",
      output: /^137 [^]*Out of memory: the kernel killed the machine\./,
      unlimited: /^0 $/,
    },
  ],
};

/** Tables of the kernel that a host shares with its machines: the machine's own limits are met first. */
const TABLES: BombSet = {
  limits: '[limits]\nmemory_max = "300M"\ntasks_max = "400"\n',
  bombs: [
    {
      name: "inotify",
      script: `python3 - <<'END'
import ctypes
libc, made = ctypes.CDLL(None), 0
while made < 900 and libc.inotify_init() >= 0: made += 1
print("made", made)
END
`,
      output: /^0 made 900\b/, // the kernel's default for a whole host is 128
    },
    {
      name: "cgroups",
      script: `cd /sys/fs/cgroup && mkdir many && cd many && i=0
while mkdir "$i" 2>/dev/null; do i=$((i + 1)); done
[ "$i" -gt 0 ] && [ "$i" -le 1024 ] && echo limited
`,
      output: /^0 limited\b/,
    },
  ],
};

const DISK: BombSet = {
  limits: 'storage = "overlay"\n[limits]\ndisk_max = "64M"\n',
  bombs: [
    {
      name: "one endless file",
      script: "head -c 200M /dev/zero >/root/x\n",
      output: /^1 [^]*Disk full: the machine may write 64 MiB\./,
      unlimited: /^0 $/,
    },
    {
      name: "endless files",
      script: `rm -f /root/x && mkdir /root/many && cd /root/many
python3 -c 'for i in range(12000): open(str(i), "w").close()'
`,
      output: /^1 [^]*Too many files: no more fit into the 64 MiB/,
      unlimited: /^0 $/,
    },
  ],
};

/**
 * For two machines at once, on a host with 3,000 threads. Each could have as many as its own limit allows; both together
 * meet that of all machines, which is 70 % of the host's.
 */
export const THREADS_OF_TWO = {
  limits: '[limits]\ntasks_max = "1500"\n',
  ofHost: 3_000,
  script: `python3 - <<'END'
import os, threading, time
threading.stack_size(65536)
end, made = time.monotonic() + 90, 0
try:
    while True:
        threading.Thread(target=time.sleep, args=(999,), daemon=True).start()
        made += 1
except RuntimeError:
    time.sleep(max(1, end - time.monotonic()))
print("refused at", made, flush=True)
os._exit(0)
END
`,
  output: /^0 refused at (\d+)\b/,
};

/** All programs for one machine. */
export const BOMB_SETS: readonly BombSet[] = [DISK, TABLES, MEMORY];
