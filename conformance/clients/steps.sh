# What the shell scripts share: `. "$STEPS"`.
failures=0

need() { command -v "$1" >/dev/null || exit 77; }

# step NAME COMMAND...: its output is shown where it fails.
step() {
  local name=$1
  shift
  if "$@" >step.log 2>&1; then
    echo "ok     $name"
  else
    echo "FAILED $name"
    sed 's/^/       /' step.log | tail -15
    failures=$((failures + 1))
  fi
}

same() { diff -r "$1" "$2"; }
# The command's output is empty.
silent() { local said; said=$("$@" 2>&1) && [ -z "$said" ] || { echo "said: $said"; return 1; }; }
# The command's output holds the text.
says() { local text=$1; shift; "$@" >says.log 2>&1 && grep -qF -- "$text" says.log || { cat says.log; return 1; }; }
fails() { ! "$@"; }

# Small, empty, large and odd files in tree/.
make_tree() {
  mkdir -p tree/deep/er "tree/with space" tree/ünïcödé
  printf 'hello\n' >tree/small.txt
  : >tree/empty
  head -c 20000003 /dev/urandom >tree/large.bin
  seq 1 2000 >tree/deep/er/numbers
  echo odd >"tree/with space/a+b=c&d%25e.txt"
  echo quotes >"tree/it's (a) \"name\".txt"
  echo u >"tree/ünïcödé/日本語 😀.txt"
  echo dots >tree/deep/...dots
}

finish() { exit $((failures > 0)); }
