/** Writes the program of gitlab-ci-local, as it was published, to the file that the command line names. */

import text from "gitlab-ci-local" with { type: "text" };

await Deno.writeTextFile(Deno.args[0]!, text);
