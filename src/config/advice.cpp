// Limits of the host, and settings measured by them.
#include "config/advice.h"

#include <algorithm>
#include <charconv>

#include "base/io.h"
#include "config/text.h"

namespace muster::config {
namespace {

constexpr std::uint64_t kMebibyte = 1U << 20U;
/// An idle worker adds some 0.3 MiB to its manager's memory (measured, with its page tables), one
/// that has run a small script about 1 MiB; applications take ten times as much and more.
constexpr std::uint64_t kLeastPerWorker = kMebibyte;

/// The number at the start of a small file, behind `label` if there is one.
std::optional<std::uint64_t> numberIn(const std::string& path, std::string_view label = {}) {
    constexpr std::size_t kLargest = 1U << 16U;
    const auto content = readFile(path, kLargest);
    if (!content) {
        return std::nullopt;
    }
    std::string_view text = *content;
    const std::size_t at = text.find(label);
    if (at == std::string_view::npos) {
        return std::nullopt;
    }
    text = trimmed(text.substr(at + label.size()));
    std::uint64_t number = 0;
    const auto parsed = std::from_chars(text.data(), text.data() + text.size(), number);
    return parsed.ec == std::errc{} ? std::optional(number) : std::nullopt;
}

void lower(std::optional<std::uint64_t>& limit, std::optional<std::uint64_t> other) {
    if (other && (!limit || *other < *limit)) {
        limit = other;
    }
}

/// The least limit of a control group and of those around it.
std::optional<std::uint64_t> groupLimit(const std::string& mount, std::string path,
                                        const char* file) {
    std::optional<std::uint64_t> least;
    for (;;) {
        while (path.ends_with('/')) {
            path.pop_back();
        }
        lower(least, numberIn(mount + path + "/" + file));
        if (path.empty()) {
            return least;
        }
        path.resize(path.rfind('/') == std::string::npos ? 0 : path.rfind('/'));
    }
}

/// Lines are "ID:CONTROLLERS:PATH"; version 2 has no controllers there.
std::optional<std::uint64_t> groupMemory(const std::string& root) {
    constexpr std::size_t kLargest = 1U << 16U;
    const auto content = readFile(root + "/proc/self/cgroup", kLargest);
    std::optional<std::uint64_t> least;
    std::string_view rest = content ? std::string_view(*content) : std::string_view();
    while (!rest.empty()) {
        const std::string_view line = rest.substr(0, rest.find('\n'));
        rest.remove_prefix(std::min(line.size() + 1, rest.size()));
        const std::size_t first = line.find(':');
        const std::size_t second = line.find(':', first + 1);
        if (first == std::string_view::npos || second == std::string_view::npos) {
            continue;
        }
        const std::string_view controllers = line.substr(first + 1, second - first - 1);
        const std::string path(line.substr(second + 1));
        if (controllers.empty()) {
            lower(least, groupLimit(root + "/sys/fs/cgroup", path, "memory.max"));
        } else if (controllers == "memory") {
            lower(least, groupLimit(root + "/sys/fs/cgroup/memory", path, "memory.limit_in_bytes"));
        }
    }
    return least;
}

void adviseOnPool(const PoolDraft& draft, const HostLimits& host, std::vector<Message>& messages) {
    const PoolSettings& pool = draft.settings;
    const auto warn = [&](std::string_view directive, int value, const std::string& text,
                          const std::string& detail) {
        const auto line = draft.marks.written.find(directive);
        const std::string place =
            line == draft.marks.written.end() ? "" : " at " + where(line->second);
        messages.push_back({LogLevel::warning,
                            "[pool " + verbatim(pool.name) + "] " + std::string(directive) + "(" +
                                std::to_string(value) + ") " + text,
                            quoted(std::to_string(value)) + place + ", " + detail});
    };
    if (pool.maxRequests == 1) {
        warn("pm.max_requests", pool.maxRequests, "starts a new worker for every request",
             "expected 0 (never a new one) or some hundreds");
    }
    if (pool.listenBacklog > 0 && host.longestQueue &&
        static_cast<std::uint64_t>(pool.listenBacklog) > *host.longestQueue) {
        warn("listen.backlog", pool.listenBacklog,
             "is cut by the kernel to " + std::to_string(*host.longestQueue),
             "raise net.core.somaxconn, or write -1 for as many as it allows");
    }
}

void adviseOnMemory(const Draft& draft, const HostLimits& host, std::vector<Message>& messages) {
    std::uint64_t workers = 0;
    for (const PoolDraft& pool : draft.pools) {
        workers += static_cast<std::uint64_t>(std::max(pool.settings.maxChildren, 0));
    }
    if (draft.global.processMax > 0) {
        workers = std::min(workers, static_cast<std::uint64_t>(draft.global.processMax));
    }
    if (!host.memory || workers <= *host.memory / kLeastPerWorker) {
        return;
    }
    constexpr std::uint64_t kEach = kLeastPerWorker / kMebibyte;
    messages.push_back({LogLevel::warning,
                        "there is no memory for " + std::to_string(workers) +
                            " workers, which pm.max_children of all pools allows",
                        "even at " + std::to_string(kEach) + " MiB for each they need " +
                            std::to_string(workers * kEach) + " MiB, and there are " +
                            std::to_string(*host.memory / kMebibyte) +
                            " MiB; lower pm.max_children, or set process.max"});
}

}  // namespace

HostLimits readHostLimits(const std::string& root) {
    constexpr std::uint64_t kKibibyte = 1024;
    HostLimits limits;
    limits.longestQueue = numberIn(root + "/proc/sys/net/core/somaxconn");
    limits.memory = numberIn(root + "/proc/meminfo", "MemTotal:");
    if (limits.memory) {
        *limits.memory *= kKibibyte;
    }
    lower(limits.memory, groupMemory(root));
    return limits;
}

void advise(Draft& draft, const HostLimits& host) {
    for (const PoolDraft& pool : draft.pools) {
        adviseOnPool(pool, host, draft.messages);
    }
    adviseOnMemory(draft, host, draft.messages);
}

}  // namespace muster::config
