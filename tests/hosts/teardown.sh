#!/bin/sh
# Removes a host of the tests: its processes, mounts, cgroups and folder. Fine when there is nothing.
#
#   teardown.sh FOLDER              now
#   teardown.sh FOLDER PID START    once that process is gone, however it ended: a test may be killed
#
# FOLDER/processes has a line "PID START" for each process that everything else hangs on,
# FOLDER/cgroup the name of the cgroup, FOLDER/machine the name that nspawn knows.
set -u
folder=$1

start_of() {
  sed 's/.*) //' "/proc/$1/stat" 2>/dev/null | cut -d' ' -f20
}

# The first is the machine itself. The outer ones follow it and tidy up, if they get the time; what forwards its
# network has to be told.
kill_processes() {
  [ -f "$folder/processes" ] || return 0
  told="-9" looks_first=0
  while read -r pid start; do
    wait_for "$pid" "$start" "$looks_first" || kill $told "$pid" 2>/dev/null
    wait_for "$pid" "$start" 1200 || kill -9 "$pid" 2>/dev/null
    wait_for "$pid" "$start" 100
    told="-TERM" looks_first=20
  done <"$folder/processes"
}

# Whether a process is gone within so many looks.
wait_for() {
  looks=0
  while [ "$(start_of "$1")" = "$2" ]; do
    [ "$looks" -lt "$3" ] || return 1
    sleep 0.05
    looks=$((looks + 1))
  done
}

mounts_here() {
  cut -d' ' -f5 /proc/self/mountinfo | grep -E "^$folder(/|\$)"
}

unmount_all() {
  mounts_here | sort -r | while read -r point; do
    umount "$point" 2>/dev/null || umount -l "$point"
  done
}

remove_cgroups() {
  [ -s "$folder/cgroup" ] || return 0
  find /sys/fs/cgroup -type d -name "$(cat "$folder/cgroup")" 2>/dev/null | while read -r top; do
    for _ in $(seq 200); do
      # What still runs in there is ours, whoever its parent is.
      find "$top" -name cgroup.procs -exec cat {} + 2>/dev/null | while read -r pid; do
        kill -9 "$pid" 2>/dev/null
      done
      find "$top" -depth -type d -exec rmdir {} + 2>/dev/null && break
      sleep 0.1
    done
  done
}

if [ $# -eq 3 ]; then
  while [ "$(start_of "$2")" = "$3" ] && [ -d "$folder" ]; do sleep 0.5; done
fi
[ -d "$folder" ] || exit 0
kill_processes
remove_cgroups
unmount_all
# What could not be unmounted may be anybody's files.
[ -z "$(mounts_here)" ] && rm -rf "$folder"
