# shellcheck shell=sh
# Finds a Deno that is new enough, or downloads one. To be sourced after system.sh; the caller defines
# say() and die().

DENO_VERSION=2.9.6 # the version that is downloaded
DENO_MINIMUM=2.6

# The certificates of the system count too: some networks have a proxy with its own.
export DENO_TLS_CA_STORE="${DENO_TLS_CA_STORE:-system,mozilla}"
export DENO_NO_UPDATE_CHECK=1 NO_COLOR=1

# Prints the SHA-256 of the executable DENO_VERSION for this machine. One is enough for all sources: the
# packages on npm and PyPI contain the executable of the release's zip file.
deno_sha256() {
  case $(uname -m) in
    x86_64) echo bceb5b6a6239b0b010418406d8c77a508f67cf4337d94288f1c19fe71304aab0 ;;
    aarch64) echo d08d392418df53f4e6e88a08909c0e1bccbf9adcead7232df72b6ad6075ec416 ;;
  esac
}

# Sets DENO. $1 is the folder for a download; the other words are paths where a Deno may be already.
find_deno() {
  folder=$1
  shift
  if [ -n "${DENO:-}" ]; then
    deno_is_new_enough "$DENO" ||
      die "Cannot use DENO=$DENO: it is no Deno $DENO_MINIMUM or newer. Unset it, or name another one"
    return 0
  fi
  for DENO in "$(command -v deno || :)" "$@"; do
    if [ -n "$DENO" ] && deno_is_new_enough "$DENO"; then
      say "Deno: $DENO"
      return 0
    fi
  done
  download_deno "$folder" || die "Cannot download Deno $DENO_VERSION: $DOWNLOAD_PROBLEM." \
    "Install Deno $DENO_MINIMUM or newer, or name one: DENO=/path/to/deno"
}

deno_is_new_enough() {
  found=$("$1" --version 2>/dev/null | sed -n '1s/^deno \([0-9]*\.[0-9]*\)\..*/\1/p') || return 1
  [ -n "$found" ] || return 1
  [ "${found%.*}" -gt "${DENO_MINIMUM%.*}" ] ||
    { [ "${found%.*}" -eq "${DENO_MINIMUM%.*}" ] && [ "${found#*.}" -ge "${DENO_MINIMUM#*.}" ]; }
}

# Sets DENO to a new one in the folder $1, or DOWNLOAD_PROBLEM to the reason why there is none.
download_deno() {
  mkdir -p "$1"
  DOWNLOAD_PROBLEM="neither its own site nor npm nor PyPI offers it"
  for source in site npm pypi; do
    case $source in
      site) place="its own site" ;;
      npm) place=npm ;;
      pypi) place=PyPI ;;
    esac
    say "Deno: downloading version $DENO_VERSION from $place"
    rm -rf "$1/deno.$source"
    mkdir "$1/deno.$source"
    (cd "$1/deno.$source" && HOME=$PWD && export HOME && "deno_from_$source") \
      >"$1/deno.log" 2>&1 </dev/null || :
    DENO=$(find "$1/deno.$source" -type f -name deno -size +1024k | head -n 1)
    # Nothing that was downloaded runs before its checksum is known to be right.
    if [ -n "$DENO" ] && checksum_is_right "$DENO" "$place" && chmod 755 "$DENO" &&
      deno_is_new_enough "$DENO"; then
      mv -f "$DENO" "$1/deno"
      DENO=$1/deno
      rm -rf "$1/deno.$source"
      return 0
    fi
    rm -rf "$1/deno.$source"
  done
  if ! can_download; then DOWNLOAD_PROBLEM="that needs curl or wget, and unzip, 7z or python3"; fi
  return 1
}

# Succeeds if the programs are here with which a download from Deno's own site is made.
can_download() {
  { have curl || have wget; } && { have unzip || have 7z || have python3; }
}

# $1 is the file, $2 the name of its source.
checksum_is_right() {
  expected=$(deno_sha256)
  actual=$(sha256sum "$1") && actual=${actual%% *}
  [ "$actual" != "$expected" ] || return 0
  DOWNLOAD_PROBLEM="the file from $2 has the SHA-256 $actual instead of $expected"
  say "Deno: refused: $DOWNLOAD_PROBLEM"
  return 1
}

deno_from_site() {
  have curl || have wget || install_packages curl ca-certificates
  have unzip || have 7z || have python3 || install_packages unzip
  address=https://dl.deno.land/release/v$DENO_VERSION/deno-$(uname -m)-unknown-linux-gnu.zip
  if have curl; then
    curl -fsSL --connect-timeout 5 --max-time 300 -o deno.zip "$address"
  else
    timeout 300 wget -q -t 1 -T 5 -O deno.zip "$address"
  fi || return 1
  if have unzip; then
    unzip -q deno.zip
  elif have 7z; then
    7z x -y deno.zip
  else
    python3 -m zipfile -e deno.zip .
  fi
}

# The executable is in the package of the platform: no script of the package has to run.
deno_from_npm() {
  have npm || return 1
  case $(uname -m) in
    x86_64) platform=x64 ;;
    aarch64) platform=arm64 ;;
    *) return 1 ;;
  esac
  timeout 300 npm pack --silent --cache "$PWD/cache" "@deno/linux-$platform-glibc@$DENO_VERSION"
  tar -xzf deno-*.tgz
}

deno_from_pypi() {
  python3 -m pip --version || install_packages "$(package_of python3-pip)" ca-certificates
  timeout 300 python3 -m pip download -q --no-deps --only-binary=:all: --no-cache-dir -d . "deno==$DENO_VERSION"
  python3 -m zipfile -e deno-*.whl .
}
