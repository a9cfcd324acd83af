# shellcheck shell=sh
# The command line of the script form, and the code cache of its Deno. To be sourced; the caller defines $BIN and
# $LIB, the folders of the program and of its Deno, $LOG, and $BUILD, a folder for temporary files.

# Prints the variables of the command below, with the folder $1 of a Deno.
variables() {
  printf 'DENO_DIR=%s DENO_NO_UPDATE_CHECK=1' "$1/cache"
}

# Prints the command that runs the script: the permissions of GRANTS, and no imports. V8 compiles each file as a whole, for
# the code cache; it has no threads, which a call of a job would only wait for, and collects garbage after 4 MB.
interpreter() {
  printf '%s run --v8-flags=--single-threaded,--no-lazy,--no-sparkplug,--min-semi-space-size=4 --ext=js --no-config --cached-only' "$1/deno"
  printf ' --no-prompt --allow-read --allow-write --allow-env --allow-sys --allow-run\n'
}

# Prints how the script begins. To sh, `":"` is the command that does nothing, and the rest of the second line
# starts Deno. To JavaScript the line is a text and a comment.
first_lines() {
  echo "#!/bin/sh"
  # shellcheck disable=SC2016 # for that shell
  printf '":" //; export %s; exec %s "$0" "$@"\n' "$(variables "$1")" "$(interpreter "$1")"
}

# Prints the names of the programs in the folder $1; the other files are parts of them.
programs_in() {
  for file in "$1"/*.js; do
    case ${file##*/} in
      chunk-* | *-rare-*) ;;
      *) basename "$file" .js ;;
    esac
  done
}

# Fills Deno's code cache, which makes each start faster. Later calls could not do so on a prefix that
# is read-only by then.
fill_code_cache() {
  # Deno stores compiled code while a program waits, and this one would end before. What it loads first are
  # the parts of Deno that most calls need, 10 ms without the cache, and the part of a program that few calls need.
  cat >"$BUILD/preload.js" <<'END'
const folder = Deno.execPath().replace(/deno$/, "program");
for (const { name } of Deno.readDirSync(folder)) {
  if (name.startsWith(`${Deno.args[0]}-rare-`)) await import(`file://${folder}/${name}`);
}
await new Deno.Command("true").output();
await crypto.subtle.digest("SHA-256", new Uint8Array());
const { exit } = Deno;
Deno.exit = (code) => void setTimeout(exit, 300, code);
END
  for stage in $(programs_in "$LIB/program"); do
    [ "$stage" != all ] || stage=""
    # shellcheck disable=SC2046,SC2086 # lists of words
    env $(variables "$LIB") $(interpreter "$LIB") --preload="$BUILD/preload.js" \
      "$BIN/nspawn-runner" $stage --version >>"$LOG" 2>&1 </dev/null || :
  done
  ls "$LIB"/cache/v8_code_cache* >/dev/null 2>&1 ||
    say "No compiled code could be kept in $LIB/cache: each call takes 80 ms longer"
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
