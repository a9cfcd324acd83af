# shellcheck shell=sh
# Finds the program's configuration, and writes that of a new host. To be sourced; the caller defines say().

# Prints the path of the program's configuration.
configuration() {
  echo "${NSPAWN_RUNNER_CONFIG:-/etc/nspawn-runner/config.toml}"
}

# Prints the store that is configured, or the default one.
store() {
  configured=$(sed -n 's/^store *= *"\([^"]*\)".*/\1/p' "$(configuration)" 2>/dev/null) || :
  echo "${configured:-/var/lib/nspawn-runner}"
}

# Succeeds on a host without a configuration, without chroots, and without a runner that calls the program or the
# Python original. A disk that was made for the store is empty.
is_new_host() {
  [ ! -e "$(configuration)" ] &&
    [ -z "$(find "$(store)" -mindepth 1 -maxdepth 1 ! -name lost+found 2>/dev/null | head -n 1)" ] &&
    ! grep -qs nspawn-runner /etc/gitlab-runner/config.toml
}

# Writes the configuration of a new host where the program $1 finds that machines can have networks of their own. A
# host that has jobs already keeps the program's defaults. The program is installed after it: an installation that is
# killed in between must not leave a host that seems to have jobs.
write_configuration() {
  file=$(configuration)
  if ! "$1" --config /dev/null doctor 2>/dev/null </dev/null | grep -q '^network  *ok '; then
    say "Wrote no $file: machines cannot have networks of their own here. See: nspawn-runner doctor"
    return 0
  fi
  mkdir -p "$(dirname "$file")"
  # shellcheck disable=SC2034 # for the caller, which removes it after a failure
  WRITTEN=$file
  cat >"$file.new" <<'END'
# The configuration of nspawn-runner. The installer wrote this file once, and never changes it.
# All keys: docs/reference/configuration.md

# Each machine has a network of its own. Where the host cannot give it one, the job fails on the host
# instead of getting the host's network, as it does with "auto".
network = "private"
END
  mv -fT "$file.new" "$file"
  say "Wrote $file: each machine has a private network"
}
