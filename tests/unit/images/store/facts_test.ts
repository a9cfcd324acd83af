import assert from "node:assert/strict";
import { IMAGE_FACTS_SCRIPT } from "../../../../src/images/store/facts.ts";
import { inFolder } from "../../recording_host.ts";

const TREE = `
cd "$1"
mkdir -p layer/etc layer/usr/bin layer/opt/real layer/usr/share/zoneinfo/Europe
cd layer
ln -s ../opt/passwd etc/passwd
echo "root:x:0:0::/root:/bin/sh" >opt/passwd
ln -s /etc/hostname etc/group
mkdir "etc/x
"
ln -s "x
/" etc/hosts
ln -s /etc/passwd etc/x
ln -s usr/bin bin
: >usr/bin/busybox
chmod 755 usr/bin/busybox
ln -s /bin/busybox usr/bin/sh
ln -s bash usr/bin/bash
: >usr/bin/git
: >usr/share/zoneinfo/Europe/Rome
`;

Deno.test("the files that the host reads of an image are those of the image, whatever its links are", async () => {
  await inFolder(async (folder) => {
    const sh = async (script: string, ...args: string[]) => {
      const { stdout, stderr } = await new Deno.Command("sh", {
        args: ["-euc", script, "sh", ...args],
      }).output();
      return new TextDecoder().decode(stderr) + new TextDecoder().decode(stdout);
    };
    assert.equal(await sh(TREE, folder), "");
    const words = [`${folder}/layer`, ".", `${folder}/view`, `${folder}/facts`, "Europe/Rome"];
    assert.equal(await sh(IMAGE_FACTS_SCRIPT, ...words), "");
    const found = await sh('cd "$1" && find . -type f | sort', `${folder}/facts`);
    // git cannot be executed, bash is a link to itself, and the other links lead to no file of the image: etc/hosts to a
    // folder whose name, without the line break at its end, is that of a link to a file of the host.
    assert.deepEqual(found.trim().split("\n"), [
      "./bin/sh",
      "./etc/passwd",
      "./usr/bin/sh",
      "./usr/share/zoneinfo/Europe/Rome",
    ]);
    assert.equal(
      await Deno.readTextFile(`${folder}/facts/etc/passwd`),
      "root:x:0:0::/root:/bin/sh\n",
    );
  });
});
