import { INSIDE } from "../record/paths.ts";

/**
 * Shell program that runs in the machine: it runs the stage's script and reports how the script ended.
 *
 * Arguments: the nonce, the shells that may run the script (the first one found does), `--`, the shell's
 * arguments. It catches HUP, INT and TERM, which also reach the script, and goes on to report the exit code. Ignored
 * signals would be ignored by the script, too.
 */
export const REPORTER_SCRIPT = `#!/bin/sh
nonce=$1
shift
report=${INSIDE}/result
echo "$nonce started" >>"$report"
trap : HUP INT TERM
exec </dev/null
PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
export PATH
wanted=$1
shell=
while [ "$1" != -- ]; do
  [ -n "$shell" ] || ! command -v "$1" >/dev/null || shell=$1
  shift
done
shift
if [ -z "$shell" ]; then
  echo "nspawn-runner: this image has no $wanted" >&2
  code=127
else
  cd /
  name=root home=/root
  set -- "$shell" "$@"
  if [ -e ${INSIDE}/user ]; then
    {
      read -r uid gid name home
      while read -r folder; do
        mkdir -p "$folder" && chown "$uid:$gid" "$folder"
      done
    } <${INSIDE}/user
    if setpriv --version >/dev/null 2>&1; then
      groups=--clear-groups
      grep -q "^$name:" /etc/passwd && groups=--init-groups
      set -- setpriv "--reuid=$uid" "--regid=$gid" "$groups" --inh-caps=-all -- "$@"
    else
      shift
      set -- su -p -s "$(command -v "$shell")" "$name" "$@"
    fi
  fi
  if [ -e ${INSIDE}/environment ]; then
    while IFS= read -r line; do set -- "$line" "$@"; done <${INSIDE}/environment
  fi
  env -i HOME="$home" USER="$name" LOGNAME="$name" PATH="$PATH" LANG=C.UTF-8 "$@" </dev/null
  code=$?
fi
echo "$nonce $code" >>"$report"
exit "$code"
`;
