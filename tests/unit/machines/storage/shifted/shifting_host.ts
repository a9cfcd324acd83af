/** What tests of shifted layers share. */

import assert from "node:assert/strict";
import type { Host } from "../../../../../src/host/host.ts";
import { shiftedLayerPath } from "../../../../../src/machines/storage/shifted/layer.ts";
import { type Answer, type Recording, recordingHost } from "../../../recording_host.ts";

/** The first id of the first machine. */
export const FIRST = 0x4000_0000;
/** Never aborted. */
export const never = new AbortController().signal;

/** A host on which a shift writes its arguments into `upper/made`. */
export function shiftingHost(
  answer: (argv: readonly string[]) => Answer | void = () => {},
): Recording {
  return recordingHost({
    async answer(argv) {
      if (argv[0] !== "unshare") return answer(argv);
      const given = answer(argv);
      const [folder, tree, ids] = argv.slice(-5);
      await Deno.mkdir(`${folder}/upper`);
      await Deno.writeTextFile(`${folder}/upper/made`, `${tree} ${ids}`);
      return given;
    },
  });
}

/** Creates a tree in a store, and returns the path of its shifted layer. */
export async function layerIn(host: Host, store: string, ids = FIRST): Promise<string> {
  await Deno.mkdir(`${store}/tree`, { recursive: true });
  const layer = await shiftedLayerPath(host, store, `${store}/tree`, ids);
  assert.ok(layer !== null, "this file system records times of birth");
  return layer;
}

/** How many shifts were started. */
export const countShifts = (commands: readonly string[]) =>
  commands.filter((command) => command.startsWith("unshare ")).length;
