/** A throwaway host on which escapes are tried. */

import assert from "node:assert/strict";
import type { Result } from "../hosts/command.ts";
import { runScript, type Settings, type Site, withMachine } from "../hosts/site.ts";
import type { Bait } from "./escape.ts";

/** Runs a script in a machine. */
export type RunIn = (
  script: string,
) => Promise<Pick<Result, "code" | "stdout" | "stderr">>;

/** A host with machines to escape from. */
export interface Target {
  /** The folder for the bait, on the host's own disk. */
  readonly bait: string;
  /** Runs a script of sh on the host, as root; it must succeed. Returns its stdout. */
  host(script: string): Promise<string>;
  /** Runs a test with a machine, which is removed afterwards. */
  withMachine(settings: Settings, body: (run: RunIn) => Promise<void>): Promise<void>;
}

/** Returns a target for a host container, whose store must not contain the bait. */
export function targetOn(site: Site, bait: string): Target {
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

/** A pid that no machine has, since each has few processes and a pid namespace of its own. */
const UNUSED_PID = 30_000;

/** Creates the bait and prints it, a line each; its process also has an abstract socket. */
const LAY_BAIT = (bait: string) => `
mkdir -p ${bait}/data && echo secret >${bait}/secret
echo ${UNUSED_PID} >/proc/sys/kernel/ns_last_pid
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
libc.syscall(250, 15, key, 3000) # it expires if it is not removed
print("KEY", key)
with socket.socket(socket.AF_UNIX) as door:
    door.connect("/run/dbus/system_bus_socket")
    door.send(b"\\0AUTH EXTERNAL\\r\\nDATA\\r\\n")
    said = b""
    while b"OK " not in said or not said.endswith(b"\\n"): said += door.recv(100)
    print("BUS", said.split(b"OK ")[1].split()[0].decode())
END
`;

/** Removes the bait, with everything that was written beside it. */
const REMOVE_BAIT = (folder: string, { PID, KEY }: Bait) => `
kill -s KILL ${PID}
python3 -c 'import ctypes; ctypes.CDLL(None).syscall(250, 3, ${KEY})'
rm -rf --one-file-system ${folder}
`;

/** Runs a test with bait, which is removed afterwards. */
export async function withBait(target: Target, body: (bait: Bait) => Promise<void>): Promise<void> {
  const lines = (await target.host(LAY_BAIT(target.bait))).trim().split("\n");
  const words: Partial<Bait> = Object.fromEntries(lines.map((line) => line.split(" ")));
  const { PID = "", HANDLE = "", BUS = "", DISK = "", KEY = "" } = words;
  const bait = { PID, HANDLE, BUS, DISK, KEY };
  try {
    await body(bait);
  } finally {
    await target.host(REMOVE_BAIT(target.bait, bait));
  }
}
