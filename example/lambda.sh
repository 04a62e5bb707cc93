handler() { echo '{}'; }
