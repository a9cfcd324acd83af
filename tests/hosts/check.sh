#!/bin/sh
# Checks whether hosts of the tests can run on this machine, by doing once what each host needs. Prints the
# reason and a remedy in one line where they cannot, nothing where they can.
set -u
unset CDPATH
cd -- "$(dirname -- "$0")/../.." || exit 1
. npm/system.sh

main() {
  reason=$(no_machines_because)
  if [ -n "$reason" ]; then
    echo "$reason. Run the tests as root, in a virtual machine or a privileged container"
    return
  fi
  for program in systemd-nspawn nsenter slirp4netns; do
    have "$program" || { echo "$program is missing. Install $(package_of "$program")" && return; }
  done
  if check_namespaces && check_cgroup; then check_network; fi
}

check_namespaces() {
  unshare --mount --net --pid --fork --mount-proc true 2>/dev/null && return
  echo "root may not create namespaces here. Run the tests in a virtual machine or a privileged container"
  return 1
}

# A host has a cgroup of its own below the one of the tests.
check_cgroup() {
  own=$(sed -n 's/^0:://p' /proc/self/cgroup)
  root=$(sed -n 's/^\([^ ]* \)\{4\}\([^ ]*\) .* - cgroup2 .*/\2/p' /proc/self/mountinfo | head -n 1)
  if [ -z "$own" ] || [ -z "$root" ]; then
    echo "no cgroup2 hierarchy is mounted. Mount one: mount -t cgroup2 cgroup2 /sys/fs/cgroup"
    return 1
  fi
  case $own in
    /..*)
      echo "this process is in the cgroup $own, outside of this container, as after nsenter(1)." \
        "Start the tests from a process of the container itself, such as a shell that its PID 1 started"
      return 1
      ;;
  esac
  folder=${root%/}${own%/}/nspawn-runner-tests-check-$$
  if ! mkdir "$folder" 2>/dev/null; then
    echo "no cgroup can be created in $root$own. Make it writable, or run the tests in a service" \
      "with Delegate=yes"
    return 1
  fi
  # shellcheck disable=SC2016 # expanded by the inner shell
  sh -c 'echo 0 >"$1/cgroup.procs"' sh "$folder" 2>/dev/null
  entered=$?
  rmdir "$folder"
  [ "$entered" -ne 0 ] || return 0
  echo "no process can enter a new cgroup in $root$own. Run the tests in a cgroup that no controller" \
    "is enabled for, such as a service with Delegate=yes"
  return 1
}

# A host's network goes through slirp4netns(1).
check_network() {
  log=$(mktemp)
  unshare --net sleep 60 &
  sleeper=$!
  while kill -0 "$sleeper" && [ "$(cat "/proc/$sleeper/comm")" != sleep ]; do sleep 0.01; done
  slirp4netns --configure --mtu=65520 "$sleeper" tap0 >"$log" 2>&1 &
  slirp=$!
  tries=100 reason=""
  until grep -q '^tap0' "/proc/$sleeper/net/route"; do
    tries=$((tries - 1))
    if [ "$tries" -eq 0 ] || ! kill -0 "$slirp" 2>/dev/null; then
      problem=$(tail -n 1 "$log")
      reason="slirp4netns(1) cannot connect a network namespace: ${problem:-no reason given}"
      break
    fi
    sleep 0.1
  done
  kill "$slirp" "$sleeper" 2>/dev/null
  wait
  rm "$log"
  if [ -n "$reason" ]; then echo "$reason. Check that /dev/net/tun can be opened"; fi
}

main
