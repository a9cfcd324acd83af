# shellcheck shell=sh
# Finds Deno or brings it. To be sourced, after system.sh; say() and die() come from whoever sources it.

DENO_VERSION=2.9.6 # the one that is brought
DENO_MINIMUM=2.6

# The certificates of the system count too: some networks have a proxy with its own.
export DENO_TLS_CA_STORE="${DENO_TLS_CA_STORE:-system,mozilla}"
export DENO_NO_UPDATE_CHECK=1 NO_COLOR=1

# Sets DENO. $1 is a folder to bring it to, the other words are places where one may be already.
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
  bring_deno "$folder" || die "Cannot bring Deno: neither its own site nor npm nor PyPI gives it." \
    "Install Deno $DENO_MINIMUM or newer, or name one: DENO=/path/to/deno"
}

deno_is_new_enough() {
  found=$("$1" --version 2>/dev/null | sed -n '1s/^deno \([0-9]*\.[0-9]*\)\..*/\1/p') || return 1
  [ -n "$found" ] || return 1
  [ "${found%.*}" -gt "${DENO_MINIMUM%.*}" ] ||
    { [ "${found%.*}" -eq "${DENO_MINIMUM%.*}" ] && [ "${found#*.}" -ge "${DENO_MINIMUM#*.}" ]; }
}

# Sets DENO to a new one below the folder $1.
bring_deno() {
  mkdir -p "$1"
  for source in site npm pypi; do
    case $source in
      site) say "Deno: asking its own site for version $DENO_VERSION" ;;
      npm) say "Deno: asking npm for version $DENO_VERSION" ;;
      pypi) say "Deno: asking PyPI for version $DENO_VERSION" ;;
    esac
    rm -rf "$1/deno.$source"
    mkdir "$1/deno.$source"
    (cd "$1/deno.$source" && HOME=$PWD && export HOME && "deno_from_$source") \
      >"$1/deno.log" 2>&1 </dev/null || :
    DENO=$(find "$1/deno.$source" -type f -name deno -size +1024k | head -n 1)
    if [ -n "$DENO" ] && chmod 755 "$DENO" && deno_is_new_enough "$DENO"; then
      mv -f "$DENO" "$1/deno"
      DENO=$1/deno
      rm -rf "$1/deno.$source"
      return 0
    fi
    rm -rf "$1/deno.$source"
  done
  return 1
}

deno_from_site() {
  have curl || have wget || packages curl ca-certificates
  have unzip || have 7z || packages unzip
  address=https://deno.land/install.sh
  if have curl; then
    curl -fsSL --connect-timeout 5 --max-time 20 -o install.sh "$address"
  else
    wget -q -t 1 -T 5 -O install.sh "$address"
  fi || return 1
  CI=1 DENO_INSTALL=$PWD timeout 300 sh install.sh "v$DENO_VERSION" --no-modify-path
}

# The binary is in the package of the platform: no script of the package has to run.
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
  python3 -m pip --version || packages "$(package_of python3-pip)" ca-certificates
  timeout 300 python3 -m pip download -q --no-deps --no-cache-dir -d . "deno==$DENO_VERSION"
  python3 -m zipfile -e deno-*.whl .
}
