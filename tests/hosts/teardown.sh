#!/bin/sh
# Removes hosts of the tests: their processes, mounts, cgroups and folders. It is no error if there are none.
#
#   teardown.sh FOLDER                    removes one host now
#   teardown.sh --after PID START PARENT  waits for the end of the process PID, then removes its hosts in PARENT
#
# START is the process's start time, as in /proc/PID/stat, since process ids are reused. In a host's FOLDER,
# "owner" has the line "PID START" of the tests, "processes" one for each process that others depend on, the
# innermost first, and "cgroup" the name of the host's cgroup.
set -u

start_of() {
  sed 's/.*) //' "/proc/$1/stat" 2>/dev/null | cut -d' ' -f20
}

# One process waits for all hosts of a run, and wakes up once a second.
wait_for_tests() {
  [ "$(start_of "$1")" != "$2" ] || tail --pid="$1" -f /dev/null
}

remove_hosts_of() {
  for folder in "$2"/nr-host-*; do
    [ "$(cat "$folder/owner" 2>/dev/null)" != "$1" ] || remove_host
  done
}

remove_host() {
  [ -d "$folder" ] || return 0
  kill_processes
  remove_cgroups
  unmount_all
  # A mount that is left may hold files that are not the tests' own.
  [ -n "$(list_mounts)" ] || rm -rf "$folder"
}

# The first process is the host's PID 1. The outer ones end after it and clean up, if they get the time;
# slirp4netns(1) has to be signalled.
kill_processes() {
  [ -f "$folder/processes" ] || return 0
  signal="-9" polls=0
  while read -r pid start; do
    wait_for "$pid" "$start" "$polls" || kill $signal "$pid" 2>/dev/null
    wait_for "$pid" "$start" 1200 || kill -9 "$pid" 2>/dev/null
    wait_for "$pid" "$start" 100
    signal="-TERM" polls=20
  done <"$folder/processes"
}

# Succeeds if the process $1 that started at $2 ends within $3 polls.
wait_for() {
  count=0
  while [ "$(start_of "$1")" = "$2" ]; do
    [ "$count" -lt "$3" ] || return 1
    sleep 0.05
    count=$((count + 1))
  done
}

list_mounts() {
  cut -d' ' -f5 /proc/self/mountinfo | grep -E "^$folder(/|\$)"
}

unmount_all() {
  list_mounts | sort -r | while read -r point; do
    umount "$point" 2>/dev/null || umount -l "$point"
  done
}

# Any process that is still in the host's cgroup belongs to the host, whatever its parent is.
remove_cgroups() {
  [ -s "$folder/cgroup" ] || return 0
  find /sys/fs/cgroup -type d -name "$(cat "$folder/cgroup")" 2>/dev/null | while read -r top; do
    for _ in $(seq 200); do
      find "$top" -name cgroup.procs -exec cat {} + 2>/dev/null | while read -r pid; do
        kill -9 "$pid" 2>/dev/null
      done
      find "$top" -depth -type d -exec rmdir {} + 2>/dev/null && break
      sleep 0.1
    done
  done
}

if [ "$1" = --after ]; then
  wait_for_tests "$2" "$3"
  remove_hosts_of "$2 $3" "$4"
else
  folder=$1
  remove_host
fi
