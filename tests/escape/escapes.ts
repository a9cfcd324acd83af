/** The escapes that are tried. */

import type { Escape } from "./escape.ts";

const DENIED = /not permitted|permission denied|read-only/i;

/** Files, mounts and devices. */
const FILES: readonly Escape[] = [
  {
    name: "create a device",
    language: "sh",
    // In /dev: nowhere else a device can be opened.
    program: "mknod /dev/escaped c 1 3 && echo x >/dev/escaped",
    where: "anywhere",
    refusal: DENIED,
    opened: "unprotected",
  },
  {
    name: "read a disk",
    language: "sh",
    program: 'mknod disk b "${DISK%:*}" "${DISK#*:}"\n[ "$(head -c 512 disk | wc -c)" = 512 ]',
    where: "vm",
    refusal: DENIED,
    opened: "outside",
  },
  {
    name: "write to a read-only bind",
    language: "sh",
    program: "mount -o remount,rw,bind /srv/data || :\necho x >/srv/data/escaped",
    where: "anywhere",
    refusal: DENIED,
    opened: "unprotected",
    state: 'ls "$BAIT/data"',
    undo: 'rm "$BAIT/data/escaped"',
  },
  {
    name: "write beside the script of its own stage",
    language: "sh",
    program: "mount -o remount,rw,bind /run/nspawn-runner || :\necho x >/run/nspawn-runner/escaped",
    where: "anywhere",
    refusal: DENIED,
    opened: "unprotected",
  },
  {
    name: "read a file beside a bind, by its handle",
    language: "python3",
    program: `
handle = bytes.fromhex(os.environ["HANDLE"])
at = os.open("/srv/data", os.O_RDONLY)
file = call(libc.open_by_handle_at, at, handle, os.O_RDONLY)
assert os.read(file, 6) == b"secret"
`,
    where: "anywhere",
    refusal: /not permitted|stale file handle/i,
    opened: "unprotected",
  },
  {
    name: "lock a file",
    language: "sh",
    program: "touch locked && chattr +i locked",
    where: "anywhere",
    refusal: DENIED,
    opened: "unprotected",
  },
  {
    name: "unpack an archive with .. in its names",
    language: "sh",
    program: `touch escaped
tar -Pcf archive --transform 's,^,../../../../../../../../srv/,' escaped
tar -Pxf archive`,
    where: "anywhere",
    refusal: null,
    opened: "outside",
    state: "ls /srv",
    undo: "rm /srv/escaped",
  },
];

/** Settings of the kernel. Opening one for writing without writing harms nothing. */
const KERNEL: readonly Escape[] = [
  {
    name: "make /proc/sys writable",
    language: "sh",
    program: "mount -o remount,rw,bind /proc/sys || :\n: >>/proc/sys/kernel/printk_ratelimit",
    where: "anywhere",
    refusal: DENIED,
    opened: "unprotected",
  },
  {
    name: "mount another /proc",
    language: "sh",
    program: "mkdir p && mount -t proc proc p\n: >>p/sys/kernel/printk_ratelimit",
    where: "anywhere",
    refusal: DENIED,
    opened: "unprotected",
  },
  {
    // The mount itself is allowed: with a private network, a machine sees its own network there.
    name: "mount a writable /sys",
    language: "sh",
    program: "mkdir s && mount -t sysfs sysfs s || mount --bind /sys s\n: >>s/kernel/rcu_expedited",
    where: "anywhere",
    refusal: DENIED,
    opened: "unprotected",
  },
  {
    name: "create a cgroup on the host",
    language: "sh",
    program: "mkdir c && mount -t cgroup2 none c && mkdir c/escaped",
    where: "anywhere",
    refusal: null,
    opened: "outside",
    state: "find /sys/fs/cgroup -name machine.slice -prune -o -name escaped -print",
    undo: "rmdir /sys/fs/cgroup/escaped",
  },
  {
    name: "write sysrq-trigger",
    language: "sh",
    program: "mkdir p && mount -t proc proc p || mount --bind /proc p\necho h >p/sysrq-trigger",
    where: "vm",
    refusal: DENIED,
    opened: "unprotected",
    state: "dmesg | grep -c 'sysrq: HELP'",
    undo: "dmesg --clear",
  },
  {
    name: "write core_pattern",
    language: "sh",
    program: `mkdir p && mount -t proc proc p || mount --bind /proc p
echo '|/escaped' >p/sys/kernel/core_pattern`,
    where: "vm",
    refusal: DENIED,
    opened: "unprotected",
    state: "cat /proc/sys/kernel/core_pattern",
    undo: "echo core >/proc/sys/kernel/core_pattern",
  },
  {
    name: "write uevent_helper",
    language: "sh",
    program: `mkdir s && mount -t sysfs sysfs s || mount --bind /sys s
echo /escaped >s/kernel/uevent_helper`,
    where: "vm",
    refusal: DENIED,
    opened: "unprotected",
    needs: "/sys/kernel/uevent_helper",
    state: "cat /sys/kernel/uevent_helper",
    undo: "echo >/sys/kernel/uevent_helper",
  },
  {
    name: "write to the kernel's /sys",
    language: "sh",
    program: `mkdir s && mount -t sysfs sysfs s || mount --bind /sys s
echo 1 >s/kernel/rcu_expedited`,
    where: "vm",
    refusal: DENIED,
    opened: "unprotected",
    state: "cat /sys/kernel/rcu_expedited",
    undo: "echo 0 >/sys/kernel/rcu_expedited",
  },
  {
    name: "write a release_agent",
    language: "sh",
    program: `mkdir c && mount -t cgroup -o none,name=escaped none c
echo /escaped >c/release_agent`,
    where: "vm",
    refusal: DENIED,
    opened: "outside",
  },
];

/** System calls. */
const CALLS: readonly Escape[] = [
  {
    name: "load a module",
    language: "python3",
    program: `
try:
    syscall(175, bytes(64), 64, b"")
except OSError as error:
    if error.errno != 8: raise # ENOEXEC: the kernel read it
`,
    where: "vm",
    refusal: DENIED,
    opened: "outside",
  },
  {
    name: "load a kernel by kexec",
    language: "python3",
    program: "syscall(246, 0, 0, 0, 0) # unloads what was loaded\n",
    where: "vm",
    refusal: DENIED,
    opened: "unprotected",
  },
  {
    name: "look at the kernel's bpf programs",
    language: "python3",
    program: `
try:
    syscall(321, 11, struct.pack("IIII", 0, 0, 0, 0), 16)
except OSError as error:
    if error.errno != 2: raise # ENOENT: there is none
`,
    where: "anywhere",
    refusal: DENIED,
    opened: "unprotected",
  },
  {
    name: "watch a whole processor with perf_event_open",
    language: "python3",
    program: "syscall(298, struct.pack('IIQ', 1, 64, 0) + bytes(48), -1, 0, -1, 0)\n",
    where: "anywhere",
    refusal: DENIED,
    opened: "unprotected",
  },
];

/** Processes of the host, and their sockets and keys. */
const PROCESSES: readonly Escape[] = [
  {
    name: "stop a process of the host",
    language: "sh",
    program: 'kill -s STOP "$PID"',
    where: "anywhere",
    refusal: /no such process/i,
    opened: "outside",
    state: 'sed -n "s/^State:[[:space:]]*//p" "/proc/$PID/status"',
    undo: 'kill -s CONT "$PID"; sleep 0.2',
  },
  {
    name: "trace a process of the host",
    language: "python3",
    program: 'call(libc.ptrace, 0x4206, int(os.environ["PID"]), 0, 0) # PTRACE_SEIZE\n',
    where: "anywhere",
    refusal: /no such process/i,
    opened: "outside",
  },
  {
    name: "speak through an abstract socket of the host",
    language: "python3",
    program: `
import socket
socket.socket(socket.AF_UNIX).connect("\\0nspawn-runner-escape")
`,
    where: "anywhere",
    refusal: /connection refused/i,
    opened: "unprotected",
  },
  {
    name: "read a key of the host's root",
    language: "python3",
    program: `
key = syscall(250, 10, -4, b"user", b"nspawn-runner-escape", 0)
assert key == int(os.environ["KEY"])
`,
    where: "anywhere",
    refusal: /required key not available|not permitted/i,
    opened: "unprotected",
  },
  {
    name: "speak to the host's D-Bus",
    language: "python3",
    program: `
import socket
def bus(path):
    with socket.socket(socket.AF_UNIX) as door:
        door.settimeout(5)
        try:
            door.connect(path)
            door.send(b"\\0AUTH EXTERNAL\\r\\nDATA\\r\\n")
            said = b""
            while b"OK" not in said: said += door.recv(100) or b"OK"
            return said
        except OSError:
            return b""
paths = [f"{folder}/{name}" for folder, _, names in os.walk("/run") for name in names if "bus" in name]
if not any(os.environ["BUS"].encode() in bus(path) for path in paths):
    raise SystemExit("none of these is the bus of the host: " + " ".join(paths))
`,
    where: "anywhere",
    refusal: /^none of these is the bus of the host/,
    opened: "unprotected",
  },
];

/** All escapes. */
export const ESCAPES: readonly Escape[] = [...FILES, ...KERNEL, ...CALLS, ...PROCESSES];
