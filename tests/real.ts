/** All tests on real nspawn, in one process so that they share hosts: a host starts slower than most tests run. */

const FOLDERS = ["conformance", "escape", "integration"];

for (const folder of FOLDERS) {
  const url = new URL(`./${folder}/`, import.meta.url);
  const entries = await Array.fromAsync(Deno.readDir(url));
  const files = entries.map(({ name }) => name).filter((name) => name.endsWith("_test.ts"));
  for (const file of files.sort()) await import(new URL(file, url).href);
}
