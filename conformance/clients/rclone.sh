. "$STEPS"
need rclone
make_tree
# rclone before 1.61 says x-amz-acl: private of everything, which a bucket without ACLs refuses, on AWS too.
export RCLONE_CONFIG_CLOUD_ACL=bucket-owner-full-control
export RCLONE_CONFIG_CLOUD_TYPE=s3 RCLONE_CONFIG_CLOUD_PROVIDER=Other RCLONE_CONFIG_CLOUD_ACCESS_KEY_ID=$AWS_ACCESS_KEY_ID \
  RCLONE_CONFIG_CLOUD_SECRET_ACCESS_KEY=$AWS_SECRET_ACCESS_KEY RCLONE_CONFIG_CLOUD_FORCE_PATH_STYLE=true RCLONE_CONFIG_CLOUD_ACL=bucket-owner-full-control \
  RCLONE_CONFIG_CLOUD_ENDPOINT="$AWS_ENDPOINT_URL" RCLONE_CONFIG_CLOUD_REGION=us-east-1 RCLONE_CONFIG_CLOUD_UPLOAD_CUTOFF=6M \
  RCLONE_CONFIG_CLOUD_CHUNK_SIZE=5M RCLONE_CONFIG=/dev/null
there="cloud:$BUCKET/tree"
changes() { rclone "$@" -v 2>&1 | grep -E 'Copied|Deleted|Updated' | grep -v '^Deleted: *0'; [ "${PIPESTATUS[1]}" -ne 0 ]; }
step "copy" rclone copy tree "$there"
step "the files lie in the directory" same tree "$DIRECTORY/tree"
step "check" rclone check tree "$there"
step "check --download" rclone check --download tree "$there"
step "sync again does nothing" changes sync tree "$there"
step "copy back" rclone copy "$there" back
step "which is the same tree" same tree back
step "lsf --recursive" says 'ünïcödé/日本語 😀.txt' rclone lsf -R "$there"
step "move on the server" rclone moveto "$there/small.txt" "$there/renamed.txt"
step "copy on the server, in parts" rclone copyto "$there/large.bin" "$there/large.copy" --s3-copy-cutoff 6M
step "cat a range" sh -c "rclone cat $there/renamed.txt --offset 1 --count 3 | grep -qx ell"
piped() { seq 1 100000 | rclone rcat "$there/piped" && rclone cat "$there/piped" | cmp - <(seq 1 100000); }
step "from a pipe, and to one" piped
step "a link is presigned" sh -c "curl -sf \"\$(rclone link $there/renamed.txt)\" | cmp - tree/small.txt"
step "delete" rclone purge "$there"
step "which leaves nothing" silent rclone lsf -R "cloud:$BUCKET"
finish
