// PoolSet's part that opens access and slow logs again and hands logs to the managers.
#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <cerrno>

#include "master/pool_set.h"

namespace muster::master {
namespace {

constexpr std::chrono::milliseconds kAgain{100};

}  // namespace

bool PoolSet::reopenLogs() {
    std::set<const UniqueFd*> seen;
    bool anyReopened = false;
    bool allReopened = true;
    const auto reopenOf = [&](const PoolPlan& plan) {
        const config::PoolSettings& pool = plan.inputs.pool;
        UniqueFd* accessLog = plan.accessLog.get();
        if (accessLog != nullptr && seen.insert(accessLog).second) {
            const auto done = reopen(
                *accessLog, "failed to open access log (" + pool.accessLog + ")", pool.accessLog);
            if (done) {
                log_->debug("open access log (" + pool.accessLog + ")");
                anyReopened = true;
            } else {
                log_->error(done.error().text());
                log_->error("unable to re-opened access log file");
                allReopened = false;
            }
        }
        UniqueFd* slowLog = plan.slowLog.get();
        if (slowLog != nullptr && seen.insert(slowLog).second) {
            const auto done =
                reopen(*slowLog, "unable to open slowlog (" + pool.slowlog + ")", pool.slowlog);
            if (!done) {
                log_->error(done.error().text());
                allReopened = false;
            }
        }
    };
    forEachGeneration([&](Incarnation& incarnation) {
        reopenOf(incarnation.plan);
        sendLogs(incarnation);
    });
    for (const Pool& pool : pools_) {  // without a manager now, with one later
        for (const std::optional<PoolPlan>* plan : {&pool.plan, &pool.next}) {
            if (*plan) {
                reopenOf(**plan);
            }
        }
    }
    if (anyReopened) {
        log_->notice("access log file re-opened");
    }
    return allReopened;
}

// Same number, so that a restart of this plan inherits the new file.
Result<void> PoolSet::reopen(UniqueFd& log, const std::string& failure, const std::string& path) {
    const auto file = files_->openLog(failure, path);
    if (!file) {
        return tl::make_unexpected(file.error());
    }
    return ::dup3(file->get(), log.get(), O_CLOEXEC) < 0 ? errnoError(failure) : Result<void>{};
}

void PoolSet::sendLogs() {
    forEachGeneration([this](Incarnation& incarnation) { sendLogs(incarnation); });
}

void PoolSet::sendLogs(Incarnation& incarnation) {
    const UniqueFd* accessLog = incarnation.plan.accessLog.get();
    const UniqueFd* slowLog = incarnation.plan.slowLog.get();
    const auto sent =
        incarnation.generation->sendLogs({.errorLog = files_->target(),
                                          .accessLog = accessLog != nullptr ? accessLog->get() : -1,
                                          .slowLog = slowLog != nullptr ? slowLog->get() : -1,
                                          .syslog = files_->syslog()});
    incarnation.logsDue =
        !sent && (sent.error().code == std::errc::resource_unavailable_try_again ||
                  sent.error().code.value() == ETOOMANYREFS);
    if (incarnation.logsDue) {
        sendLogsAgain();
    } else if (!sent) {
        // One that has just ended needs none; how it ended is said when it is reaped.
        const bool gone = sent.error().code == std::errc::broken_pipe;
        log_->write(gone ? LogLevel::debug : LogLevel::error,
                    fmt::format("[pool {}] manager {} could not be given its logs: {}",
                                incarnation.plan.inputs.pool.name, incarnation.generation->pid(),
                                sent.error().text()));
    }
}

// A manager that loads PHP reads nothing meanwhile, and its channel holds a few messages only.
void PoolSet::sendLogsAgain() {
    if (logsWatch_) {
        return;
    }
    logsWatch_ = loop_->after(kAgain, [this] {
        logsWatch_.cancel();
        forEachGeneration([this](Incarnation& incarnation) {
            if (incarnation.logsDue) {
                sendLogs(incarnation);
            }
        });
    });
}

}  // namespace muster::master
