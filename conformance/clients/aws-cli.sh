. "$STEPS"
need aws
make_tree
s3="aws s3"
step "cp a small file" $s3 cp tree/small.txt "s3://$BUCKET/small.txt"
step "the file lies in the directory" cmp tree/small.txt "$DIRECTORY/small.txt"
step "cp a large file, in parts" $s3 cp tree/large.bin "s3://$BUCKET/large.bin"
step "cp it back" $s3 cp "s3://$BUCKET/large.bin" large.back
step "which are the same bytes" cmp tree/large.bin large.back
piped() { seq 1 100000 | aws s3 cp - "s3://$BUCKET/piped" && aws s3 cp "s3://$BUCKET/piped" - | cmp - <(seq 1 100000); }
step "cp from a pipe, and to one" piped
step "sync up" $s3 sync tree "s3://$BUCKET/tree"
step "sync up again does nothing" silent $s3 sync tree "s3://$BUCKET/tree"
step "sync down" $s3 sync "s3://$BUCKET/tree" back
step "which is the same tree" same tree back
step "sync down again does nothing" silent $s3 sync "s3://$BUCKET/tree" back
rm tree/deep/er/numbers
step "sync --delete" says "delete: s3://$BUCKET/tree/deep/er/numbers" $s3 sync --delete tree "s3://$BUCKET/tree"
step "ls --recursive" says "ünïcödé/日本語 😀.txt" $s3 ls --recursive "s3://$BUCKET/"
step "mv" $s3 mv "s3://$BUCKET/small.txt" "s3://$BUCKET/moved/small.txt"
step "a copy of a large object, in parts" $s3 cp "s3://$BUCKET/large.bin" "s3://$BUCKET/copied.bin"
step "presign, read by curl" sh -c "curl -sf \"\$(aws s3 presign s3://$BUCKET/moved/small.txt)\" | cmp - tree/small.txt"
step "head-object" says '"ContentLength": 6' aws s3api head-object --bucket "$BUCKET" --key moved/small.txt
step "a wrong key is 404" fails aws s3api head-object --bucket "$BUCKET" --key no-such-key
step "put-object with a checksum" aws s3api put-object --bucket "$BUCKET" --key summed --body tree/small.txt --checksum-algorithm SHA256
step "get-object with its checksum" says '"ChecksumSHA256"' aws s3api get-object --bucket "$BUCKET" --key summed --checksum-mode ENABLED out
step "a range" sh -c "aws s3api get-object --bucket $BUCKET --key summed --range bytes=1-3 out && printf ell | cmp - out"
step "aws-like's own sync finds nothing to do" silent "$NODE" "$ROOT/bin/aws-like" sync tree "s3://$BUCKET/tree"
step "rm --recursive" $s3 rm --recursive --quiet "s3://$BUCKET/"
step "rb" $s3 rb "s3://$BUCKET"
finish
