// Renders a snapshot as php-fpm's status page.
#include "scoreboard/status_page.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cinttypes>
#include <cstdio>
#include <optional>
#include <utility>

#include "base/clock.h"
#include "base/escape.h"

namespace muster::scoreboard {
namespace {

constexpr const char* kTimeFormat = "%d/%b/%Y:%H:%M:%S %z";

// The C library's formatting follows the locale that a script has set; these do not.
std::string twoDecimals(double value) {
    char digits[64];
    const auto end =
        std::to_chars(digits, digits + sizeof digits, value, std::chars_format::fixed, 2);
    return {digits, end.ptr};
}

constexpr char toLower(char c) {
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
}

// ---- encoders: each knows how one kind of value looks in one format ----

class TextEncoder {
  public:
    void text(std::string_view label, std::string_view value) {
        begin(label);
        for (const char c : value) {
            if (isControl(c)) {
                appendEscaped(body_, c);
            } else {
                body_ += c;
            }
        }
        body_ += '\n';
    }
    void number(std::string_view label, std::uint64_t value) {
        begin(label);
        body_ += std::to_string(value);
        body_ += '\n';
    }
    void time(std::string_view label, std::uint64_t wallNs) {
        begin(label);
        body_ += formatLocalTime(static_cast<std::int64_t>(wallNs / kNsPerSecond), kTimeFormat);
        body_ += '\n';
    }
    void percent(std::string_view label, double value) {
        begin(label);
        body_ += twoDecimals(value);
        body_ += '\n';
    }
    void beginPool() {}
    void beginWorkers() {}
    void beginWorker() { body_ += "\n************************\n"; }
    void endWorker() {}
    void endWorkers() {}
    void endPool() {}
    std::string take() { return std::move(body_); }

  private:
    void begin(std::string_view label) {
        constexpr std::size_t kColumn = 22;
        const std::size_t start = body_.size();
        body_ += label;
        body_ += ':';
        body_.append(kColumn - std::min(kColumn, body_.size() - start), ' ');
    }
    std::string body_;
};

/// The code point that starts at `text` and its length; nothing when that is not UTF-8.
struct CodePoint {
    std::uint32_t value;
    std::size_t length;
};
std::optional<CodePoint> decodeUtf8(std::string_view text) {
    const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
    const unsigned char lead = byte(0);
    const std::size_t length = lead < 0x80   ? 1
                               : lead < 0xC2 ? 0
                               : lead < 0xE0 ? 2
                               : lead < 0xF0 ? 3
                               : lead < 0xF5 ? 4
                                             : 0;
    if (length == 0 || text.size() < length) {
        return std::nullopt;
    }
    std::uint32_t value = length == 1 ? lead : lead & (0x7FU >> length);
    for (std::size_t i = 1; i < length; ++i) {
        if ((byte(i) & 0xC0U) != 0x80U) {
            return std::nullopt;
        }
        value = value << 6 | (byte(i) & 0x3FU);
    }
    const bool overlong = (length == 3 && value < 0x800) || (length == 4 && value < 0x10000);
    if (overlong || (value >= 0xD800 && value < 0xE000) || value > 0x10FFFF) {
        return std::nullopt;
    }
    return CodePoint{value, length};
}

class JsonEncoder {
  public:
    void text(std::string_view label, std::string_view value) {
        begin(label);
        body_ += '"';
        while (!value.empty()) {
            const auto point = decodeUtf8(value);
            if (point) {
                encode(point->value);
            }
            value.remove_prefix(point ? point->length : 1);
        }
        body_ += '"';
    }
    void number(std::string_view label, std::uint64_t value) {
        begin(label);
        body_ += std::to_string(value);
    }
    void time(std::string_view label, std::uint64_t wallNs) {
        number(label, wallNs / kNsPerSecond);
    }
    void percent(std::string_view label, double value) {
        begin(label);
        body_ += twoDecimals(value);
    }
    void beginPool() { open(); }
    void beginWorkers() {
        body_ += ", \"processes\":[";
        first_ = true;
    }
    void beginWorker() {
        if (!std::exchange(firstWorker_, false)) {
            body_ += ',';
        }
        open();
    }
    void endWorker() { body_ += '}'; }
    void endWorkers() { body_ += ']'; }
    void endPool() { body_ += '}'; }
    std::string take() { return std::move(body_); }

  private:
    void open() {
        body_ += '{';
        first_ = true;
    }
    // Labels are ours and need no escaping; php-fpm's JSON keys are the text labels in lower case.
    void begin(std::string_view label) {
        if (!std::exchange(first_, false)) {
            body_ += ',';
        }
        body_ += '"';
        for (const char c : label) {
            body_ += toLower(c);
        }
        body_ += "\":";
    }
    void encode(std::uint32_t point) {
        constexpr std::string_view kShort = "\"\"\\\\//\bb\ff\nn\rr\tt";
        for (std::size_t i = 0; i < kShort.size(); i += 2) {
            if (point == static_cast<unsigned char>(kShort[i])) {
                body_ += '\\';
                body_ += kShort[i + 1];
                return;
            }
        }
        if (point >= 0x20 && point < 0x80) {
            body_ += static_cast<char>(point);
        } else if (point < 0x10000) {
            unit(point);
        } else {
            unit(0xD800 + ((point - 0x10000) >> 10));
            unit(0xDC00 + ((point - 0x10000) & 0x3FF));
        }
    }
    void unit(std::uint32_t value) {
        char escaped[7];
        std::snprintf(escaped, sizeof escaped, "\\u%04" PRIx32, value & 0xFFFF);
        body_ += escaped;
    }
    std::string body_;
    bool first_ = true;
    bool firstWorker_ = true;
};

// ---- the fields, in php-fpm's order ----

// Ordinals of config::ProcessManager, which this room does not know.
const char* processManagerName(std::uint32_t ordinal) {
    constexpr std::array kNames = {"unknown", "static", "dynamic", "ondemand"};
    return ordinal < kNames.size() ? kNames[ordinal] : kNames[0];
}

template <typename Encoder>
void poolFields(Encoder& out, const PoolSnapshot& pool) {
    const Totals& totals = pool.totals;
    out.text("pool", pool.name);
    out.text("process manager", processManagerName(pool.processManager));
    out.time("start time", pool.startedWallNs);
    out.number("start since", (pool.takenWallNs - pool.startedWallNs) / kNsPerSecond);
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
}

std::string_view orDash(const char* text) {
    return *text == '\0' ? "-" : text;
}

std::string uriWithQuery(const RequestFacts& facts) {
    std::string uri(orDash(facts.uri));
    if (*facts.query != '\0') {
        uri += '?';
        uri += facts.query;
    }
    return uri;
}

// Share of one processor the last request took; a request too short to measure took none.
double cpuPercent(const RequestFacts& facts) {
    if (facts.durationNs == 0) {
        return 0;
    }
    return static_cast<double>(facts.cpuNs) / static_cast<double>(facts.durationNs) * 100;
}

template <typename Encoder>
void workerFields(Encoder& out, const WorkerSnapshot& worker, std::uint64_t nowNs) {
    const RequestFacts& facts = worker.facts;
    const bool idle = worker.stage == Stage::idle || worker.stage == Stage::starting;
    const std::uint64_t durationNs = idle ? facts.durationNs : nowNs - facts.acceptedNs;
    out.number("pid", static_cast<std::uint64_t>(worker.pid));
    out.text("state", stageName(worker.stage));
    out.time("start time", worker.startedWallNs);
    out.number("start since", (nowNs - worker.startedNs) / kNsPerSecond);
    out.number("requests", facts.requests);
    out.number("request duration", durationNs / 1000);
    out.text("request method", orDash(facts.method));
    out.text("request URI", uriWithQuery(facts));
    out.number("content length", static_cast<std::uint64_t>(facts.contentLength));
    out.text("user", orDash(facts.user));
    out.text("script", orDash(facts.script));
    out.percent("last request cpu", idle ? cpuPercent(facts) : 0);
    out.number("last request memory", idle ? facts.memoryPeak : 0);
}

template <typename Encoder>
std::string render(Encoder out, const PoolSnapshot& snapshot, bool full) {
    out.beginPool();
    poolFields(out, snapshot);
    if (full) {
        out.beginWorkers();
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

// ---- the query string, as PHP would make $_GET of it ----

int hexDigit(char c) {
    if (c >= '0' && c <= '9') {
        return c - '0';
    }
    const char lower = toLower(c);
    return lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : -1;
}

// "a%5B1%5D=x" is the key "a": decoded first, then cut at '['.
std::string keyOf(std::string_view pair) {
    const std::string_view raw = pair.substr(0, pair.find('='));
    std::string key;
    for (std::size_t i = 0; i < raw.size(); ++i) {
        char c = raw[i] == '+' ? ' ' : raw[i];
        if (c == '%' && i + 2 < raw.size() && hexDigit(raw[i + 1]) >= 0 &&
            hexDigit(raw[i + 2]) >= 0) {
            c = static_cast<char>(hexDigit(raw[i + 1]) * 16 + hexDigit(raw[i + 2]));
            i += 2;
        }
        if (c == '[' || c == '\0') {
            break;
        }
        if (c != ' ' || !key.empty()) {
            key += c;
        }
    }
    return key;
}

}  // namespace

StatusQuery parseStatusQuery(std::string_view queryString) {
    StatusQuery query;
    while (!queryString.empty()) {
        const std::size_t end = std::min(queryString.find('&'), queryString.size());
        const std::string key = keyOf(queryString.substr(0, end));
        if (key == "json") {
            query.format = StatusFormat::json;
        } else if (key == "full") {
            query.full = true;
        }
        queryString.remove_prefix(std::min(end + 1, queryString.size()));
    }
    return query;
}

StatusPage renderStatus(const PoolSnapshot& snapshot, const StatusQuery& query) {
    if (query.format == StatusFormat::json) {
        return {"Content-Type: application/json", render(JsonEncoder{}, snapshot, query.full)};
    }
    return {"Content-type: text/plain;charset=UTF-8", render(TextEncoder{}, snapshot, query.full)};
}

}  // namespace muster::scoreboard
