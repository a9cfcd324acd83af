# shellcheck shell=sh
# The packages of the distribution, and what this host allows. To be sourced; say() and die() come
# from whoever sources it. DEPS=no keeps the hands off the host's packages.

have() {
  command -v "$1" >/dev/null 2>&1
}

# Why no machine can run here, in a few words; nothing where one can.
no_machines_because() {
  if [ "$(id -u)" -ne 0 ]; then
    echo "it needs root"
  elif ! unshare --mount mount -t tmpfs nspawn-runner-probe /tmp 2>/dev/null; then
    echo "root may not mount here, as in a container without CAP_SYS_ADMIN"
  fi
}

# Installs packages by the names of this distribution.
packages() {
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
package_known() {
  case $(package_manager) in
    apt) apt-cache policy "$1" | grep -q 'Candidate: [0-9]' ;;
    dnf) dnf -q info "$1" >/dev/null 2>&1 ;;
    pacman) pacman -Si "$1" >/dev/null 2>&1 ;;
  esac
}

# Brings the lists of packages where there are none, as on a new host.
package_lists() {
  case $(package_manager) in
    apt) [ -n "$(find /var/lib/apt/lists -name '*_Packages*' 2>/dev/null)" ] || apt_update ;;
    pacman) [ -n "$(ls /var/lib/pacman/sync 2>/dev/null)" ] || pacman -Sy ;;
  esac
}

# The first of these names that the distribution has, else the first of all.
first_known() {
  for name in "$@"; do
    if package_known "$name"; then
      echo "$name"
      return 0
    fi
  done
  echo "$1"
}

# The package of this distribution that brings $1.
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
    # Debian has changed the name.
    apt:*/ubuntu-archive-keyring.gpg) first_known ubuntu-keyring ubuntu-archive-keyring ;;
    *:*/ubuntu-archive-keyring.gpg) echo ubuntu-keyring ;;
    *:/usr/share/distro-info/*) echo distro-info-data ;;
    pacman:python3) echo python ;;
    pacman:python3-pip | pacman:pip3) echo python-pip ;;
    *:pip3) echo python3-pip ;;
    *:ansible-playbook) echo ansible-core ;;
    *) echo "$1" ;;
  esac
}

# Installs what brings the programs and files $@ where they are missing. Those named in OPTIONAL are
# done without where the distribution has none. $1 is a log.
bring() {
  log=$1 missing=""
  shift
  for thing in "$@"; do
    have "$thing" || [ -e "$thing" ] || missing="$missing $thing"
  done
  if [ -z "$missing" ]; then
    say "System packages: all there"
    return 0
  fi
  [ -n "$(package_manager)" ] || die "Cannot install$missing: no apt, dnf or pacman here." \
    "Install them by hand and run again with --no-deps"
  package_lists >>"$log" 2>&1 || :
  names=""
  for thing in $missing; do
    name=$(package_of "$thing")
    if package_known "$name" || ! is_optional "$thing"; then
      names="$names $name"
    else
      say "System packages: this distribution has no $name, going on without it"
    fi
  done
  [ -n "$names" ] || return 0
  say "System packages: installing$names"
  # shellcheck disable=SC2086 # a list of words
  packages $names >>"$log" 2>&1 ||
    die "Cannot install$names: $(last_words "$log"). Install them by hand and run again with --no-deps"
}

is_optional() {
  case " ${OPTIONAL:-} " in
    *" $1 "*) return 0 ;;
    *) return 1 ;;
  esac
}

# What a log says last about an error, for a message of one line.
last_words() {
  words=$(grep '^E: \|[Ee]rror' "$1" | grep -v 'bundling failed' | tail -n 1)
  [ -n "$words" ] || words=$(grep -v '^ *$' "$1" | tail -n 1)
  printf '%s' "$words" | sed 's/^ *//; s/\.$//' | cut -c 1-300
}

# The programs and files that the runner works with on this host, optional ones in OPTIONAL.
runner_needs() {
  keyrings=/usr/share/keyrings
  OPTIONAL="gpg $keyrings/debian-archive-keyring.gpg $keyrings/ubuntu-archive-keyring.gpg"
  # By these files mmdebstrap knows whose a suite is, and so its mirror.
  OPTIONAL="$OPTIONAL /usr/share/distro-info/ubuntu.csv"
  # Without these machines have the host's network.
  OPTIONAL="$OPTIONAL nft ip"
  NEEDS="systemd-nspawn mount git chattr $OPTIONAL"
  if ! have mmdebstrap && ! have debootstrap; then
    package_lists >/dev/null 2>&1 || :
    NEEDS="$NEEDS $(first_known mmdebstrap debootstrap)"
  fi
  [ "$(file_system_of "$(store)")" != btrfs ] || NEEDS="$NEEDS btrfs"
}

store() {
  configured=$(sed -n 's/^store *= *"\([^"]*\)".*/\1/p' /etc/nspawn-runner/config.toml 2>/dev/null)
  echo "${configured:-/var/lib/nspawn-runner}"
}

# The type of the file system that $1 is on, or will be.
file_system_of() {
  place=$1
  while [ ! -e "$place" ]; do place=$(dirname "$place"); done
  stat -f -c %T "$place"
}
