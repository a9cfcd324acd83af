#!/bin/sh
# Stands in for "gitlab-runner register": takes from options, environment and template what commands/register.go of
# GitLab Runner does, knows the token glrt-right alone, and appends the runner to $CONFIG_FILE.
set -eu

panic() {
  echo "PANIC: $1" >&2
  exit 1
}

[ "$1" = register ] || panic "unknown command $1"
shift
url=${CI_SERVER_URL:-} executor=${RUNNER_EXECUTOR:-} token=${CI_SERVER_TOKEN:-} template="" interactive=yes
while [ $# -gt 0 ]; do
  case $1 in
    --non-interactive) interactive=no ;;
    --url) url=$2 && shift ;;
    --executor) executor=$2 && shift ;;
    --token) token=$2 && shift ;;
    --template-config) template=$2 && shift ;;
    *) panic "flag provided but not defined: $1" ;;
  esac
  shift
done
settings=$(cat "$template")
[ "$(echo "$settings" | grep -c '^\[\[runners\]\]$')" -eq 1 ] ||
  panic "configuration template must contain exactly one [[runners]] entry"
[ "$interactive" = no ] || panic "Unexpected EOF. Did you mean to use --non-interactive?"
[ -n "$url" ] || panic "The url needs to be entered"
[ "$token" = glrt-right ] || panic "Failed to verify the runner."
[ "$executor" = custom ] || panic "Invalid executor specified"
{
  printf '[[runners]]\n  name = "%s"\n  url = "%s"\n  token = "%s"\n' "$(uname -n)" "$url" "$token"
  printf '  executor = "%s"\n' "$executor"
  echo "$settings" | grep -v -e '^\[\[runners\]\]$' -e '^ *\(name\|url\|token\|executor\) ='
} >>"$CONFIG_FILE"
echo "Runner registered successfully." >&2
