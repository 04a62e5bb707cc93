# The function: for each file that was dropped, a row in the table.
#
# Handler: lambda.handler means: the bash function `handler` in lambda.sh. It gets the event as $1, answers on stdout, logs on stderr.
# A status other than 0 is an error: the event is tried twice more, then it goes to the dead-letter queue.
# Everything here works on AWS as it stands: requests are signed with the function's role, by curl.
set -euo pipefail

command -v curl >/dev/null || { echo "curl is missing on this machine: apt-get install curl" >&2; exit 1; }

handler() {
  local event=$1 rest=$1 bucket key time names=""
  # An event of S3 has Records; each names a bucket, then an object.
  while [[ $rest == *'"eventTime":"'* ]]; do
    rest=${rest#*'"eventTime":"'} time=${rest%%'"'*}
    rest=${rest#*'"bucket":{"name":"'} bucket=${rest%%'"'*}
    rest=${rest#*'"object":{"key":"'} key=${rest%%'"'*}
    process "$bucket" "$key" "$time"
    names+=${names:+,}$(json "$(decode "$key")")
  done
  [[ $names ]] || { echo "this is no event of S3: $event" >&2; return 1; }
  echo "{\"files\":[$names]}"
}

# process BUCKET KEY TIME: the key is URL-encoded, as S3 sends it.
process() {
  local bucket=$1 name path sum headers size="" type="" version=null line value
  name=$(decode "$2")
  path=${2//+/%20} path=${path//\*/%2A} path=${path//%7E/\~}
  headers=$(mktemp)
  echo "reading s3://$bucket/$name" >&2
  sum=$(request_s3 -D "$headers" "$(bucket_url "$bucket")/$path" | sha256sum)
  while IFS=: read -r line value; do
    value=${value# } value=${value%$'\r'}
    case ${line,,} in
      content-length) size=$value ;;
      content-type) type=$value ;;
      x-amz-version-id) version=$value ;;
    esac
  done <"$headers"
  rm -f "$headers"

  put_item "{
    \"name\": {\"S\": $(json "$name")},
    \"size\": {\"N\": \"$size\"},
    \"sha256\": {\"S\": \"${sum%% *}\"},
    \"content_type\": {\"S\": $(json "$type")},
    \"version\": {\"S\": $(json "$version")},
    \"time\": {\"S\": \"$3\"}
  }"
  echo "$name: $size bytes, $type, sha256 ${sum%% *}" >&2
  [[ ! ${ARCHIVE_BUCKET:-} ]] || archive "$bucket" "$path"
}

put_item() {
  request dynamodb "${AWS_ENDPOINT_URL:-https://dynamodb.$AWS_REGION.amazonaws.com}/" \
    -H "Content-Type: application/x-amz-json-1.0" -H "X-Amz-Target: DynamoDB_20120810.PutItem" \
    --data-binary "{\"TableName\": \"$TABLE\", \"Item\": $1}" >/dev/null
}

# archive BUCKET PATH: moves the object to the archive bucket.
archive() {
  request_s3 -X PUT -H "x-amz-copy-source: /$1/$2" "$(bucket_url "$ARCHIVE_BUCKET")/$2" >/dev/null
  request_s3 -X DELETE "$(bucket_url "$1")/$2" >/dev/null
  echo "moved to s3://$ARCHIVE_BUCKET/$2" >&2
}

# request SERVICE CURL-ARGUMENT...: signed with the credentials of the function's role. An answer of 400 or more is an error.
request() {
  local service=$1
  shift
  curl -sS --path-as-is --fail-with-body --aws-sigv4 "aws:amz:$AWS_REGION:$service" --user "$AWS_ACCESS_KEY_ID:$AWS_SECRET_ACCESS_KEY" \
    -H "X-Amz-Security-Token: $AWS_SESSION_TOKEN" "$@"
}

# S3 wants the hash of the body said, too; that of no body is always this one.
request_s3() {
  request s3 -H "X-Amz-Content-Sha256: e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855" "$@"
}

bucket_url() {
  echo "${AWS_ENDPOINT_URL:-https://s3.$AWS_REGION.amazonaws.com}/$1"
}

# a%20b+c -> a b c
decode() {
  local text=${1//+/ }
  printf '%b' "${text//%/\\x}"
}

# A text as JSON.
json() {
  local text=${1//\\/\\\\}
  text=${text//\"/\\\"} text=${text//$'\n'/\\n} text=${text//$'\r'/\\r} text=${text//$'\t'/\\t}
  if [[ $text == *[[:cntrl:]]* ]]; then
    local code char
    for code in {1..31}; do
      printf -v code '%04x' "$code"
      printf -v char '%b' "\\u$code"
      text=${text//"$char"/\\u$code}
    done
  fi
  printf '"%s"' "$text"
}
