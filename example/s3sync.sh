#!/usr/bin/env bash
# Moves files that are processed from the input bucket into the archive bucket: both are directories, so rsync does it.
# A file is processed when the table has a row with its name and its sha256; one that changed since stays. Run it again: nothing happens.
set -euo pipefail

usage() {
  cat <<'END'
usage: s3sync.sh [--dry-run] [--copy] [--all] [--table TABLE] [FROM [TO]]
       s3sync.sh --test

Moves processed files from FROM (input) to TO (archive), with their times and folders.
  --dry-run  says what would be moved
  --copy     leaves them in FROM
  --all      takes every file, processed or not
  --table    whose rows say what is processed: a view of db.sqlite (files)
  --test     tests this script in a temporary directory; needs no cloud
END
}

main() {
  local dry_run="" all="" table=files
  local -a options=(--archive --from0 --files-from=- --itemize-changes --remove-source-files) places=()
  while (($#)); do
    case $1 in
      --dry-run | -n) dry_run=yes ;;
      --copy) options=("${options[@]/--remove-source-files/}") ;;
      --all) all=yes ;;
      --table) table=$2 && shift ;;
      --test) self_test && return ;;
      --help | -h) usage && return ;;
      -*) fail "unknown option $1; see s3sync.sh --help" ;;
      *) places+=("$1") ;;
    esac
    shift
  done
  local from=${places[0]:-input} to=${places[1]:-archive}
  need rsync
  [[ -d $from ]] || fail "there is no directory $from"
  [[ $table =~ ^[A-Za-z0-9_.-]+$ ]] || fail "$table is no name of a table"
  [[ $dry_run ]] && options+=(--dry-run)
  mkdir -p "$to"
  { if [[ $all ]]; then every "$from"; else processed "$from" "$table"; fi; } | move "$from" "$to" "${options[@]}"
}

# Reads names (ending in NUL) and says what it does, a line each.
move() {
  local from=$1 to=$2 option
  local -a options=()
  shift 2
  for option; do [[ ! $option ]] || options+=("$option"); done
  rsync "${options[@]}" "$from/" "$to/" | sed -n 's/^[<>]f[^ ]* //p'
}

every() {
  (cd "$1" && find . -type f ! -name '.*' -printf '%P\0')
}

# Names whose row has the file's present hash.
processed() {
  local from=$1 table=$2 name sum
  need sqlite3
  [[ -f db.sqlite ]] || fail "there is no db.sqlite here; run this in the workspace, or say --all"
  sqlite3 -readonly -cmd ".timeout 5000" -separator ' ' db.sqlite "select sha256, name from \"$table\"" |
    while read -r sum name; do
      [[ -f $from/$name && $(sha256sum <"$from/$name") == "$sum  -" ]] && printf '%s\0' "$name"
    done || true
}

need() { command -v "$1" >/dev/null || fail "$1 is not installed: apt-get install $1"; }
fail() { echo "s3sync: $*" >&2 && exit 1; }

self_test() {
  local dir script
  script=$(realpath "${BASH_SOURCE[0]}")
  dir=$(mktemp -d)
  # shellcheck disable=SC2064
  trap "rm -rf '$dir'" EXIT
  cd "$dir"
  mkdir -p "input/a folder"
  echo one >input/one.txt
  echo two >"input/a folder/two words.txt"
  echo new >input/not-yet.txt
  sqlite3 db.sqlite "create table files (name text, sha256 text)"
  for name in one.txt "a folder/two words.txt"; do
    sqlite3 db.sqlite "insert into files values ('$name', '$(sha256sum <"input/$name" | cut -d' ' -f1)')"
  done
  sqlite3 db.sqlite "insert into files values ('not-yet.txt', 'the hash of what it was before')"

  check "a dry run names what is processed" "a folder/two words.txt one.txt" "$("$script" --dry-run | sort | xargs -d '\n')"
  check "and moves nothing" "input/a folder/two words.txt input/not-yet.txt input/one.txt" "$(files input archive)"
  "$script" --copy >/dev/null
  check "--copy leaves the files" "3 2" "$(count input) $(count archive)"
  "$script" >/dev/null
  check "processed files are moved" "archive/a folder/two words.txt archive/one.txt input/not-yet.txt" "$(files input archive)"
  check "a second run does nothing" "" "$("$script")"
  check "--all takes the others too" "not-yet.txt" "$("$script" --all)"
  check "nothing is left" "0 3" "$(count input) $(count archive)"
  ! "$script" nowhere 2>/dev/null || fail "a directory that is not there must be an error"
  echo "s3sync: all tests passed"
}

files() { find "$@" -type f 2>/dev/null | sort | xargs -d '\n'; }
count() { find "$1" -type f | wc -l; }
check() { [[ $2 == "$3" ]] || fail "test: $1: expected '$2', found '$3'"; }

main "$@"
