/** Programs of Debian's packages, which are unpacked but not installed: some packages start daemons, or are large. */

import { type Options, type Result, run } from "./command.ts";
import { CACHE } from "./roots.ts";

/** A program of a package, with those dependencies that this machine lacks. */
export interface Program {
  run(words: readonly string[], options?: Options): Promise<Result>;
}

/** Arguments: the package, and the folder into which it is unpacked. */
const UNPACK = `set -e
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
names=$(apt-get -s --no-install-recommends install "$1" | sed -n 's/^Inst \\([^ ]*\\).*/\\1/p')
apt-get -q -o APT::Sandbox::User=root download \${names:-"$1"}
rm -rf "$2.new"
for file in *.deb; do dpkg-deb -x "$file" "$2.new"; done
rm -rf "$2"
mv "$2.new" "$2"
`;

/**
 * Returns a program of a package; null where this machine cannot download it.
 *
 * @param path Its path below /.
 */
export async function debianProgram(name: string, path: string): Promise<Program | null> {
  const folder = `${CACHE}/unpacked-${name}`;
  const program: Program = {
    async run(words, options) {
      const libraries = await run(["sh", "-c", 'echo "$1"/usr/lib/*-linux-gnu', "sh", folder]);
      const set = `LD_LIBRARY_PATH=${libraries.stdout.trim()}`;
      return await run(["env", set, `${folder}/${path}`, ...words], options);
    },
  };
  const runs = async () => (await program.run(["--version"])).code === 0;
  if (await runs()) return program;
  await run(["sh", "-c", UNPACK, "sh", name, folder]);
  return await runs() ? program : null;
}
