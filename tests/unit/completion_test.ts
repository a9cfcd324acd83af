/** Writes shell completion, and types into real shells with it. */

import assert from "node:assert/strict";
import { TYPE } from "../hosts/terminal.ts";
import { bashCompletion } from "./generate/bash.ts";
import { fishCompletion } from "./generate/fish.ts";
import { runTool } from "./generate/tool.ts";
import { zshCompletion } from "./generate/zsh.ts";
import { assertUpToDate } from "./generated.ts";
import { inFolder } from "./recording_host.ts";
import { CHECKOUT } from "./source.ts";

const SHARE = `${CHECKOUT}share`;
const BASH = "share/bash-completion/completions/nspawn-runner";

const FILES = {
  [BASH]: bashCompletion,
  "share/zsh/site-functions/_nspawn-runner": zshCompletion,
  "share/fish/vendor_completions.d/nspawn-runner.fish": fishCompletion,
};

for (const [path, content] of Object.entries(FILES)) {
  Deno.test(`${path} has the table of commands`, async () => {
    await assertUpToDate(path, content());
  });
}

Deno.test("shellcheck finds nothing wrong in the completion of bash", async () => {
  const name = "shellcheck finds nothing wrong in the completion of bash";
  const done = await runTool(name, ["shellcheck", BASH], { cwd: CHECKOUT });
  if (done !== null) assert.equal(done.stdout, "");
});

/** Stands in for the program: lists what there is, and writes all other command lines to the file calls. */
const STAND_IN = `#!/bin/sh
case $1 in
  chroot-list) printf 'bookworm /b\\ntrixie /t\\n' ;;
  list) printf '42 bookworm\\n57 trixie\\n9/$(touch\${IFS}executed) redis\\n' ;;
  history) printf '2030-01-01T00:00Z 61 group/project trixie success\\n' ;;
  image-list) printf 'sha256:1 docker.io/library/alpine:3.22 quay.io/a/b:1\\nsha256:2 redis:7\\n' ;;
  *)
    echo "$*" >>calls
    echo "ready $(wc -l <calls)"
    ;;
esac
`;

/** What a person types after the name of the program, and what the program is to get. */
const TYPED: readonly (readonly [string, string])[] = [
  ["chroot-cr\tbookw\t", "chroot-create bookworm"],
  ["chroot-maintenance --ch\tbookw\ttri\t", "chroot-maintenance --check bookworm trixie"],
  ["chroot-export book\tfile-to\t", "chroot-export bookworm file-to-write.tar"],
  ["shell 4\t", "shell 42"],
  ["shell --do\t5\t", "shell --done 57"],
  ["cleanup --i\t5\t", "cleanup --id 57"],
  ["explain 6\t", "explain 61"],
  ["explain 5\t", "explain 57"],
  ["shell 9\t", "shell 9/$(touch${IFS}executed)"],
  [
    "prepare --default-image=tri\t --id 4\tbookw\t",
    "prepare --default-image trixie --id 42 bookworm",
  ],
  ["image-remove docker.io/library/al\t", "image-remove docker.io/library/alpine:3.22"],
  ["image-remove docker.io/library/alpine:3\t", "image-remove docker.io/library/alpine:3.22"],
  ["simulate --image red\t", "simulate --image redis:7"],
  ["simulate --image tri\t", "simulate --image trixie"],
  ["toml --token-file tok\t", "toml --token-file token"],
  ["--config file-to\tgc --dry\t", "--config file-to-write.tar gc --dry-run"],
  ["config --chroot=bookw\t", "config --chroot bookworm"],
];

/** Starts a shell with completion from share/; the program is first on PATH. */
interface Shell {
  readonly name: string;
  readonly command: string;
  /** The shell's own configuration, in the folder of the test. */
  readonly file: string;
  readonly text: string;
}

const SHELLS: readonly Shell[] = [
  {
    name: "bash",
    command: "bash --rcfile bashrc -i",
    file: "bashrc",
    text: ". /usr/share/bash-completion/bash_completion\necho ready 0\n",
  },
  {
    name: "zsh",
    command: "zsh -i",
    file: ".zshrc",
    text:
      `fpath=(${SHARE}/zsh/site-functions $fpath)\nautoload -U compinit\ncompinit -u -D\necho ready 0\n`,
  },
  {
    name: "fish",
    command: "fish -i",
    file: ".config/fish/config.fish",
    text: "set -g fish_greeting\necho ready 0\n",
  },
];

for (const shell of SHELLS) {
  const name = `${shell.name} completes commands, options and names`;
  Deno.test(name, async () => {
    if (await runTool(name, [shell.name, "--version"]) === null) return;
    await inFolder(async (folder) => {
      for (const file of ["file-to-write.tar", "token"]) {
        await Deno.writeTextFile(`${folder}/${file}`, "");
      }
      await Deno.mkdir(`${folder}/bin`);
      await Deno.writeTextFile(`${folder}/bin/nspawn-runner`, STAND_IN, { mode: 0o755 });
      // Where the second one is missing, fish makes completions of all man pages in the background.
      for (const path of [".config/fish", ".local/share/fish/generated_completions"]) {
        await Deno.mkdir(`${folder}/${path}`, { recursive: true });
      }
      await Deno.writeTextFile(`${folder}/${shell.file}`, shell.text);
      const env = {
        PATH: `${folder}/bin:${Deno.env.get("PATH")}`,
        HOME: folder,
        TERM: "xterm",
        LC_ALL: "C.UTF-8",
        XDG_DATA_DIRS: `${SHARE}:/usr/share`,
      };
      const typed = TYPED.flatMap(([text], at) => [`ready ${at}`, `nspawn-runner ${text}`]);
      const words = [shell.command, "log", ...typed, `ready ${TYPED.length}`, "exit"];
      const argv = ["timeout", "60", "sh", "-c", TYPE, "sh", ...words];
      const done = await runTool(name, argv, { cwd: folder, env });
      const calls = (await Deno.readTextFile(`${folder}/calls`)).trim().split("\n")
        .map((line) => line.replaceAll(/(--[a-z-]+)=/g, "$1 "));
      assert.deepEqual(calls, TYPED.map(([, line]) => line), done?.stdout);
      await assert.rejects(Deno.lstat(`${folder}/executed`), Deno.errors.NotFound);
    });
  });
}
