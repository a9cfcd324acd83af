# shellcheck shell=sh
# Lists everything on this machine that belongs to the tests or to nspawn-runner. To be sourced.

# Prints one line for each thing. $1 is a word in the environment of this run's processes.
list_ours() {
  {
    list_processes "$1"
    list_mounts
    list_cgroups
    list_units
    list_folders
  } 2>/dev/null | sort -u
}

# Processes of nspawn and of the program, and others that a test started.
list_processes() {
  for process in $(candidates "$1"); do
    name=$(cat "$process/comm") || continue
    words=$(tr '\0' ' ' <"$process/cmdline") || continue
    case $name:$words in
      systemd-nspawn:* | *:*/nspawn-runner\ *) ;;
      *) grep -qs "$1" "$process/environ" || continue ;;
    esac
    case $(cat "$process/stat") in
      *") Z "*) continue ;;
    esac
    echo "process ${process#/proc/}: $words"
  done
}

# Few of all processes, since the loop above takes several programs for each: seconds in an emulated machine.
candidates() {
  {
    grep -ls "$1" /proc/[0-9]*/environ
    grep -ls /nspawn-runner /proc/[0-9]*/cmdline
    grep -lsx systemd-nspawn /proc/[0-9]*/comm
  } | sed 's|/[^/]*$||'
}

list_mounts() {
  awk '$5 ~ /nspawn|^\/tmp\/|^\/var\/tmp\/|^\/var\/lib\/machines/ { print "mount " $5 }' /proc/self/mountinfo
  losetup -l -n -O NAME,BACK-FILE | awk '/nspawn|\/tmp\/|\.disks\// { print "loop device " $0 }'
}

list_cgroups() {
  find /sys/fs/cgroup -type d -name 'nspawn-runner*' -printf 'cgroup %p\n'
}

list_units() {
  [ -d /run/systemd/system ] || return 0
  systemctl list-units --all --plain --no-legend 'nspawn-runner*' | awk '{ print "unit " $1 }'
  machinectl list --no-legend | awk '{ print "machine " $1 }'
}

# Files whose names begin with a dot are the program's own cache for this boot.
list_folders() {
  for folder in /run/nspawn-runner /run/systemd/nspawn/unix-export /run/systemd/machines \
    /var/lib/nspawn-runner/.machines /var/lib/nspawn-runner/.leases \
    /var/lib/nspawn-runner/.disks; do
    [ ! -d "$folder" ] || find "$folder" -mindepth 1 -maxdepth 1 ! -name '.*' -printf 'file %p\n'
  done
}
