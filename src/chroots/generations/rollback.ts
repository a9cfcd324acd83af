/** Goes back to an earlier generation of a chroot. */

import type { ChrootName } from "../../config/chroot_name.ts";
import { refused } from "../../failure.ts";
import { changeChroot } from "./change_chroot.ts";
import type { ChrootContext } from "./context.ts";
import { switchTo } from "./publish.ts";
import { currentNumber, generationNumbers, readRecord } from "./record.ts";
import { restoreLink } from "./recover.ts";

/**
 * Makes an earlier generation of a chroot current.
 *
 * @param wanted The generation; undefined for the one that was current before.
 * @returns Its number.
 */
export async function rollBack(
  context: ChrootContext,
  name: ChrootName,
  wanted: number | undefined,
): Promise<number> {
  return await changeChroot(context, name, "roll back", async () => {
    const { host, config: { store } } = context;
    await restoreLink(host, store, name);
    const number = await chooseGeneration(context, name, wanted);
    await switchTo(host, store, name, number);
    return number;
  });
}

async function chooseGeneration(
  { host, config: { store } }: ChrootContext,
  name: ChrootName,
  wanted: number | undefined,
): Promise<number> {
  const current = await currentNumber(host, store, name);
  if (current === null) {
    throw refused(
      "it has no generations",
      `Create one: nspawn-runner chroot-maintenance ${name}`,
    );
  }
  const numbers = await generationNumbers(host, store, name);
  const hint = `Generations: ${numbers.join(", ")}; ${current} is current`;
  const number = wanted ?? (await readRecord(host, store, name, current))?.previous ?? null;
  if (number === null || !numbers.includes(number)) {
    const missing = wanted === undefined ? "earlier generation" : `generation ${wanted}`;
    throw refused(`there is no ${missing}`, hint);
  }
  if (number === current) throw refused(`${number} is current already`, hint);
  return number;
}
