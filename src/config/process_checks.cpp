// Rules on the pool's process numbers: pm and everything below it.
#include "config/checks.h"
#include "config/text.h"

namespace muster::config {
namespace {

bool dynamic(const CheckContext& context) {
    return context.pool->pm == ProcessManager::dynamic && !context.failed("pm");
}

bool ondemand(const CheckContext& context) {
    return context.pool->pm == ProcessManager::ondemand && !context.failed("pm");
}

std::string named(const CheckContext& context, std::string_view directive, int value) {
    return std::string(directive) + " " + context.found(directive, value);
}

bool spareUsable(const CheckContext& context) {
    const PoolSettings& pool = *context.pool;
    return !context.failed("pm.min_spare_servers") && !context.failed("pm.max_spare_servers") &&
           pool.minSpareServers > 0 && pool.maxSpareServers > 0;
}

bool maxChildrenUsable(const CheckContext& context) {
    return !context.failed("pm.max_children") && context.pool->maxChildren > 0;
}

/// The limits agree with each other, so pm.start_servers can be judged by them.
bool spareSound(const CheckContext& context) {
    const PoolSettings& pool = *context.pool;
    return spareUsable(context) && maxChildrenUsable(context) &&
           pool.minSpareServers <= pool.maxSpareServers && pool.maxSpareServers <= pool.maxChildren;
}

std::string text(int value) {
    return std::to_string(value);
}

}  // namespace

void checkProcessManager(CheckContext& context) {
    PoolSettings& pool = *context.pool;
    if (pool.pm == ProcessManager::unset) {
        context.report(LogLevel::alert,
                       "the process manager is missing (static, dynamic or ondemand)",
                       "expected pm = static, dynamic or ondemand in " + context.section());
    }
    if (ondemand(context)) {
        pool.startServers = 0;
        pool.minSpareServers = 0;
        pool.maxSpareServers = 0;
    }
}

void checkMaxChildren(CheckContext& context) {
    const int value = context.pool->maxChildren;
    if (value < 1) {
        context.report(LogLevel::alert, "pm.max_children must be a positive value",
                       context.found("pm.max_children", value) + ", expected at least 1");
    }
}

void checkMinSpare(CheckContext& context) {
    const int value = context.pool->minSpareServers;
    if (dynamic(context) && value <= 0) {
        context.report(LogLevel::alert,
                       "pm.min_spare_servers(" + text(value) + ") must be a positive value",
                       context.found("pm.min_spare_servers", value) +
                           ", expected at least 1 with pm = dynamic");
    }
}

void checkMaxSpare(CheckContext& context) {
    const PoolSettings& pool = *context.pool;
    const int least = pool.minSpareServers;
    const int most = pool.maxSpareServers;
    if (!dynamic(context)) {
        return;
    }
    if (most <= 0) {
        context.report(LogLevel::alert,
                       "pm.max_spare_servers(" + text(most) + ") must be a positive value",
                       context.found("pm.max_spare_servers", most) +
                           ", expected at least 1 with pm = dynamic");
    }
    if (!spareUsable(context)) {
        return;
    }
    if (maxChildrenUsable(context) && (least > pool.maxChildren || most > pool.maxChildren)) {
        context.report(LogLevel::alert,
                       "pm.min_spare_servers(" + text(least) + ") and pm.max_spare_servers(" +
                           text(most) + ") cannot be greater than pm.max_children(" +
                           text(pool.maxChildren) + ")",
                       named(context, "pm.min_spare_servers", least) + ", " +
                           named(context, "pm.max_spare_servers", most) + ", " +
                           named(context, "pm.max_children", pool.maxChildren));
    }
    if (most < least) {
        context.report(LogLevel::alert,
                       "pm.max_spare_servers(" + text(most) +
                           ") must not be less than pm.min_spare_servers(" + text(least) + ")",
                       named(context, "pm.max_spare_servers", most) + ", " +
                           named(context, "pm.min_spare_servers", least));
    }
}

void checkStartServers(CheckContext& context) {
    PoolSettings& pool = *context.pool;
    const int least = pool.minSpareServers;
    const int most = pool.maxSpareServers;
    if (!dynamic(context) || !spareSound(context)) {
        return;
    }
    if (pool.startServers <= 0) {
        pool.startServers = least + (most - least) / 2;
        context.report(
            LogLevel::notice,
            "pm.start_servers is not set. It's been set to " + text(pool.startServers) + ".", "");
    } else if (pool.startServers < least || pool.startServers > most) {
        context.report(LogLevel::alert,
                       "pm.start_servers(" + text(pool.startServers) +
                           ") must not be less than pm.min_spare_servers(" + text(least) +
                           ") and not greater than pm.max_spare_servers(" + text(most) + ")",
                       context.found("pm.start_servers", pool.startServers) +
                           ", expected a number from " + text(least) + " to " + text(most));
    }
}

void checkSpawnRate(CheckContext& context) {
    const int value = context.pool->maxSpawnRate;
    if (dynamic(context) && value < 1) {
        context.report(LogLevel::alert, "pm.max_spawn_rate must be a positive value",
                       context.found("pm.max_spawn_rate", value) + ", expected at least 1");
    }
}

void checkQueueLimit(CheckContext& context) {
    constexpr int kMost = 100'000;
    const int limit = context.pool->queueLimit;
    if (limit < 0 || limit > kMost) {
        context.report(LogLevel::alert, "pm.queue_limit must be a number from 0 to 100000",
                       context.found("pm.queue_limit", limit) +
                           ", expected 0 (no queue) or the number of requests that may wait");
    }
}

void checkQueueTimeout(CheckContext& context) {
    const int timeout = context.pool->queueTimeout;
    if (timeout < 0) {
        context.report(LogLevel::alert, "pm.queue_timeout must not be negative",
                       context.found("pm.queue_timeout", timeout) +
                           ", expected 0 (no limit) or a time such as 5s");
    } else if (timeout > 0 && context.pool->queueLimit == 0 && !context.failed("pm.queue_limit")) {
        context.report(LogLevel::warning, "pm.queue_timeout has no effect without pm.queue_limit",
                       context.found("pm.queue_timeout", timeout));
    }
}

void checkQueueRetryAfter(CheckContext& context) {
    const int seconds = context.pool->queueRetryAfter;
    if (seconds < 1) {
        context.report(LogLevel::alert, "pm.queue_retry_after must be a positive value",
                       context.found("pm.queue_retry_after", seconds) + ", expected at least 1s");
    }
}

void checkMaxWaiting(CheckContext& context) {
    const int value = context.pool->listenMaxWaiting;
    if (value < 1) {
        context.report(LogLevel::alert, "listen.max_waiting must be a positive value",
                       context.found(context.name, value) + ", expected at least 1");
    }
}

void checkOndemand(CheckContext& context) {
    constexpr int kLeastBacklog = -1;
    const int timeout = context.pool->processIdleTimeout;
    int& backlog = context.pool->listenBacklog;
    if (!ondemand(context)) {
        return;
    }
    if (timeout < 1) {
        context.report(
            LogLevel::alert,
            "pm.process_idle_timeout(" + text(timeout) + "s) must be greater than 0s",
            context.found("pm.process_idle_timeout", timeout) + ", expected at least 1 second");
    }
    if (backlog < kLeastBacklog) {
        context.report(LogLevel::warning,
                       "listen.backlog(" + text(backlog) +
                           ") was too low for the ondemand process manager. I updated it for you "
                           "to " +
                           text(kLeastBacklog) + ".",
                       context.found("listen.backlog", backlog));
        backlog = kLeastBacklog;
    }
}

void checkManagerLife(CheckContext& context) {
    const ProcessManager pm = context.pool->pm;
    if (isLazy(*context.pool) && !context.failed("pm.manager") && pm != ProcessManager::unset &&
        !ondemand(context)) {
        context.report(LogLevel::error, "pm.manager = lazy needs pm = ondemand",
                       context.found("pm.manager", "lazy") + ", " +
                           context.found("pm", processManagerName(pm)));
    }
}

}  // namespace muster::config
