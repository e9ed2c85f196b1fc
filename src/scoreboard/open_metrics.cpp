// The table of metrics.
#include "scoreboard/open_metrics.h"

#include <array>

#include "base/clock.h"
#include "scoreboard/status_encoders.h"
#include "scoreboard/status_values.h"

namespace muster::scoreboard {
namespace {

struct Metric {
    const char* name;
    const char* type;
    const char* help;
    std::uint64_t value;
};

void append(std::string& page, const Metric& metric) {
    const std::string name = std::string("phpfpm_") + metric.name;
    const std::string help = "# HELP " + name + ' ' + metric.help + '\n';
    const std::string type = "# TYPE " + name + ' ' + metric.type + '\n';
    // php-fpm has this one the other way round.
    const bool typeFirst = name == "phpfpm_listen_queue_length";
    page += typeFirst ? type + help : help + type;
    page += name + ' ' + std::to_string(metric.value) + '\n';
}

/// Of pools with pm.queue_limit.
void appendQueue(std::string& page, const PoolSnapshot& pool) {
    const Totals& totals = pool.totals;
    const auto metrics = std::to_array<Metric>({
        {"queued_requests", "gauge", "The number of requests in the manager's own queue.",
         pool.queued},
        {"oldest_queued_request_milliseconds", "gauge",
         "How long the oldest request in the manager's own queue has waited.",
         pool.queuedNs / kNsPerMs},
        {"max_queued_requests", "gauge",
         "The maximum number of requests in the manager's own queue since FPM has started.",
         totals.maxQueued},
        {"queue_limit", "gauge", "The most requests that may wait there (pm.queue_limit).",
         pool.queueLimit},
        {"queue_limit_rejections", "unknown",
         "The number of requests answered 503 because the queue was full.", totals.overLimit},
        {"queue_timeout_rejections", "unknown",
         "The number of requests answered 503 because they waited longer than pm.queue_timeout.",
         totals.overdue},
        {"queue_hang_ups", "unknown",
         "The number of connections whose client left while they waited in the queue.",
         totals.hungUp},
    });
    for (const Metric& metric : metrics) {
        append(page, metric);
    }
}

}  // namespace

// A counter's samples must be called …_total there, and php-fpm's are not: those that only grow are
// of unknown type, those that merely remember a maximum are gauges. The names stay php-fpm's.
std::string renderOpenMetrics(const PoolSnapshot& pool, const char* processManager,
                              const PoolLimits& limits) {
    const std::string up = "Could pool " + escapeOpenMetrics(pool.name) + " using a " +
                           processManager + " PM on PHP-FPM be reached?";
    const Totals& totals = pool.totals;
    const auto metrics = std::to_array<Metric>({
        {"up", "gauge", up.c_str(), 1},
        {"start_since", "gauge", "The number of seconds since FPM has started.",
         secondsSinceStart(pool)},
        {"accepted_connections", "unknown", "The number of requests accepted by the pool.",
         totals.requests},
        {"listen_queue", "gauge", "The number of requests in the queue of pending connections.",
         pool.listenPending},
        {"max_listen_queue", "gauge",
         "The maximum number of requests in the queue of pending connections since FPM has "
         "started.",
         totals.maxListenQueue},
        {"listen_queue_length", "gauge", "The size of the socket queue of pending connections.",
         pool.listenLimit},
        {"idle_processes", "gauge", "The number of idle processes.", pool.idle},
        {"active_processes", "gauge", "The number of active processes.", pool.active},
        {"total_processes", "gauge", "The number of idle + active processes.",
         std::uint64_t{pool.idle} + pool.active},
        {"max_active_processes", "gauge",
         "The maximum number of active processes since FPM has started.", totals.maxActive},
        {"max_children_reached", "unknown",
         "The number of times, the process limit has been reached, when pm tries to start more "
         "children (works only for pm 'dynamic' and 'ondemand').",
         totals.maxChildrenReached},
        {"slow_requests", "unknown",
         "The number of requests that exceeded your 'request_slowlog_timeout' value.",
         totals.slowRequests},
        {"memory_peak", "gauge", "The memory usage peak since FPM has started.", totals.memoryPeak},
        {"timed_out_requests", "unknown",
         "The number of requests that exceeded your 'request_terminate_timeout' value.",
         totals.timedOut},
        {"failed_requests", "unknown",
         "The number of requests answered with a status of 500 or more.", totals.failed},
        {"workers_died_young", "gauge",
         "How many workers in a row died before they served a request, while the next one is held "
         "back.",
         pool.youngDeaths},
        {"max_children", "gauge", "The most processes the pool may have (pm.max_children).",
         pool.maxChildren},
        {"max_requests", "gauge",
         "The number of requests after which a process is replaced, 0: never (pm.max_requests).",
         limits.maxRequests},
        {"request_terminate_timeout_seconds", "gauge",
         "The most time a request may take, 0: no limit (request_terminate_timeout).",
         limits.terminateTimeout},
        {"request_slowlog_timeout_seconds", "gauge",
         "The time from which a request is slow, 0: none is (request_slowlog_timeout).",
         limits.slowlogTimeout},
    });
    std::string page;
    for (const Metric& metric : metrics) {
        append(page, metric);
    }
    if (pool.queueLimit > 0) {
        appendQueue(page, pool);
    }
    return page + "# EOF\n";
}

}  // namespace muster::scoreboard
