# shellcheck shell=sh
# What install.sh and the packages know of a host: the program's configuration, and what misses the program when it is
# removed. To be sourced; the caller defines say().

# The folder of the textfile collector of Debian's prometheus-node-exporter.
TEXTFILES=/var/lib/prometheus/node-exporter

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
# The configuration of nspawn-runner. The first installation wrote this file; later ones leave it as it is.
# All keys: man nspawn-runner.toml

# Each machine has a network of its own. Where the host cannot give it one, the job fails on the host
# instead of getting the host's network, as it does with "auto".
network = "private"
END
  mv -fT "$file.new" "$file"
  say "Wrote $file: each machine has a private network"
}

# Prints the machines of jobs that run now, with a blank between them.
running_machines() {
  find /run/nspawn-runner -name '*.lease' -printf '%f\n' 2>/dev/null | sed 's/\.lease$//' | sort | paste -sd ' ' -
}

# Names what will miss the program $1.
warn_before_removal() {
  running=$(running_machines)
  [ -z "$running" ] || say "The jobs of these machines will fail, and the machines run until their deadline: $running"
  ! grep -qs "\"$1\"" /etc/gitlab-runner/config.toml ||
    say "/etc/gitlab-runner/config.toml still calls $1: remove that runner, or jobs fail"
}

# Without it node_exporter would go on to export the last metrics.
remove_metrics() {
  rm -f "$TEXTFILES/nspawn-runner.prom"
}
