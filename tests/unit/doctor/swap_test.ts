import assert from "node:assert/strict";
import { LIST_SWAP_SCRIPT, swap } from "../../../src/doctor/swap.ts";
import { inFolder } from "../recording_host.ts";
import { find } from "./fixture.ts";

/** What lsblk prints for some devices, from the device itself down to the disk. */
const TYPES: Readonly<Record<string, string>> = {
  "/dev/sda2": "part\ndisk",
  "/dev/dm-0": "crypt\npart\ndisk",
  "/dev/mapper/vg-swap": "lvm\ncrypt\npart\ndisk",
};

/** Lines of /proc/swaps, the state, and words of what is found. */
const HOSTS: readonly (readonly [readonly string[], string, RegExp])[] = [
  [[], "ok", /^none$/],
  [["/dev/zram0 partition 1 0 100"], "ok", /^encrypted, or in memory$/],
  [["/dev/dm-0 partition 1 0 100", "/dev/mapper/vg-swap partition 1 0 1"], "ok", /^encrypted/],
  [["/dev/zram0 partition 1 0 100", "/dev/sda2 partition 1 0 -2"], "weak", / to \/dev\/sda2$/],
  [["/swap/file file 1 0 -2"], "weak", / to \/swap\/file$/],
  [["/dev/unseen partition 1 0 -2"], "unknown", /: \/dev\/unseen$/],
  [["/dev/unseen partition 1 0 -2", "/dev/sda2 partition 1 0 -2"], "weak", / to \/dev\/sda2$/],
];

for (const [lines, expected, found] of HOSTS) {
  Deno.test(`swap() is ${expected} for ${lines.join(", ") || "a host without swap"}`, async () => {
    await inFolder(async (folder) => {
      const text = ["Filename Type Size Used Priority", ...lines].join("\n");
      await Deno.writeTextFile(`${folder}/swaps`, `${text}\n`);
      const cases = Object.entries(TYPES).map(([name, types]) => `${name}) echo '${types}' ;;`);
      const tools = {
        lsblk: `for last; do :; done\ncase $last in ${cases.join(" ")} *) exit 32 ;; esac`,
        df: "echo Filesystem; echo /dev/sda2",
      };
      for (const [name, script] of Object.entries(tools)) {
        await Deno.writeTextFile(`${folder}/${name}`, `#!/bin/sh\n${script}\n`, { mode: 0o755 });
      }
      const script = LIST_SWAP_SCRIPT.replace("/proc/swaps", `${folder}/swaps`);
      const { stdout } = await new Deno.Command("sh", {
        args: ["-c", script],
        env: { PATH: `${folder}:/usr/bin:/bin` },
      }).output();
      const answer = () => ({ stdout: new TextDecoder().decode(stdout) });
      const [finding] = await find(swap, { answer });
      assert.equal(finding?.state, expected, finding?.found);
      assert.match(finding?.found ?? "", found);
    });
  });
}
