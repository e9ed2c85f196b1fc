// Renders a snapshot as php-fpm's status page.
#include "scoreboard/status_page.h"

#include <algorithm>
#include <array>

#include "base/escape.h"
#include "scoreboard/open_metrics.h"
#include "scoreboard/status_encoders.h"
#include "scoreboard/status_values.h"

namespace muster::scoreboard {
namespace {

// ---- the fields, in php-fpm's order ----

template <typename Encoder>
void poolFields(Encoder& out, const PoolSnapshot& pool) {
    const Totals& totals = pool.totals;
    out.text("pool", pool.name);
    out.text("process manager", processManagerName(pool.processManager));
    out.time("start time", pool.startedWallNs);
    out.number("start since", secondsSinceStart(pool));
    out.number("accepted conn", totals.requests);
    out.number("listen queue", pool.listenPending);
    out.number("max listen queue", totals.maxListenQueue);
    out.number("listen queue len", pool.listenLimit);
    out.number("idle processes", pool.idle);
    out.number("active processes", pool.active);
    out.number("total processes", std::uint64_t{pool.idle} + pool.active);
    out.number("max active processes", totals.maxActive);
    out.number("max children reached", totals.maxChildrenReached);
    out.number("slow requests", totals.slowRequests);
    out.number("memory peak", totals.memoryPeak);
    if (pool.queueLimit > 0) {  // what php-fpm does not have is shown to those who turned it on
        out.number("queued requests", pool.queued);
        out.number("oldest queued request", pool.queuedNs / 1000);
        out.number("max queued requests", totals.maxQueued);
        out.number("queue limit", pool.queueLimit);
        out.number("queue limit rejections", totals.overLimit);
        out.number("queue timeout rejections", totals.overdue);
        out.number("queue hang ups", totals.hungUp);
    }
    if (pool.youngDeaths > 0) {  // php-fpm has no such state, nor these fields
        out.number("workers died young", pool.youngDeaths);
        out.number("next worker in", pool.respawnInNs / 1'000'000'000);
    }
}

std::string uriWithQuery(const RequestFacts& facts) {
    std::string uri(orDash(facts.uri));
    if (*facts.query != '\0') {
        uri += '?';
        uri += facts.query;
    }
    return uri;
}

template <typename Encoder>
void workerFields(Encoder& out, const WorkerSnapshot& worker, std::uint64_t nowNs) {
    const RequestFacts& facts = worker.facts;
    const ShownRequest request = shownRequest(worker, nowNs);
    out.number("pid", static_cast<std::uint64_t>(worker.pid));
    out.text("state", stageName(worker.stage));
    out.time("start time", worker.startedWallNs);
    out.number("start since", secondsSinceStart(worker, nowNs));
    out.number("requests", facts.requests);
    out.number("request duration", request.durationUs);
    out.text("request method", orDash(facts.method));
    out.text("request URI", uriWithQuery(facts));
    out.number("content length", static_cast<std::uint64_t>(facts.contentLength));
    out.text("user", orDash(facts.user));
    out.text("script", orDash(facts.script));
    out.percent("last request cpu", request.cpuPercent);
    out.number("last request memory", request.memoryPeak);
}

template <typename Encoder>
std::string render(Encoder out, const PoolSnapshot& snapshot, bool full) {
    out.beginPool();
    poolFields(out, snapshot);
    if (full) {
        out.beginWorkers();
        if constexpr (requires { out.beginHeadRow(); }) {
            out.beginHeadRow();
            workerFields(out, {}, snapshot.takenNs);
            out.endHeadRow();
        }
        for (const WorkerSnapshot& worker : snapshot.workers) {
            out.beginWorker();
            workerFields(out, worker, snapshot.takenNs);
            out.endWorker();
        }
        out.endWorkers();
    }
    out.endPool();
    return out.take();
}

struct FormatFacts {
    StatusFormat format;
    std::string_view key;  ///< of the query string
    const char* contentType;
    bool takesCharset;
};
constexpr std::array kFormats = {
    FormatFacts{StatusFormat::html, "html", "text/html", true},
    FormatFacts{StatusFormat::xml, "xml", "text/xml", true},
    FormatFacts{StatusFormat::json, "json", "application/json", false},
    FormatFacts{StatusFormat::openMetrics, "openmetrics",
                "application/openmetrics-text; version=1.0.0; charset=utf-8", false},
    FormatFacts{StatusFormat::text, "", "text/plain", true},
};

// ---- the query string, as PHP would make $_GET of it ----

int hexDigit(char c) {
    if (c >= '0' && c <= '9') {
        return c - '0';
    }
    if (c >= 'A' && c <= 'F') {
        return c - 'A' + 10;
    }
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

std::string decoded(std::string_view raw) {
    std::string text;
    for (std::size_t i = 0; i < raw.size(); ++i) {
        char c = raw[i] == '+' ? ' ' : raw[i];
        if (c == '%' && i + 2 < raw.size() && hexDigit(raw[i + 1]) >= 0 &&
            hexDigit(raw[i + 2]) >= 0) {
            c = static_cast<char>(hexDigit(raw[i + 1]) * 16 + hexDigit(raw[i + 2]));
            i += 2;
        }
        text += c;
    }
    return text;
}

// "a%5B1%5D=x" is the key "a", "a%5B=x" is another one ("a_").
std::string keyOf(std::string_view pair) {
    std::string key = decoded(pair.substr(0, pair.find('=')));
    key.resize(std::min(key.find('\0'), key.size()));
    key.erase(0, std::min(key.find_first_not_of(' '), key.size()));
    const std::size_t bracket = key.find('[');
    if (bracket != std::string::npos && key.find(']', bracket) != std::string::npos) {
        key.resize(bracket);
    }
    return key;
}

}  // namespace

StatusQuery parseStatusQuery(std::string_view queryString) {
    StatusQuery query;
    while (!queryString.empty()) {
        const std::size_t end = std::min(queryString.find('&'), queryString.size());
        const std::string key = keyOf(queryString.substr(0, end));
        for (const FormatFacts& facts : kFormats) {
            if (key == facts.key) {
                query.format = std::min(query.format, facts.format);
            }
        }
        query.full = query.full || key == "full";
        queryString.remove_prefix(std::min(end + 1, queryString.size()));
    }
    return query;
}

StatusPage renderStatus(const PoolSnapshot& snapshot, const StatusQuery& query,
                        const PoolLimits& limits) {
    StatusPage page;
    for (const FormatFacts& facts : kFormats) {
        if (facts.format == query.format) {
            page.contentType = facts.contentType;
            page.takesCharset = facts.takesCharset;
        }
    }
    switch (query.format) {
        case StatusFormat::html:
            page.body = render(HtmlEncoder{}, snapshot, query.full);
            break;
        case StatusFormat::xml:
            page.body = render(XmlEncoder{}, snapshot, query.full);
            break;
        case StatusFormat::json:
            page.body = render(JsonEncoder{}, snapshot, query.full);
            break;
        case StatusFormat::openMetrics:
            page.body =
                renderOpenMetrics(snapshot, processManagerName(snapshot.processManager), limits);
            break;
        case StatusFormat::text:
            page.body = render(TextEncoder{}, snapshot, query.full);
            break;
    }
    return page;
}

}  // namespace muster::scoreboard
