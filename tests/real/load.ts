/** Loads tests into one process, so that they share a host or a virtual machine: it starts slower than most tests run. */

import type { HostKind } from "../hosts/host.ts";
import { runOnlyOn } from "../hosts/shared.ts";

/**
 * Registers the tests on shared hosts of one kind.
 *
 * @param folders Those of the test files, below tests.
 */
export async function loadTests(kind: HostKind, folders: readonly string[]): Promise<void> {
  runOnlyOn(kind);
  await loadFolders(folders);
}

/** Registers the tests in these folders below tests. */
export async function loadFolders(folders: readonly string[]): Promise<void> {
  for (const folder of folders) {
    const url = new URL(`../${folder}/`, import.meta.url);
    const entries = await Array.fromAsync(Deno.readDir(url));
    const files = entries.map(({ name }) => name).filter((name) => name.endsWith("_test.ts"));
    for (const file of files.sort()) await import(new URL(file, url).href);
  }
}
