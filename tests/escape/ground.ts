/** A host to try ways out on, whatever kind it is: a throwaway one. */

import assert from "node:assert/strict";
import type { Result } from "../hosts/command.ts";
import { runScript, type Settings, type Site, withMachine } from "../hosts/site.ts";
import type { Bait } from "./way.ts";

/** Runs a script in a machine. */
export type RunIn = (script: string) => Promise<Result>;

/** A host. */
export interface Ground {
  /** Where bait is laid: a folder of the host's own disk. */
  readonly bait: string;
  /** Runs a script of sh on the host, as root; it must succeed. Gives its stdout. */
  host(script: string): Promise<string>;
  /** Gives a machine to a test, and takes it away afterwards. */
  withMachine(settings: Settings, body: (run: RunIn) => Promise<void>): Promise<void>;
}

/**
 * A host container as such a ground.
 *
 * @param site It, with a store that does not hold the bait.
 * @param bait Where bait is laid.
 * @returns The ground.
 */
export function groundOn(site: Site, bait: string): Ground {
  return {
    bait,
    host: async (script) => {
      const done = await site.host.exec(["sh", "-e"], { stdin: script, timeout: 120_000 });
      assert.equal(done.code, 0, `${script}\n${done.stdout}${done.stderr}`);
      return done.stdout;
    },
    withMachine: async (settings, body) => {
      const own = await site.with(settings);
      await withMachine(own, (id) => body((script) => runScript(own, id, script)));
    },
  };
}

/** A pid that no machine has: each has few processes, and numbers of its own. */
const FAR_PID = 30_000;

/** Prints the lines of a {@linkcode Bait}; its process has an abstract socket, too. */
const LAY = (bait: string) => `
mkdir -p ${bait}/data && echo secret >${bait}/secret
echo ${FAR_PID} >/proc/sys/kernel/ns_last_pid
setsid python3 -c '
import socket, time
door = socket.socket(socket.AF_UNIX)
door.bind("\\0nspawn-runner-escape")
door.listen()
time.sleep(3000)' </dev/null >/dev/null 2>&1 &
echo "PID $!"
until grep -q '@nspawn-runner-escape$' /proc/net/unix; do sleep 0.1; done
mountpoint -d / | sed 's/^/DISK /'
python3 - <<'END'
import ctypes, os, socket
handle = bytearray((128).to_bytes(4, "little") + bytes(132))
words = (ctypes.c_char * len(handle)).from_buffer(handle)
mount = ctypes.c_int()
libc = ctypes.CDLL(None, use_errno=True)
assert libc.name_to_handle_at(-100, b"${bait}/secret", words, ctypes.byref(mount), 0) == 0, ctypes.get_errno()
print("HANDLE", bytes(handle[: 8 + handle[0]]).hex())
key = libc.syscall(248, b"user", b"nspawn-runner-escape", b"secret", 6, -4) # into root's own keyring
assert key > 0, ctypes.get_errno()
libc.syscall(250, 15, key, 3000) # it goes by itself if nobody takes it away
print("KEY", key)
with socket.socket(socket.AF_UNIX) as door:
    door.connect("/run/dbus/system_bus_socket")
    door.send(b"\\0AUTH EXTERNAL\\r\\nDATA\\r\\n")
    said = b""
    while b"OK " not in said or not said.endswith(b"\\n"): said += door.recv(100)
    print("BUS", said.split(b"OK ")[1].split()[0].decode())
END
`;

/** Takes it away, with all that was written beside it. */
const TAKE = (folder: string, { PID, KEY }: Bait) => `
kill -s KILL ${PID}
python3 -c 'import ctypes; ctypes.CDLL(None).syscall(250, 3, ${KEY})'
rm -rf --one-file-system ${folder}
`;

/**
 * Lays out what ways are after, and takes it away afterwards.
 *
 * @param ground Where.
 * @param body The test.
 */
export async function withBait(ground: Ground, body: (bait: Bait) => Promise<void>): Promise<void> {
  const lines = (await ground.host(LAY(ground.bait))).trim().split("\n");
  const words: Partial<Bait> = Object.fromEntries(lines.map((line) => line.split(" ")));
  const { PID = "", HANDLE = "", BUS = "", DISK = "", KEY = "" } = words;
  const bait = { PID, HANDLE, BUS, DISK, KEY };
  try {
    await body(bait);
  } finally {
    await ground.host(TAKE(ground.bait, bait));
  }
}
