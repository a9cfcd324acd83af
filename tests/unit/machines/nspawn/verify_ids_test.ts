import assert from "node:assert/strict";
import { verifyIds } from "../../../../src/machines/nspawn/verify_ids.ts";
import { skip } from "../../../skip.ts";
import { inFolder, recordingHost } from "../../recording_host.ts";

const FIRST = 0x4000_0000;
const INIT = {
  pid: 77,
  start: 9,
  cgroup: "/cg/m",
  dropped: [],
  noNewPrivileges: false,
  filtered: true,
};

/** A machine's id map and the owner of its root, and whether verifyIds() accepts them. */
const CASES: readonly (readonly [readonly string[], string, boolean])[] = [
  [[`0 ${FIRST} 1048576`], `${FIRST}`, true],
  [["0 0 4294967295"], "0", false],
  [[`0 ${FIRST} 1048576`], "0", false],
  [[`0 ${FIRST} 1048576`], "65534", false],
  [[`0 ${FIRST} 65536`], `${FIRST}`, false],
  [[`0 ${FIRST} 1048576`, "1048576 0 1"], `${FIRST}`, false],
  [[], "", false],
];

for (const [idMap, rootOwner, isRight] of CASES) {
  const verb = isRight ? "accepts" : "refuses";
  Deno.test(`verifyIds() ${verb} map ${JSON.stringify(idMap)} and owner ${rootOwner || "none"}`, () =>
    inFolder(async (tree) => {
      await Deno.mkdir(`${tree}/usr`);
      if (Deno.uid() !== 0) return skip("verifyIds()", "not root");
      const { host } = recordingHost();
      const verified = verifyIds(host, { ...INIT, idMap, rootOwner }, FIRST, tree);
      if (isRight) await verified;
      else {await assert.rejects(verified, {
          kind: "host",
          message: /user namespace/,
          hint: /doctor$/,
        });}
    }));
}
