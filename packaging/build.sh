#!/bin/sh
# Makes packages of nspawn-runner from a checkout. See usage() below.
#
# Environment: as for install.sh; and DEBFULLNAME and DEBEMAIL, who the packages are from, and
# SOURCE_DATE_EPOCH, their date.
set -eu
umask 022
unset CDPATH
checkout=$(cd -- "$(dirname -- "$0")/.." && pwd -P)
. "$checkout/npm/system.sh"

usage() {
  cat <<'END'
Usage: packaging/build.sh [--deb] [--rpm] [--out DIR]

Makes packages of this checkout for the processor of this host. They contain what install.sh installs.

  --deb       only a package for Debian and Ubuntu; needs dpkg-deb
  --rpm       only a package for Fedora; needs rpmbuild
  --out DIR   where to put them (default: build)
  -h, --help  show this
END
}

say() {
  printf '%s\n' "$*"
}

die() {
  printf 'packaging/build.sh: %s\n' "$*" >&2
  exit 1
}

wrong_usage() {
  printf 'packaging/build.sh: %s\n' "$1" >&2
  usage >&2
  exit 2
}

read_arguments() {
  FORMATS="" OUT=build
  while [ $# -gt 0 ]; do
    case $1 in
      --deb | --rpm) FORMATS="$FORMATS ${1#--}" ;;
      --out)
        [ $# -gt 1 ] || wrong_usage "--out needs a folder"
        OUT=$2
        shift
        ;;
      --out=*) OUT=${1#--out=} ;;
      -h | --help) usage && exit 0 ;;
      *) wrong_usage "unknown option \"$1\"" ;;
    esac
    shift
  done
  FORMATS=${FORMATS:-deb rpm}
  [ -n "$OUT" ] || wrong_usage "--out needs a folder"
  OUT=$(realpath -m -- "$OUT")
}

check_tools() {
  for format in $FORMATS; do
    case $format in
      deb) tool=dpkg-deb ;;
      rpm) tool=rpmbuild ;;
    esac
    have "$tool" || die "Cannot make a .$format: there is no $tool. Install it, or make the other format alone"
  done
}

# Sets what both packages say of themselves.
describe() {
  VERSION=$(sed -n 's/^ *"version": "\([^"]*\)".*/\1/p' deno.json | head -n 1 | sed 's/-/~/')
  SUMMARY="GitLab Runner custom executor on systemd-nspawn"
  MAINTAINER="${DEBFULLNAME:-nspawn-runner contributors} <${DEBEMAIL:-contributors@nspawn-runner.invalid}>"
  SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH:-$(git log -1 --format=%ct 2>/dev/null || date +%s)}
  export SOURCE_DATE_EPOCH
  case $(uname -m) in
    x86_64) DEB_ARCHITECTURE=amd64 ;;
    aarch64) DEB_ARCHITECTURE=arm64 ;;
    *) die "Cannot make a package: there is no Deno for $(uname -m)" ;;
  esac
}

description() {
  cat <<'END'
Each CI job gets a throwaway machine made from a chroot or from an image of a
registry, with user ids and a network of its own. GitLab Runner calls the
program at every stage of a job; there is no daemon.
END
}

# Puts the files of the packages into $TREE: those of install.sh, and the documents.
fill_tree() {
  DESTDIR=$TREE ./install.sh --prefix /usr --timers || die "Cannot make a package: the program was not built"
  rm "$TREE/usr/lib/nspawn-runner/manifest" # the package manager has one
  gzip -9n "$TREE"/usr/share/man/man?/*
  documents=$TREE/usr/share/doc/nspawn-runner
  mkdir -p "$documents"
  cp -R README.md CHANGELOG.md SECURITY.md CONTRIBUTING.md docs "$documents"
  chmod -R u=rwX,go=rX "$documents" # the checkout may be private
}

# Prints the packages of the programs and files $@, with a comma between them; $MANAGER has their names. Each host
# has bash, and a package must not name it.
packages_of() {
  for thing in "$@"; do package_of "$thing"; done | sed '/^bash$/d' | paste -sd , | sed 's/,/, /g'
}

# The host's package manager knows no names of another one's.
package_manager() {
  echo "$MANAGER"
}

# All names, since the package is for several releases.
first_available() {
  case $MANAGER in
    apt) printf '%s | %s\n' "$1" "$2" ;;
    dnf) printf '(%s or %s)\n' "$1" "$2" ;;
  esac
}

# Sets the dependencies by the names of the package manager $1.
set_dependencies() {
  MANAGER=$1
  name_needs
  # shellcheck disable=SC2086 # lists of words
  REQUIRED="$(packages_of $NEEDS $NETWORK_NEEDS), $(first_available mmdebstrap debootstrap)"
  # shellcheck disable=SC2086 # lists of words
  RECOMMENDED="$(packages_of $OPTIONAL skopeo)"
  SUGGESTED="$(packages_of umoci btrfs ansible-playbook gitlab-runner)"
}

# Prints a script of a package: the file $1 after the functions that it calls.
script() {
  cat npm/configuration.sh npm/code_cache.sh packaging/functions.sh "$1" | sed '/^# shellcheck/d'
}

make_deb() {
  set_dependencies apt
  root=$WORK/deb
  cp -al "$TREE" "$root"
  # Debian's zsh reads this folder alone.
  mv "$root/usr/share/zsh/site-functions" "$root/usr/share/zsh/vendor-completions"
  install -D -m 644 packaging/deb/lintian-overrides "$root/usr/share/lintian/overrides/nspawn-runner"
  write_copyright >"$root/usr/share/doc/nspawn-runner/copyright"
  write_debian_changelog | gzip -9n >"$root/usr/share/doc/nspawn-runner/changelog.gz"
  mkdir "$root/DEBIAN"
  write_control >"$root/DEBIAN/control"
  for name in preinst postinst prerm postrm; do
    { printf '#!/bin/sh\nset -e\n' && script "packaging/deb/$name"; } >"$root/DEBIAN/$name"
    chmod 755 "$root/DEBIAN/$name"
  done
  (cd "$root" && find usr -type f -exec md5sum {} + | sort -k 2 >DEBIAN/md5sums)
  PACKAGE=$OUT/nspawn-runner_${VERSION}_$DEB_ARCHITECTURE.deb
  dpkg-deb --root-owner-group --build "$root" "$PACKAGE" >/dev/null
}

write_control() {
  glibc=$(grep -aoh 'GLIBC_2\.[0-9]*' "$TREE"/usr/lib/nspawn-runner/deno "$TREE"/usr/bin/nspawn-runner 2>/dev/null |
    sort -uV | tail -n 1)
  cat <<END
Package: nspawn-runner
Version: $VERSION
Architecture: $DEB_ARCHITECTURE
Maintainer: $MAINTAINER
Installed-Size: $(du -sk --exclude=DEBIAN "$root" | cut -f 1)
Section: admin
Priority: optional
Depends: libc6 (>= ${glibc#GLIBC_}), libgcc-s1, $REQUIRED
Recommends: $RECOMMENDED
Suggests: $SUGGESTED
Enhances: gitlab-runner
Description: $SUMMARY
$(description | sed 's/^/ /')
END
}

write_copyright() {
  cat LICENSE
  cat <<'END'

The program runs in Deno, /usr/lib/nspawn-runner/deno, as https://github.com/denoland/deno publishes it:
Copyright 2018-2026 the Deno authors, under the same MIT License.

It reads pipelines by a program that https://github.com/firecow/gitlab-ci-local publishes:
Copyright 2025 Mads Jon Nielsen, under the same MIT License.
END
}

write_debian_changelog() {
  cat <<END
nspawn-runner ($VERSION) unstable; urgency=medium

  * The changes of each version are in CHANGELOG.md, in this folder.

 -- $MAINTAINER  $(LC_ALL=C date -u -R -d "@$SOURCE_DATE_EPOCH")
END
}

make_rpm() {
  set_dependencies dnf
  for name in pre post preun postun; do script "packaging/rpm/$name" >"$WORK/$name"; done
  write_file_list >"$WORK/files"
  description >"$WORK/description"
  rpmbuild -bb --quiet --define "_topdir $WORK/rpm" --define "work $WORK" --define "tree $TREE" \
    --define "packager $MAINTAINER" --define "package_date $(LC_ALL=C date -u '+%a %b %d %Y' -d "@$SOURCE_DATE_EPOCH")" \
    --define "package_version $VERSION" --define "package_summary $SUMMARY" \
    --define "required $REQUIRED" --define "recommended $RECOMMENDED" --define "suggested $SUGGESTED" \
    packaging/rpm/nspawn-runner.spec >"$WORK/rpm.log" 2>&1 ||
    die "Cannot make a .rpm: $(last_error "$WORK/rpm.log")"
  PACKAGE=$OUT/nspawn-runner-$VERSION-1.$(uname -m).rpm
  cp "$WORK/rpm/RPMS/$(uname -m)/${PACKAGE##*/}" "$PACKAGE"
}

# Lists the files of the package, and the folders that are its own.
write_file_list() {
  (cd "$TREE" && find usr -type f -printf '/%p\n' && find usr -type d -path '*/nspawn-runner*' -printf '%%dir /%p\n')
}

main() {
  read_arguments "$@"
  cd "$checkout"
  check_tools
  describe
  mkdir -p "$OUT" || die "Cannot write to $OUT. Choose another --out"
  WORK=$(mktemp -d "${TMPDIR:-/var/tmp}/nr-XXXXXX")
  trap 'rm -rf "$WORK"' EXIT
  trap 'exit 1' INT TERM HUP
  TREE=$WORK/tree
  fill_tree
  for format in $FORMATS; do
    "make_$format"
    say "Made $PACKAGE"
  done
}

main "$@"
