/** The shell programs that read a working copy, run by its owner. They do not write to it. */

/** Neither hooks nor a monitor of files run, and a filter of LFS takes what the working copy has. */
const GIT = `set -eu
g() {
  git -c core.fsmonitor=false -c core.hooksPath=/dev/null -c core.logAllRefUpdates=false -c log.showSignature=false "$@"
}
`;

/** Prints facts, each followed by NUL: see {@linkcode FACTS}. Arguments: the folder, a commit or nothing. */
export const COMMIT_SCRIPT = `${GIT}cd "$1"
top=$(g rev-parse --show-toplevel)
cd "$top"
sha=$(g rev-parse --verify --quiet "\${2:-HEAD}^{commit}") || exit 3
branch='' tag=''
if [ -z "$2" ]; then
  branch=$(g symbolic-ref --quiet --short HEAD) || tag=$(g describe --exact-match --tags 2>/dev/null) || :
elif g show-ref --verify --quiet "refs/heads/$2"; then
  branch=$2
elif g show-ref --verify --quiet "refs/tags/$2"; then
  tag=$2
elif g show-ref --verify --quiet "refs/remotes/$2"; then
  branch=\${2#*/}
fi
if [ -z "$branch$tag" ]; then
  branch=$(g for-each-ref --count=1 --format='%(refname:short)' --contains="$sha" refs/heads)
fi
default=$(g symbolic-ref --quiet --short refs/remotes/origin/HEAD) || :
default=\${default#origin/}
for name in main master; do
  if [ -z "$default" ] && g show-ref --verify --quiet "refs/heads/$name"; then default=$name; fi
done
changed=$(g status --porcelain --ignore-submodules=dirty | head -n 1)
[ -z "$2" ] || changed=''
for fact in "$top" "$sha" "$branch" "$tag" "$default" "$changed"; do printf '%s\\0' "$fact"; done
[ -z "$tag" ] || g tag --list --format='%(contents)' "$tag"
printf '\\0'
g log -1 --format='%an <%ae>%x00%aI%x00%B%x00' "$sha" | head -c 200000
for fact in "$(g remote get-url origin 2>/dev/null)" "$(g config user.name)" "$(g config user.email)" "$(id -un)"; do
  printf '%s\\0' "$fact"
done
`;

/** The facts in the order of {@linkcode COMMIT_SCRIPT}. */
export const FACTS = [
  ...["top", "sha", "branch", "tag", "defaultBranch", "changed", "tagMessage"],
  ...["author", "timestamp", "message", "remote", "name", "email", "login"],
] as const;

/**
 * Functions that copy repositories and list files. Archives give everybody all permissions, so that the umask of the
 * job decides, as in a checkout.
 */
const REPOSITORY_FUNCTIONS = `${GIT}unset TAR_OPTIONS
temporary=$(mktemp -d)
trap 'rm -rf "$temporary"' EXIT
trap 'exit 1' TERM INT HUP
# Arguments: a repository, the new one, a commit, how many commits, a ref for it or nothing, a URL or nothing.
copy_history() {
  g init --quiet --template= --object-format="$(g -C "$1" rev-parse --show-object-format)" "$2"
  if [ "$4" -gt 0 ]; then options="--no-tags --depth=$4" heads=''; else
    options=--tags heads='+refs/heads/*:refs/remotes/origin/*'
  fi
  # shellcheck disable=SC2086
  g -C "$2" fetch --quiet --update-shallow $options \\
    --upload-pack='git -c uploadpack.allowAnySHA1InWant=true upload-pack' "$1" "$3" $heads
  rm -f "$2/.git/FETCH_HEAD"
  [ -z "$5" ] || g -C "$2" update-ref "$5" "$3"
  g -C "$2" update-ref --no-deref HEAD "$3"
  g -C "$2" read-tree HEAD
  if [ -n "$6" ]; then
    g -C "$2" config remote.origin.url "$6"
    g -C "$2" config remote.origin.fetch '+refs/heads/*:refs/remotes/origin/*'
  fi
}
# Prints those names that exist, each after a prefix. Arguments: the prefix, the names.
# shellcheck disable=SC2016,SC2034
existing='prefix=$1
shift
for name; do
  if [ -e "$prefix$name" ] || [ -L "$prefix$name" ]; then printf "%s\\0" "$prefix$name"; fi
done'
# Lists the files of a repository in the present folder. Behind a link in the place of a folder, git finds none of its files,
# but -e does; without the files of a sparse checkout, git misses none, but -e does. Arguments: its path with a slash, or
# nothing; pathspecs.
list_files() {
  folder=$1
  shift
  {
    g -C "./$folder" ls-files -z --cached --others --exclude-standard -- "$@" | sort -zu
    g -C "./$folder" diff-files -z --name-only --diff-filter=D -- "$@" | sort -zu
  } | sort -z | uniq -zu | xargs -0 -r sh -c "$existing" sh "$folder"
}
# Arguments: options of tar.
pack() {
  tar --create --file=- --owner=0 --group=0 --numeric-owner --mode=a+rwX "$@" || [ $? -eq 1 ]
}
# Makes files of a commit in a copied repository. Arguments: the copy, the repository.
check_out() {
  lfs=$(g -C "$2" rev-parse --git-common-dir)
  g -C "$1" -c lfs.storage="$(cd "$2" && cd "$lfs" && pwd)/lfs" reset --quiet --hard
}
`;

/**
 * Prints the archive of the sources. Arguments: the root of the working copy, the commit, how many commits, a ref for it, a URL
 * or nothing, `files` for those of the working copy, `commit` for those of the commit, or `history` for none.
 */
export const SOURCES_SCRIPT = `${REPOSITORY_FUNCTIONS}cd "$1"
copy_history "$1" "$temporary/copy" "$2" "$3" "$4" "$5"
case $6 in
  history) pack --directory="$temporary/copy" .git ;;
  commit)
    check_out "$temporary/copy" "$1"
    pack --directory="$temporary/copy" .
    ;;
  files)
    list_files '' >"$temporary/files"
    pack --directory="$temporary/copy" .git --directory="$1" --no-recursion --null \\
      --files-from="$temporary/files"
    ;;
esac
`;

/**
 * Prints the archive of the submodules; nothing where there are none. Arguments: the root of the working copy, the commit, how
 * many commits, `direct` for its own submodules or `nested` for theirs, `files` or `commit`.
 */
export const SUBMODULES_SCRIPT = `${REPOSITORY_FUNCTIONS}cd "$1"
top=$1 depth=$3 wanted=$4 from=$5
mkdir "$temporary/copy"
: >"$temporary/files"
: >"$temporary/histories"
# Arguments: the path of a repository with a slash or nothing, its commit, its level. A name with a line feed, which could
# forge a line with a path outside, becomes one that does not exist.
submodules_of() {
  if [ "$from" = commit ]; then g -C "./$1" ls-tree -r -z "$2"; else g -C "./$1" ls-files -z --stage; fi |
    tr '\\0\\n' '\\n\\001' | sed -n 's/^160000 \\(commit \\)\\{0,1\\}\\([0-9a-f]*\\)[ 0]*\\t/\\2 /p' |
    while read -r commit path; do take_submodule "$1$path" "$commit" "$3"; done
}
take_submodule() {
  if ! [ -e "$1/.git" ]; then
    echo "Submodule $1 has no files in the working copy: git submodule update --init '$1'" >&2
    return
  fi
  commit=$2
  [ "$from" = commit ] || commit=$(g -C "./$1" rev-parse HEAD)
  if [ "$3-$wanted" = 1-direct ] || { [ "$3" -gt 1 ] && [ "$wanted" = nested ]; }; then
    mkdir -p "$temporary/copy/$1"
    url=$(g -C "./$1" remote get-url origin | sed 's|://[^/]*@|://|') || url=''
    copy_history "$top/$1" "$temporary/copy/$1" "$commit" "$depth" '' "$url"
    if [ "$from" = commit ]; then
      check_out "$temporary/copy/$1" "$top/$1"
      printf '%s\\0' "$1" >>"$temporary/histories"
    else
      printf '%s\\0' "$1/.git" >>"$temporary/histories"
      list_files "$1/" >>"$temporary/files"
    fi
  fi
  [ "$3-$wanted" = 1-direct ] || submodules_of "$1/" "$commit" $(($3 + 1))
}
submodules_of '' "$2" 1
if [ -s "$temporary/histories" ]; then
  pack --directory="$temporary/copy" --null --files-from="$temporary/histories" \\
    --directory="$top" --no-recursion --files-from="$temporary/files"
fi
`;

/**
 * Prints the names of files that differ from the default branch, each followed by NUL; fails with 3 where no commit to compare
 * with is known. Arguments: the root of the working copy, the commit, the default branch, `files` or `commit`.
 */
export const CHANGES_SCRIPT = `${GIT}cd "$1"
base=''
for ref in "refs/remotes/origin/$3" "refs/heads/$3"; do
  [ -n "$base" ] || base=$(g merge-base "$ref" "$2" 2>/dev/null) || :
done
[ -n "$base" ] || exit 3
set -- "$4" "$base" "$2"
options='--name-only --no-renames --no-ext-diff --ignore-submodules=dirty -z'
# shellcheck disable=SC2086
case $1 in
  commit) g diff $options "$2" "$3" -- ;;
  files)
    g diff $options "$2" --
    g ls-files -z --others --exclude-standard
    ;;
esac
`;

/**
 * Prints a line for each file that a pattern matches, with its content's hash. Arguments: the root of the working copy, the
 * commit, `files` or `commit`, pathspecs.
 */
export const HASHES_SCRIPT = `${REPOSITORY_FUNCTIONS}cd "$1"
commit=$2 from=$3
shift 3
if [ "$from" = commit ]; then
  export GIT_INDEX_FILE="$temporary/index"
  g read-tree "$commit"
  g ls-files --stage -- "$@"
else
  # shellcheck disable=SC2016
  list_files '' "$@" | xargs -0 -r sh -c 'for file; do
      if [ -f "$file" ]; then git hash-object --no-filters -- "$file" && printf "%s\\\\n" "$file"; fi
    done' sh
fi
`;
