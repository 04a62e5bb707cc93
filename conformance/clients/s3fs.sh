. "$STEPS"
need s3fs
need fusermount
[ -r /dev/fuse ] || exit 77
make_tree
mkdir mounted
if ! s3fs "$BUCKET" mounted -o url="$AWS_ENDPOINT_URL" -o use_path_request_style -o multipart_size=5 -o enable_content_md5 >mount.log 2>&1; then
  echo "FAILED mount"
  cat mount.log
  exit 1
fi
trap 'fusermount -u mounted' EXIT
step "write" cp tree/small.txt mounted/small.txt
step "the file lies in the directory" cmp tree/small.txt "$DIRECTORY/small.txt"
step "read" cmp tree/small.txt mounted/small.txt
step "copy a tree" cp -r tree mounted/
step "which is the same tree" same tree mounted/tree
step "append" sh -c "echo more >>mounted/small.txt && grep -qx more mounted/small.txt"
step "rename a file" mv mounted/small.txt mounted/renamed.txt
step "rename a directory" mv mounted/tree/deep mounted/tree/deeper
step "which has its files" cmp tree/deep/er/numbers mounted/tree/deeper/er/numbers
step "mode and time" sh -c "chmod 600 mounted/renamed.txt && touch -d 2020-01-01T00:00:00Z mounted/renamed.txt && [ \"\$(stat -c '%a %Y' mounted/renamed.txt)\" = '600 1577836800' ]"
step "a symbolic link" sh -c "ln -s renamed.txt mounted/link && grep -qx more mounted/link"
step "truncate" sh -c "truncate -s 3 mounted/renamed.txt && [ \"\$(cat mounted/renamed.txt)\" = hel ]"
step "remove a tree" rm -r mounted/tree
step "which is gone" [ ! -e "$DIRECTORY/tree/small.txt" ]
finish
