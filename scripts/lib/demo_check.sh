# Looks at the running demo site as a visitor and an operator would; used by scripts/run --check.
# shellcheck shell=bash source=scripts/lib/common.sh disable=SC2154
# Sourced after common.sh. check_demo URL RUN_DIR; the caller set muster_pid and program.

checks_passed=0
checks_failed=0

expect() {
    local what=$1
    shift
    if "$@"; then
        printf '%sok%s      %s\n' "$green" "$plain" "$what"
        checks_passed=$((checks_passed + 1))
    else
        printf '%sFAILED%s  %s\n' "$red" "$plain" "$what"
        checks_failed=$((checks_failed + 1))
    fi
}

# page ARGUMENT...: what curl gets, with one cookie jar for the whole visit.
page() { curl -sS --max-time 60 -b "$visit/cookies" -c "$visit/cookies" "$@"; }

# says TEXT ARGUMENT...: the page contains TEXT, letter by letter.
says() {
    local text=$1
    shift
    page "$@" >"$visit/page"
    grep -qF -- "$text" "$visit/page"
}

code_is() {
    local wanted=$1
    shift
    [ "$(page -o "$visit/page" -w '%{http_code}' "$@")" = "$wanted" ]
}

form_token() { page "$1" | sed -n 's/.*name="token" value="\([0-9a-f]*\)".*/\1/p' | head -n 1; }

# eventually COMMAND...: within ten seconds.
eventually() {
    local tries
    for ((tries = 0; tries < 100; tries++)); do
        "$@" && return
        sleep 0.1
    done
    return 1
}

# A visitor of their own, who sees three pages by three pools.
session_counts() {
    curl -sS -b "$visit/another" -c "$visit/another" "$1/www/" "$1/steady/" "$1/rare/" >"$visit/page"
    grep -qF 'session</dt><dd>3</dd>' "$visit/page"
}

check_pages() {
    local pool
    for pool in www steady rare; do
        expect "pool $pool serves the first page" says 'fpm-fcgi' "$1/$pool/"
        expect "pool $pool names itself" says "of pool <code>$pool</code>" "$1/$pool/"
        expect "pool $pool answers ping" says pong "$1/$pool/ping"
        expect "pool $pool shows its status as text" says 'process manager:' "$1/$pool/status"
        expect "pool $pool shows its workers as JSON" says '"processes":[' "$1/$pool/status?json&full"
    done
    expect "the first address leads to the first pool" code_is 200 -L "$1/"
    expect "OPcache is on" says 'shared by the pool' "$1/www/"
    expect "the session counts" session_counts "$1"
    expect "a page that does not exist is a 404" code_is 404 "$1/www/nothing.php"
    expect "the style sheet is there" says 'color-scheme' "$1/style.css"
}

check_forms() {
    local digest
    expect "a GET field comes back escaped" says '&lt;b&gt; &amp; Gr' -G "$1/www/forms.php" \
        --data-urlencode 'q=<b> & Grüße'
    expect "a POST field comes back escaped" says '&lt;script&gt;' "$1/www/forms.php" \
        --data-urlencode 'text=<script>'
    head -c 300000 /dev/urandom >"$visit/upload.bin"
    digest=$(sha256sum "$visit/upload.bin" | cut -d ' ' -f 1)
    expect "an upload arrives whole" says "$digest" "$1/www/forms.php" -F "file=@$visit/upload.bin"
}

check_guest_book() {
    local token
    token=$(form_token "$1/www/guestbook.php")
    expect "the guest book takes an entry" code_is 303 "$1/www/guestbook.php" \
        -d "token=$token" --data-urlencode 'name=A <guest>' --data-urlencode 'words=Hello & goodbye'
    expect "another pool shows the entry, escaped" says 'A &lt;guest&gt;' "$1/steady/guestbook.php"
    expect "a forged form is refused" code_is 403 "$1/www/guestbook.php" -d 'name=x&words=y&token=no'
}

check_load() {
    local token
    expect "the slow page answers" says 'slept 0.5 s' "$1/rare/slow.php?seconds=0.5"
    token=$(form_token "$1/www/load.php")
    expect "six slow requests at once are all answered" says '"took":[' "$1/www/burst.php" \
        -d "token=$token&count=6&seconds=1"
    expect "none of them was lost" test "$(grep -c null "$visit/page")" = 0
}

rotated() { [ -s "$1/log/error.log" ] && grep -q 're-opened' "$1/log/error.log"; }
reloaded() { [ "$(grep -c 'ready to handle connections' "$1/log/error.log")" -ge "$2" ]; }
refused() { grep -q 'pm.max_childern' "$1/log/error.log"; }

check_operation() {
    expect "the log has no warning" test "$(grep -cE '(WARNING|ERROR|ALERT):' "$2/log/error.log")" = 0
    mv "$2/log/error.log" "$2/log/error.log.1"
    kill -USR1 "$muster_pid"
    expect "USR1 opens the logs anew" eventually rotated "$2"
    kill -USR2 "$muster_pid"
    expect "USR2 reloads" eventually reloaded "$2" 1
    expect "the site serves after the reload" says pong "$1/www/ping"
}

# php-fpm would be gone after this one.
check_broken_file() {
    echo 'pm.max_childern = 3' >>"$2/pool.d/www.conf"
    kill -USR2 "$muster_pid"
    expect "a broken file is named in the log" eventually refused "$2"
    expect "a broken file changes nothing that runs" says pong "$1/www/ping"
}

check_demo() {
    visit=$2/visit
    mkdir -p "$visit"
    check_pages "$@"
    check_forms "$@"
    check_guest_book "$@"
    check_load "$@"
    check_operation "$@"
    if [[ ${program##*/} != php-fpm* ]]; then
        check_broken_file "$@"
    fi
    if [ "$checks_failed" -gt 0 ]; then
        tail -n 40 "$2"/log/*error.log >&2 || true
    fi
    say "demo site: $checks_passed of $((checks_passed + checks_failed)) checks passed"
    [ "$checks_failed" -eq 0 ]
}
