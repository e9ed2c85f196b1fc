# Puts Playwright, by which tests/e2e drives Chromium, into build/playwright, as its lock file says.
# shellcheck shell=bash disable=SC2154
# Sourced after common.sh. Chromium itself is Debian's: no browser is downloaded.

install_playwright() {
    local declared=$project_root/tests/e2e/browser target=$project_root/build/playwright
    # npm writes the hidden file when all is in place.
    if [ -f "$target/node_modules/.package-lock.json" ] &&
        cmp "$declared/package-lock.json" "$target/package-lock.json"; then
        return 0
    fi
    if [ -z "${HOME:-}" ]; then
        export npm_config_cache=$project_root/build/npm-cache
    fi
    rm -rf "$target"
    mkdir -p "$target"
    cp "$declared"/package*.json "$target/"
    (cd "$target" && npm ci --ignore-scripts --no-audit --no-fund)
}
