import assert from "node:assert/strict";
import { type MissingMount, missingMount } from "../../../src/linux/missing_mount.ts";
import { inFolder, PROGRAM_FILE, recordingHost } from "../recording_host.ts";

const FSTAB = `# /dev/sdz /ci/store ext4 defaults 0 0
UUID=1 / ext4 defaults 0 1
UUID=2\t/ci\text4\tnoauto 0 2
UUID=3 /a\\040b ext4 defaults 0 2
UUID=4 none swap sw 0 0
UUID=5 /auto ext4 noauto,x-systemd.automount 0 2
UUID=6 /auto/in ext4 noauto 0 2
`;

Deno.test("missingMount() is the mount point of fstab that holds the path, and where nothing is mounted", async () => {
  const mounts = (...points: string[]) =>
    points.map((point) => `25 21 0:42 / ${point} rw - ext4 /dev/x rw\n`).join("");
  const manual = (point: string) => ({ point, file: "/etc/fstab", isManual: true });
  const missed = (point: string) => ({ ...manual(point), isManual: false });
  const cases: readonly (readonly [string, string, MissingMount | null])[] = [
    ["/ci", mounts("/"), manual("/ci")],
    ["/ci/store", mounts("/"), manual("/ci")],
    ["/ci/store", mounts("/", "/ci"), null],
    ["/cix", mounts("/"), null],
    ["/a b/store", mounts("/"), missed("/a b")],
    ["/auto/in/store", mounts("/"), missed("/auto")],
    ["/auto/in/store", mounts("/", "/auto"), manual("/auto/in")],
    ["/var/lib/nspawn-runner", mounts(), null],
  ];
  for (const [path, stdout, missing] of cases) {
    const { host } = recordingHost({ answer: () => ({ stdout }) });
    const files = { ...host.files, read: () => Promise.resolve(FSTAB) };
    assert.deepEqual(await missingMount({ ...host, files }, path), missing, path);
  }
});

Deno.test("missingMount() follows a symlink to what is not mounted", () =>
  inFolder(async (folder) => {
    await Deno.symlink(`${folder}/disk/store`, `${folder}/link`);
    const { host } = recordingHost();
    const read = () => Promise.resolve(`UUID=1 ${folder}/disk ext4 defaults 0 2\n`);
    const files = { ...host.files, read };
    for (const path of ["link", "link/below", "disk"]) {
      const missing = await missingMount({ ...host, files }, `${folder}/${path}`);
      const point = `${folder}/disk`;
      assert.deepEqual(missing, { point, file: "/etc/fstab", isManual: false }, path);
    }
    assert.equal(await missingMount({ ...host, files }, `${folder}/else`), null);
  }));

Deno.test("missingMount() knows units of the administrator by their names", async () => {
  const units: Record<string, string> = {
    "/srv/a b/.x-y/ü:z": "srv-a\\x20b-.x\\x2dy-\\xc3\\xbc:z.mount",
    "/.x/.y": "\\x2ex-.y.mount",
  };
  for (const [point, unit] of Object.entries(units)) {
    const file = `/etc/systemd/system/${unit}`;
    const { host } = recordingHost();
    const lstat = (path: string) => Promise.resolve(path === file ? PROGRAM_FILE : null);
    const files = { ...host.files, lstat, read: () => Promise.resolve(null) };
    const missing = { point, file, isManual: true };
    assert.deepEqual(await missingMount({ ...host, files }, `${point}/store`, []), missing);
    const masked = (path: string) => Promise.resolve(path === file ? "/dev/null" : null);
    const others = { ...host, files: { ...files, readLink: masked } };
    assert.equal(await missingMount(others, `${point}/store`, []), null);
    const mounts = [{ point, type: "ext4" }];
    assert.equal(await missingMount({ ...host, files }, `${point}/store`, mounts), null);
  }
});

Deno.test("missingMount() starts no process where no mount of the path is configured", () =>
  inFolder(async (folder) => {
    const { host, commands } = recordingHost();
    assert.equal(await missingMount(host, `${folder}/store`), null);
    const files = { ...host.files, read: () => Promise.resolve(null) };
    assert.equal(await missingMount({ ...host, files }, "/ci"), null);
    assert.deepEqual(commands(), []);
  }));
