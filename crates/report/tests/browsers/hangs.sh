#!/bin/sh
# A browser that never ends, with a helper that does not either. Leaves both process ids beside the page.
for page; do :; done
sleep 1000 &
echo "$$ $!" > "${page#file://}.pids"
wait
