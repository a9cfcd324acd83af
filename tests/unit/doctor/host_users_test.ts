import assert from "node:assert/strict";
import { hostUsers } from "../../../src/doctor/host_users.ts";
import { find, state } from "./fixture.ts";

const PERSON = "ann:x:1000:1000::/home/ann:/bin/bash\n";

/** Lines of passwd(5), the mount options of /proc, and the finding. */
const HOSTS: readonly (readonly [string, string, readonly unknown[] | null])[] = [
  ["root:x:0:0::/root:/bin/sh\ngitlab-runner:x:999:999::/:/bin/bash\n", "rw", null],
  ["nobody:x:65534:65534::/:/bin/sh\nx:x:1001:1::/:/usr/sbin/nologin\n", "rw", null],
  [PERSON, "rw,nosuid", ["weak", true]],
  [PERSON, "rw,hidepid=off", ["weak", true]],
  [PERSON, "rw,hidepid=invisible", ["ok", false]],
  [PERSON, "rw,gid=5,hidepid=2", ["ok", false]],
];

for (const [passwd, options, expected] of HOSTS) {
  Deno.test(`hostUsers() finds ${expected ?? "nobody"} for ${JSON.stringify(passwd)} and ${options}`, async () => {
    const answer = () => ({ stdout: `sys /sys sysfs rw 0 0\nproc /proc proc ${options} 0 0\n` });
    const found = await find(hostUsers, { files: { "/etc/passwd": passwd }, answer });
    assert.deepEqual(found.map(state), expected === null ? [] : [expected]);
  });
}
