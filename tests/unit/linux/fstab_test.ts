import assert from "node:assert/strict";
import { missingMount } from "../../../src/linux/fstab.ts";
import { inFolder, recordingHost } from "../recording_host.ts";

const FSTAB = `# /dev/sdz /ci/store ext4 defaults 0 0
UUID=1 / ext4 defaults 0 1
UUID=2\t/ci\text4\tnoauto 0 2
UUID=3 /a\\040b ext4 defaults 0 2
UUID=4 none swap sw 0 0
`;

Deno.test("missingMount() is the mount point of fstab that holds the path, and where nothing is mounted", async () => {
  const mounts = (...points: string[]) =>
    points.map((point) => `25 21 0:42 / ${point} rw - ext4 /dev/x rw\n`).join("");
  const cases: readonly (readonly [string, string, string | null])[] = [
    ["/ci", mounts("/"), "/ci"],
    ["/ci/store", mounts("/"), "/ci"],
    ["/ci/store", mounts("/", "/ci"), null],
    ["/cix", mounts("/"), null],
    ["/a b/store", mounts("/"), "/a b"],
    ["/var/lib/nspawn-runner", mounts(), null],
  ];
  for (const [path, stdout, missing] of cases) {
    const { host } = recordingHost({ answer: () => ({ stdout }) });
    const files = { ...host.files, read: () => Promise.resolve(FSTAB) };
    assert.equal(await missingMount({ ...host, files }, path), missing, path);
  }
});

Deno.test("missingMount() starts no process where fstab names no mount point of the path", () =>
  inFolder(async (folder) => {
    const { host, commands } = recordingHost();
    assert.equal(await missingMount(host, `${folder}/store`), null);
    const files = { ...host.files, read: () => Promise.resolve(null) };
    assert.equal(await missingMount({ ...host, files }, "/ci"), null);
    assert.deepEqual(commands(), []);
  }));
