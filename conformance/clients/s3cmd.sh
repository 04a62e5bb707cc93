. "$STEPS"
need s3cmd
make_tree
host=${AWS_ENDPOINT_URL#http://}
cat >s3cfg <<END
[default]
access_key = $AWS_ACCESS_KEY_ID
secret_key = $AWS_SECRET_ACCESS_KEY
host_base = $host
host_bucket = $host
use_https = False
END
s3="s3cmd -c s3cfg --no-progress"
there="s3://$BUCKET/tree/"
step "put" $s3 put tree/small.txt "s3://$BUCKET/small.txt"
step "put a large file, in parts" $s3 put --multipart-chunk-size-mb=5 tree/large.bin "s3://$BUCKET/large.bin"
step "get" $s3 get "s3://$BUCKET/large.bin" large.back
step "which are the same bytes" cmp tree/large.bin large.back
step "sync up" $s3 sync tree/ "$there"
step "the files lie in the directory" same tree "$DIRECTORY/tree"
quiet() { s3cmd -c s3cfg --no-progress "$@" >out.log 2>&1 && ! grep -E '^(upload|download|delete|remote copy)' out.log; }
step "sync up again does nothing" quiet sync tree/ "$there"
mkdir back
step "sync down" $s3 sync "$there" back/
step "which is the same tree" same tree back
step "sync down again does nothing" quiet sync "$there" back/
step "ls" says 'ünïcödé/日本語 😀.txt' $s3 ls --recursive "$there"
step "info" says "text/plain" $s3 info "s3://$BUCKET/small.txt"
step "cp" $s3 cp "s3://$BUCKET/small.txt" "s3://$BUCKET/copied.txt"
step "modify metadata" $s3 modify --add-header=x-amz-meta-colour:blue "s3://$BUCKET/copied.txt"
step "which is kept" says "blue" $s3 info "s3://$BUCKET/copied.txt"
step "mv" $s3 mv "s3://$BUCKET/copied.txt" "s3://$BUCKET/moved.txt"
step "a signed URL" sh -c "curl -sf \"\$(s3cmd -c s3cfg signurl s3://$BUCKET/moved.txt +600)\" | cmp - tree/small.txt"
step "du" says "20000003" $s3 du "s3://$BUCKET/large.bin"
step "multipart lists none" $s3 multipart "s3://$BUCKET"
step "del --recursive" $s3 del --recursive --force "s3://$BUCKET/"
step "rb" $s3 rb "s3://$BUCKET"
finish
