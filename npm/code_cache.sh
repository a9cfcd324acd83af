# shellcheck shell=sh
# The command line of the script form, and the code cache of its Deno. To be sourced; the caller defines $BIN and
# $LIB, the folders of the program and of its Deno, $LOG, and $BUILD, a folder for temporary files.

# Prints the command that runs the script, with a Deno in the folder $1: the permissions of GRANTS, and no imports.
# The kernel reads 255 bytes of a first line, hence the short option names.
interpreter() {
  printf 'DENO_DIR=%s DENO_NO_UPDATE_CHECK=1 %s' "$1/cache" "$1/deno"
  printf ' run --ext=js --no-config --cached-only --no-prompt -R -W -E -S --allow-run\n'
}

# Fills Deno's code cache, which makes each start faster. Later calls could not do so on a prefix that
# is read-only by then.
fill_code_cache() {
  # Deno stores compiled code while a program waits, and this one would end before. What it loads first are
  # the parts of Deno that most calls need, 10 ms without the cache.
  cat >"$BUILD/preload.js" <<'END'
await new Deno.Command("true").output();
await crypto.subtle.digest("SHA-256", new Uint8Array());
const { exit } = Deno;
Deno.exit = (code) => void setTimeout(exit, 300, code);
END
  # The first option is handled by the file of jobs, the second one by the whole program.
  for option in --version --help; do
    # shellcheck disable=SC2046 # a list of words
    env $(interpreter "$LIB") --preload="$BUILD/preload.js" "$BIN/nspawn-runner" $option \
      >>"$LOG" 2>&1 </dev/null || :
  done
  empty_journals
}

# Moves what SQLite's journals hold into the databases of the cache: each start would read all of it, for
# 1 ms. The journals themselves stay, since SQLite cannot open the databases without them on a prefix that
# is read-only by then.
empty_journals() {
  cat >"$BUILD/journals.js" <<'END'
import { DatabaseSync } from "node:sqlite";
for (const path of Deno.args) {
  const database = new DatabaseSync(path);
  database.exec("PRAGMA wal_checkpoint(TRUNCATE)");
  database.close();
}
END
  DENO_DIR=$BUILD/deno_dir "$LIB/deno" run --quiet --no-config --allow-read --allow-write \
    "$BUILD/journals.js" "$LIB"/cache/*_v? >>"$LOG" 2>&1 </dev/null || :
  "$BIN/nspawn-runner" --version >>"$LOG" 2>&1 </dev/null || :
}
