// Header blocks and bodies of the ping and status pages.
#include "worker/pages.h"

#include <algorithm>

#include "scoreboard/status_page.h"

namespace muster::worker {
namespace {

constexpr std::string_view kNoCache =
    "Expires: Thu, 01 Jan 1970 00:00:00 GMT\r\n"
    "Cache-Control: no-cache, no-store, must-revalidate, max-age=0\r\n";
constexpr std::string_view kEndOfLine = "\r\n";

std::string optionalLine(std::string_view line) {
    return line.empty() ? std::string() : std::string(line).append(kEndOfLine);
}

/// Of a page that names its type, as the engine completes it.
std::string typeLine(std::string_view type, const PageSettings& settings) {
    return settings.charset.empty() ? "Content-Type: " + std::string(type) + "\r\n"
                                    : "Content-type: " + std::string(type) +
                                          ";charset=" + std::string(settings.charset) + "\r\n";
}

/// Of a page that names none.
std::string defaultTypeLine(const PageSettings& settings) {
    std::string line = "Content-type: " + std::string(settings.mimeType);
    if (settings.mimeType.starts_with("text/") && !settings.charset.empty()) {
        line.append("; charset=").append(settings.charset);
    }
    return line + "\r\n";
}

PageResponse errorPage(const char* status, const char* body, const PageSettings& settings) {
    PageResponse page;
    page.headers = std::string("Status: ") + status + "\r\n" + optionalLine(settings.poweredBy) +
                   defaultTypeLine(settings) + "\r\n";
    page.body = body;
    return page;
}

scoreboard::PoolLimits limitsOf(const config::PoolSettings& pool) {
    const auto positive = [](int value) { return static_cast<std::uint64_t>(std::max(value, 0)); };
    return {positive(pool.maxRequests), positive(pool.requestTerminateTimeout),
            positive(pool.requestSlowlogTimeout)};
}

/// php-fpm's rule: a pool that only says where it is asked for its status answers at the root.
std::string_view statusPath(const config::PoolSettings& pool) {
    return pool.statusPath.empty() && !pool.statusListen.empty()
               ? std::string_view("/")
               : std::string_view(pool.statusPath);
}

}  // namespace

Page pageFor(const config::PoolSettings& pool, const RequestInfo& info) {
    if (info.method == nullptr || info.uri == nullptr) {
        return Page::none;
    }
    if (!pool.pingPath.empty() && pool.pingPath == info.uri) {
        return Page::ping;
    }
    if (const auto path = statusPath(pool); !path.empty() && path == info.uri) {
        return Page::status;
    }
    return Page::none;
}

bool isHead(const RequestInfo& info) {
    return info.method != nullptr && std::string_view(info.method) == "HEAD";
}

PageResponse timeoutPage(const PageSettings& settings) {
    return errorPage("504 Gateway Timeout", "The request took too long.\n", settings);
}

PageResponse overloadPage(const PageSettings& settings, int retryAfterSeconds) {
    PageResponse page = errorPage("503 Service Unavailable", "The server is busy.\n", settings);
    page.headers.insert(page.headers.size() - kEndOfLine.size(),
                        "Retry-After: " + std::to_string(retryAfterSeconds) + "\r\n");
    return page;
}

PageResponse stalledPage(const PageSettings& settings) {
    return errorPage("408 Request Timeout", "The request's body took too long.\n", settings);
}

PageResponse notFoundPage(const PageSettings& settings) {
    return errorPage("404 Not Found", "File not found.\n", settings);
}

PageResponse pingPage(const config::PoolSettings& pool, const RequestInfo& info,
                      const PageSettings& settings) {
    PageResponse page;
    page.headers = optionalLine(settings.poweredBy);
    page.headers.append(typeLine("text/plain", settings)).append(kNoCache).append(kEndOfLine);
    if (!isHead(info)) {
        page.body = pool.pingResponse;
    }
    return page;
}

PageResponse statusPage(const config::PoolSettings& pool, const scoreboard::PoolSnapshot& snapshot,
                        const RequestInfo& info, const PageSettings& settings) {
    PageResponse page;
    page.headers = optionalLine(settings.poweredBy).append(kNoCache);
    if (isHead(info)) {
        // php-fpm leaves HEAD before it has chosen a format.
        page.headers.append(defaultTypeLine(settings));
    } else {
        const char* query = info.query == nullptr || !settings.readsQuery ? "" : info.query;
        auto rendered =
            scoreboard::renderStatus(snapshot, scoreboard::parseStatusQuery(query), limitsOf(pool));
        page.headers.append(rendered.takesCharset
                                ? typeLine(rendered.contentType, settings)
                                : "Content-Type: " + rendered.contentType + "\r\n");
        page.body = std::move(rendered.body);
    }
    page.headers.append(kEndOfLine);
    return page;
}

std::string_view headerValue(std::string_view headers, std::string_view name) {
    while (!headers.empty()) {
        const std::string_view line = headers.substr(0, headers.find(kEndOfLine));
        if (line.size() > name.size() + 2 && line.starts_with(name) &&
            line.substr(name.size(), 2) == ": ") {
            return line.substr(name.size() + 2);
        }
        headers.remove_prefix(std::min(headers.size(), line.size() + kEndOfLine.size()));
    }
    return {};
}

}  // namespace muster::worker
