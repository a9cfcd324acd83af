/** Removes generations of a chroot that `keep_generations` does not keep. */

import { join } from "@std/path/posix";
import type { ChrootName } from "../../config/chroot_name.ts";
import { messageOf } from "../../failure.ts";
import type { Host } from "../../host/host.ts";
import { removeTrees } from "../../linux/tree.ts";
import type { ChrootContext } from "./context.ts";
import type { ChrootMachine } from "./chroot_machines.ts";
import { removalPath } from "./paths.ts";
import {
  currentNumber,
  generationNumbers,
  generationPath,
  readRecord,
  recordPath,
} from "./record.ts";

/**
 * Removes old generations, except those that a machine uses. The caller holds the chroot's lock.
 */
export async function prune(
  { host, config, machines }: ChrootContext,
  name: ChrootName,
): Promise<void> {
  const { store } = config;
  const removal = removalPath(store, name, host.clock.now());
  await machines.whileNoneStarts(async () => {
    const kept = await keptNumbers(host, store, name, config.keep_generations);
    const all = await machines.list();
    for (const number of await generationNumbers(host, store, name)) {
      if (kept.has(number)) continue;
      const path = generationPath(store, name, number);
      const user = await machineUsing(host, store, name, number, all);
      if (user !== undefined) {
        host.log.step(`Generation ${number} of ${name} is kept: machine ${user.machine} uses it`);
        continue;
      }
      await host.files.makeDirectory(removal);
      await host.files.rename(path, join(removal, `${number}`));
      await host.files.remove(recordPath(store, name, number));
    }
  });
  // The new generation is current in any case, and recoverStore() tries again.
  await removeTrees(host, removal).catch((error) => host.log.warn(messageOf(error)));
}

/** Follows the records from the current generation to the one before it, and so on. */
async function keptNumbers(
  host: Host,
  store: string,
  name: ChrootName,
  count: number,
): Promise<Set<number>> {
  const kept = new Set<number>();
  const numbers = await generationNumbers(host, store, name);
  let number = await currentNumber(host, store, name);
  while (number !== null && kept.size < count && !kept.has(number)) {
    kept.add(number);
    const record = await readRecord(host, store, name, number);
    number = record === null ? nextSmaller(numbers, number) : record.previous;
  }
  return kept;
}

/** The best guess where a record is damaged. */
function nextSmaller(numbers: readonly number[], number: number): number | null {
  return numbers.filter((one) => one < number).at(-1) ?? null;
}

/**
 * Finds a machine that uses a generation: by its path, or by the path of a directory that became
 * generation 0.
 */
async function machineUsing(
  host: Host,
  store: string,
  name: ChrootName,
  number: number,
  all: readonly ChrootMachine[],
): Promise<ChrootMachine | undefined> {
  const paths = [await host.files.real(generationPath(store, name, number))];
  if (number === 0) paths.push(join(await host.files.real(store) ?? store, name));
  return all.find(({ chroot }) => paths.includes(chroot.path));
}
