# The runtime of a bash function: `Handler: lambda.handler` is the function `handler` of the file lambda.sh. It gets the event as $1 and
# on stdin, answers on stdout and logs on stderr. A status other than 0 is an error; the last line on stderr is its message.
#
# It speaks HTTP on fd 3, a socket to the Runtime API. `read -N` counts bytes only in the C locale. Names begin with _lambda_, since the
# function's file is sourced into this shell. A request goes out by one `echo`: printf would write line by line.

_lambda_next=$'GET /2018-06-01/runtime/invocation/next HTTP/1.1\r\nHost: runtime\r\n\r\n'

_lambda_json_string() {
  local text=$1
  text=${text//\\/\\\\} text=${text//\"/\\\"} text=${text//$'\n'/\\n} text=${text//$'\t'/\\t} text=${text//$'\r'/\\r}
  _lambda_quoted="\"${text//[[:cntrl:]]/}\""
}

_lambda_init_error() {
  local LC_ALL=C type=$1 body
  builtin echo "$2" >&2
  _lambda_json_string "$2"
  body="{\"errorType\":\"$type\",\"errorMessage\":$_lambda_quoted}"
  builtin echo -n $'POST /2018-06-01/runtime/init/error HTTP/1.1\r\nHost: runtime\r\nLambda-Runtime-Function-Error-Type: '"$type"$'\r\nContent-Length: '"${#body}"$'\r\n\r\n'"$body" >&3
  builtin read -r -u 3
  exit 1
}

_lambda_load() {
  case $_HANDLER in
    *.*) ;;
    *) _lambda_init_error Runtime.MalformedHandlerName "Bad handler '$_HANDLER': it must be FILE.FUNCTION" ;;
  esac
  _lambda_file=$LAMBDA_TASK_ROOT/${_HANDLER%.*}.sh
  _lambda_function=${_HANDLER##*.}
  [[ -r $_lambda_file ]] ||
    _lambda_init_error Runtime.ImportModuleError "Unable to import module '${_HANDLER%.*}': $_lambda_file: No such file or directory"
}

# Reads one answer of the Runtime API: its headers, then its body. Sets _lambda_id, _lambda_trace and _lambda_event.
_lambda_read() {
  local LC_ALL=C line length=0
  IFS= builtin read -r -u 3 line || exit 0
  while IFS= builtin read -r -u 3 line && [[ $line != $'\r' ]]; do
    case $line in
      Lambda-Runtime-Aws-Request-Id:*) _lambda_id=${line#*: } _lambda_id=${_lambda_id%$'\r'} ;;
      Lambda-Runtime-Trace-Id:*) _lambda_trace=${line#*: } _lambda_trace=${_lambda_trace%$'\r'} ;;
      Content-Length:*) length=${line#*: } length=${length%$'\r'} ;;
    esac
  done
  _lambda_event=
  ((length == 0)) || IFS= builtin read -r -d '' -u 3 -N "$length" _lambda_event
}

_lambda_out=$1
shift
_lambda_load
source "$_lambda_file" 3>&-
_lambda_status=$?
# What the file set (set -e, pipefail, ...) is for the function; this loop must survive a function that fails.
_lambda_flags=${-//[^euxfC]/}
[[ ! -o pipefail ]] || _lambda_flags+="o pipefail"
set +euxfC +o pipefail
if ((_lambda_status != 0)) && ! _lambda_message=$(exec "$BASH" -n "$_lambda_file" 2>&1); then
  _lambda_init_error Runtime.UserCodeSyntaxError "$_lambda_message"
fi
builtin declare -F "$_lambda_function" >/dev/null ||
  _lambda_init_error Runtime.HandlerNotFound "Handler '$_lambda_function' missing on module '${_HANDLER%.*}'"

builtin echo -n "$_lambda_next" >&3
_lambda_read
while :; do
  export _X_AMZN_TRACE_ID=$_lambda_trace
  (
    exec 3>&-
    [[ ! $_lambda_flags ]] || set -$_lambda_flags
    "$_lambda_function" "$_lambda_event"
  ) <<<"$_lambda_event" >"$_lambda_out/$_lambda_id"
  _lambda_status=$?
  # Killed, most likely for its memory: on AWS that is the end of the runtime, and no matter of last words.
  ((_lambda_status != 137)) || exit 137
  if ((_lambda_status == 0)); then
    _lambda_answer="/response HTTP/1.1"$'\r\nResponse-File: yes'
  else
    _lambda_answer="/error HTTP/1.1"$'\r\nExit-Status: '"$_lambda_status"
  fi
  builtin echo -n "POST /2018-06-01/runtime/invocation/$_lambda_id$_lambda_answer"$'\r\nHost: runtime\r\nContent-Length: 0\r\n\r\n'"$_lambda_next" >&3
  _lambda_read # 202
  _lambda_read # the next event
done
