. "$STEPS"
need restic
make_tree
export RESTIC_REPOSITORY="s3:$AWS_ENDPOINT_URL/$BUCKET/repository" RESTIC_PASSWORD=secret RESTIC_CACHE_DIR=$PWD/cache
step "init" restic init
step "backup" restic backup tree
echo more >>tree/small.txt
step "backup again" says "1 changed" restic backup tree -v
step "snapshots" says "2 snapshots" restic snapshots
step "check --read-data" restic check --read-data
step "restore" restic restore latest --target back
restored() { diff -r tree "$(find back -type d -name tree)"; }
step "which is the same tree" restored
step "forget --prune" restic forget --keep-last 1 --prune
step "check after it" restic check
finish
