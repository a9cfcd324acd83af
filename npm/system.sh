# shellcheck shell=sh
# Installs packages of the distribution and checks what this host allows. To be sourced; the caller
# defines say() and die(). With DEPS=no nothing is installed.

have() {
  command -v "$1" >/dev/null 2>&1
}

# Prints why no machine can run here, in a few words; nothing where one can.
no_machines_because() {
  if [ "$(id -u)" -ne 0 ]; then
    echo "it needs root"
  elif ! unshare --mount mount -t tmpfs nspawn-runner-probe /tmp 2>/dev/null; then
    echo "root may not mount here, as in a container without CAP_SYS_ADMIN"
  fi
}

# Installs packages by the names of this distribution.
install_packages() {
  [ "$DEPS" = yes ] && [ "$(id -u)" -eq 0 ] || return 1
  case $(package_manager) in
    apt)
      apt_install "$@" || { apt_update && apt_install "$@"; }
      ;;
    dnf) dnf -y -q --setopt=install_weak_deps=False install "$@" ;;
    pacman) pacman -S --noconfirm --needed "$@" ;;
    *) return 1 ;;
  esac
}

package_manager() {
  if have apt-get; then
    echo apt
  elif have dnf; then
    echo dnf
  elif have pacman; then
    echo pacman
  fi
}

apt_install() {
  DEBIAN_FRONTEND=noninteractive apt-get -y -q -o DPkg::Lock::Timeout=120 \
    install --no-install-recommends "$@"
}

apt_update() {
  apt-get -q -o DPkg::Lock::Timeout=120 update
}

# Whether the distribution has a package of this name.
package_exists() {
  case $(package_manager) in
    apt) apt-cache policy "$1" | grep -q 'Candidate: [0-9]' ;;
    dnf) dnf -q info "$1" >/dev/null 2>&1 ;;
    pacman) pacman -Si "$1" >/dev/null 2>&1 ;;
  esac
}

# Loads the lists of packages where there are none, as on a new host.
load_package_lists() {
  case $(package_manager) in
    apt) [ -n "$(find /var/lib/apt/lists -name '*_Packages*' 2>/dev/null)" ] || apt_update ;;
    pacman) [ -n "$(ls /var/lib/pacman/sync 2>/dev/null)" ] || pacman -Sy ;;
  esac
}

# Prints the first of these names that the distribution has a package of, else the first name.
first_available() {
  for name in "$@"; do
    if package_exists "$name"; then
      echo "$name"
      return 0
    fi
  done
  echo "$1"
}

# Prints the package of this distribution that contains the program or file $1.
package_of() {
  case $(package_manager):$1 in
    pacman:systemd-nspawn) echo systemd ;;
    *:systemd-nspawn) echo systemd-container ;;
    *:btrfs) echo btrfs-progs ;;
    *:chattr) echo e2fsprogs ;;
    *:nft) echo nftables ;;
    dnf:ip) echo iproute ;;
    *:ip) echo iproute2 ;;
    dnf:mount | pacman:mount) echo util-linux ;;
    dnf:gpg) echo gnupg2 ;;
    pacman:gpg) echo gnupg ;;
    dnf:*/debian-archive-keyring.gpg) echo debian-keyring ;;
    *:*/debian-archive-keyring.gpg) echo debian-archive-keyring ;;
    dnf:*/ubuntu-archive-keyring.gpg) echo ubu-keyring ;;
    # Debian renamed it.
    apt:*/ubuntu-archive-keyring.gpg) first_available ubuntu-keyring ubuntu-archive-keyring ;;
    *:*/ubuntu-archive-keyring.gpg) echo ubuntu-keyring ;;
    *:/usr/share/distro-info/*) echo distro-info-data ;;
    pacman:python3) echo python ;;
    pacman:python3-pip | pacman:pip3) echo python-pip ;;
    *:pip3) echo python3-pip ;;
    *:ansible-playbook) echo ansible-core ;;
    *:man) echo man-db ;;
    *:*/bash_completion) echo bash-completion ;;
    *:jsonschema) echo python3-jsonschema ;;
    dnf:rpmbuild) echo rpm-build ;;
    *:rpmbuild) echo rpm ;;
    *) echo "$1" ;;
  esac
}

# Installs the packages of the programs and files $@ that are missing. Those in OPTIONAL are left out
# where the distribution has no package. $1 is the log.
install_missing() {
  log=$1 missing=""
  shift
  for thing in "$@"; do
    have "$thing" || [ -e "$thing" ] || missing="$missing $thing"
  done
  if [ -z "$missing" ]; then
    say "System packages: nothing is missing"
    return 0
  fi
  [ -n "$(package_manager)" ] || die "Cannot install$missing: no apt, dnf or pacman here." \
    "Install them by hand, then run this again with --no-deps"
  load_package_lists >>"$log" 2>&1 || :
  names=""
  for thing in $missing; do
    name=$(package_of "$thing")
    if package_exists "$name" || ! is_optional "$thing"; then
      names="$names $name"
    else
      say "System packages: this distribution has no $name; it is optional and left out"
    fi
  done
  [ -n "$names" ] || return 0
  say "System packages: installing$names"
  # shellcheck disable=SC2086 # a list of words
  install_packages $names >>"$log" 2>&1 ||
    die "Cannot install$names: $(last_error "$log"). Install them by hand, then run this again with --no-deps"
}

is_optional() {
  case " ${OPTIONAL:-} " in
    *" $1 "*) return 0 ;;
    *) return 1 ;;
  esac
}

# Prints the last line of the log $1 about an error, shortened for a message of one line.
last_error() {
  line=$(grep '^E: \|[Ee]rror' "$1" | grep -v 'bundling failed' | tail -n 1)
  [ -n "$line" ] || line=$(grep -v '^ *$' "$1" | tail -n 1)
  printf '%s' "$line" | sed 's/^ *//; s/\.$//' | cut -c 1-300
}

# Sets NEEDS to the programs that nspawn-runner uses on each host, NETWORK_NEEDS to those without which machines use
# the host's network, and OPTIONAL to programs and files that it can do without.
name_needs() {
  NEEDS="systemd-nspawn mount git chattr bash"
  NETWORK_NEEDS="nft ip"
  keyrings=/usr/share/keyrings
  OPTIONAL="gpg $keyrings/debian-archive-keyring.gpg $keyrings/ubuntu-archive-keyring.gpg"
  # mmdebstrap finds the mirror of a suite by these files.
  OPTIONAL="$OPTIONAL /usr/share/distro-info/ubuntu.csv"
}

# Sets NEEDS to the programs and files that nspawn-runner uses on this host, and OPTIONAL to those that
# it can do without.
set_needs() {
  name_needs
  OPTIONAL="$OPTIONAL $NETWORK_NEEDS"
  NEEDS="$NEEDS $OPTIONAL"
  if ! have mmdebstrap && ! have debootstrap; then
    load_package_lists >/dev/null 2>&1 || :
    NEEDS="$NEEDS $(first_available mmdebstrap debootstrap)"
  fi
  [ "$(file_system_of "$(store)")" != btrfs ] || NEEDS="$NEEDS btrfs"
}

# Prints the type of the file system that the path $1 is on, or will be.
file_system_of() {
  place=$1
  while [ ! -e "$place" ]; do place=$(dirname "$place"); done
  stat -f -c %T "$place"
}
