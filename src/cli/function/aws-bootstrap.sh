#!/bin/bash
# Runs a bash handler on provided.al2023: FILE.FUNCTION of the Handler is the function FUNCTION of FILE.sh. It gets the event as $1 and
# on standard input; what it prints is the answer, what it says on stderr the log. Written by `aws-like export`.
api="http://$AWS_LAMBDA_RUNTIME_API/2018-06-01/runtime"
work=$(mktemp -d)

escaped() {
  local text=${1//\\/\\\\}
  text=${text//\"/\\\"}
  text=${text//[$'\x01'-$'\x1f']/ }
  printf '%s' "$text"
}

report() { # PATH TYPE MESSAGE
  printf '{"errorType":"%s","errorMessage":"%s"}' "$2" "$(escaped "$3")" >"$work/error"
  curl -sS -X POST -H "Lambda-Runtime-Function-Error-Type: $2" --data-binary "@$work/error" "$api/$1" >"$work/said"
}

cd "$LAMBDA_TASK_ROOT" || exit 1
module=${_HANDLER%.*}
handler=${_HANDLER##*.}
if [[ ! -f $module.sh ]]; then
  report init/error Runtime.ImportModuleError "Unable to import module '$module'"
  exit 1
fi
source "./$module.sh"
if ! declare -F "$handler" >/dev/null; then
  report init/error Runtime.HandlerNotFound "Handler '$handler' missing on module '$module'"
  exit 1
fi

while curl -sS -D "$work/head" -o "$work/event" "$api/invocation/next"; do
  id=$(grep -i '^Lambda-Runtime-Aws-Request-Id:' "$work/head" | tr -d '[:space:]' | cut -d: -f2)
  export _X_AMZN_TRACE_ID=$(grep -i '^Lambda-Runtime-Trace-Id:' "$work/head" | tr -d '[:space:]' | cut -d: -f2-)
  ("$handler" "$(<"$work/event")" <"$work/event") >"$work/answer" 2>"$work/log"
  status=$?
  cat "$work/log" >&2
  if ((status == 0)); then
    printf '%s' "$(<"$work/answer")" >"$work/body"
    curl -sS -X POST --data-binary "@$work/body" "$api/invocation/$id/response" >"$work/said"
  else
    last=$(tail -n 1 "$work/log")
    report "invocation/$id/error" Runtime.ExitError "${last:-exit status $status}"
  fi
done
