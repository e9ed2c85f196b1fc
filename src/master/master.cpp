// What each signal means in each state.
#include "master/master.h"

#include <fmt/format.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>

#include "base/clock.h"
#include "master/orphans.h"
#include "master/pid_file.h"
#include "master/process_limits.h"

namespace muster::master {

using std::chrono::milliseconds;

namespace {

constexpr milliseconds kOverdueCheck{1000};

}  // namespace

Master::Master(const Invocation& invocation, log::ErrorLog& log, LogFiles& files, EventLoop loop,
               SignalPipe signals, Starter& starter, InheritedSockets inherited)
    : invocation_(invocation),
      log_(log),
      files_(files),
      loop_(std::move(loop)),
      signals_(std::move(signals)),
      starter_(starter),
      listeners_(log_, std::move(inherited)),
      pools_(loop_, log_, files_, {[this] { reloadIfWanted(); }, [this] { workerCrashed(); }}),
      service_(loop_, log_, [this] { return pools_.activity(); }),
      bornWith_(ownChildren()) {}

const char* Master::stateName(State state) {
    switch (state) {
        case State::finishing:
            return "finishing";
        case State::terminating:
            return "terminating";
        case State::starting:
        case State::serving:
            break;
    }
    return "normal";
}

// --- Start ----------------------------------------------------------------------------------

int Master::run(Prepared prepared) {
    global_ = prepared.global;
    monitor_ = prepared.monitor;
    setProcessTitle(invocation_.titlePrefix + "master process (" + invocation_.configFile + ")");
    signalWatch_ = loop_.whenReadable(signals_.fd(), [this] { onSignals(); });
    if (!takeRights(global_, prepared.pools)) {
        return kExitConfiguration;
    }
    if (auto opened = openListeners(prepared.pools); !opened) {
        log_.error(opened.error().text());
        listeners_.abandon();
        return kExitConfiguration;
    }
    listeners_.dropUnclaimed();
    log_.debug(fmt::format("event module is epoll and {} fds have been reserved",
                           1 + prepared.pools.size()));
    if (auto written = writePidFile(global_.pid); !written) {
        log_.error(written.error().text());
        listeners_.abandon();
        return kExitConfiguration;
    }
    files_.launched();
    log_.notice(fmt::format("fpm is running, pid {}", ::getpid()));
    crashes_.configure(global_.emergencyRestartThreshold, global_.emergencyRestartInterval);
    pools_.renew(std::move(prepared.pools), {drainDeadline(global_), global_.processMax},
                 [this](const PoolSet::Report& report) { started(report); });
    loop_.run();
    return cleanUp();
}

bool Master::takeRights(const config::GlobalSettings& global, std::vector<PoolPlan>& plans) {
    if (auto set = applyGlobalPriority(global, invocation_.runsAsRoot, log_); !set) {
        log_.error(set.error().text());
        return false;
    }
    return resolveUsers(invocation_, plans, log_);
}

Result<void> Master::openListeners(std::vector<PoolPlan>& plans) {
    for (PoolPlan& plan : plans) {
        auto listener = listeners_.acquire(plan.inputs.pool);
        if (!listener) {
            return tl::make_unexpected(listener.error());
        }
        plan.listener = *listener;
        const config::PoolSettings& pool = plan.inputs.pool;
        if (!pool.statusListen.empty()) {
            auto status = listeners_.acquire(pool, pool.statusListen);
            if (!status) {
                return tl::make_unexpected(status.error());
            }
            plan.statusListener = *status;
        }
    }
    return {};
}

void Master::started(const PoolSet::Report& report) {
    if (report.ready == 0) {
        exitStatus_ = kExitConfiguration;
        terminate();
        return;
    }
    state_ = State::serving;
    announceReady();
    starter_.tellUp();
    if (reloadWanted_) {
        reload();
    }
}

void Master::announceReady() {
    log_.debug(fmt::format("{} bytes have been reserved in SHM", pools_.sharedMemory()));
    log_.notice("ready to handle connections");
    service_.ready(monitor_);
}

// --- Signals --------------------------------------------------------------------------------

void Master::onSignals() {
    bool childDied = false;
    while (const int signal = signals_.next()) {
        log_.debug(std::string("received ") + signalName(signal));
        if (signal == SIGCHLD) {
            childDied = true;
        } else {
            onSignal(signal);
        }
    }
    if (childDied) {
        reap();
    }
}

void Master::onSignal(int signal) {
    switch (signal) {
        case SIGTERM:
        case SIGINT:
            log_.notice("Terminating ...");
            terminate();
            break;
        case SIGQUIT:
            log_.notice("Finishing ...");
            finish();
            break;
        case SIGUSR1:
            reopenLogs();
            break;
        case SIGUSR2:
        case SIGHUP:
            log_.notice("Reloading in progress ...");
            reload();
            break;
        default:
            break;
    }
}

void Master::finish() {
    if (!mayEnter(State::finishing, "finishing")) {
        return;
    }
    state_ = State::finishing;
    service_.stopping("Finishing");
    pools_.drainAll(drainDeadline(global_));
    endIfDone();
}

void Master::terminate() {
    if (!mayEnter(State::terminating, "terminating")) {
        return;
    }
    state_ = State::terminating;
    service_.stopping("Terminating");
    pools_.terminateAll();
    killWatch_ = loop_.every(kOverdueCheck, [this] { pools_.killOverdue(); });
    endIfDone();
}

// A reload is an episode of `serving`, not a state of its own; it is named like one in the log.
bool Master::mayEnter(State wanted, const char* name) {
    if (state_ == wanted && wanted != State::serving) {
        return false;
    }
    if (state_ > wanted) {
        log_.debug(fmt::format("not switching to '{}' state, because already in '{}' state", name,
                               stateName(state_)));
        return false;
    }
    log_.debug(fmt::format("switching to '{}' state", name));
    return true;
}

void Master::reopenLogs() {
    if (auto reopened = files_.reopen(); reopened) {
        log_.notice("error log file re-opened");
    } else {
        log_.error(reopened.error().text());
        log_.error("unable to re-opened error log file");
    }
    pools_.reopenLogs();
}

void Master::reap() {
    while (const auto death = reapChild()) {
        if (!pools_.onDeath(death->pid, death->status)) {
            logUnknownChild(death->pid, describeExit(death->status));
        }
    }
    reloadIfWanted();
    endIfDone();
}

void Master::logUnknownChild(pid_t pid, const std::string& exit) {
    if (::getpid() == 1) {
        log_.debug(
            fmt::format("unknown child ({}) exited {} - most likely an orphan process "
                        "(master process is the init process)",
                        pid, exit));
    } else if (std::erase(bornWith_, pid) > 0) {
        log_.warning(
            fmt::format("unknown child ({}) exited {} - potentially a bug or pre exec "
                        "child (e.g. s6-notifyoncheck)",
                        pid, exit));
    } else {
        // A subreaper's daily bread: what scripts started, workers whose manager died.
        log_.debug(fmt::format("child {} of a process that is gone exited {}", pid, exit));
    }
}

// --- Reload ---------------------------------------------------------------------------------

void Master::reload() {
    // Signals during a start or a reload become one more reload; it also waits while earlier
    // generations still finish long requests, so that the number of processes stays bounded.
    const bool stopping = state_ > State::serving;
    reloadWanted_ = !stopping && (state_ == State::starting || pools_.isRenewing() ||
                                  !pools_.hasRoomForRenewal());
    if (reloadWanted_ || !mayEnter(State::serving, "reloading")) {
        return;
    }
    service_.reloading();
    const std::set<std::string> before = listeners_.addresses();
    auto prepared = prepareReload(before);
    if (!prepared) {
        listeners_.forgetChanges();
        log_.error("the reload is refused, the running configuration stays in force");
        service_.refused();
        return;
    }
    log_.setLevel(prepared->global.effectiveLogLevel());
    log_.setLimit(prepared->global.logLimit);
    log_.setFormat(prepared->global.logFormat);
    // These two belong to how the master was started and stay as they are until it ends.
    prepared->global.pid = global_.pid;
    prepared->global.daemonize = global_.daemonize;
    global_ = prepared->global;
    monitor_ = prepared->monitor;
    announceReload(prepared->pools, before);
    listeners_.applyChanges();
    crashes_.configure(global_.emergencyRestartThreshold, global_.emergencyRestartInterval);
    pools_.renew(std::move(prepared->pools), {drainDeadline(global_), global_.processMax},
                 [this](const PoolSet::Report& report) { reloaded(report); });
}

/// The whole new configuration with its sockets and logs, or nothing: then all is as before.
std::optional<Prepared> Master::prepareReload(const std::set<std::string>& before) {
    auto prepared = prepare(invocation_, log_, files_, false);
    if (!prepared) {
        return std::nullopt;
    }
    if (auto limited = applyGlobalLimits(prepared->global); !limited) {
        log_.error(limited.error().text());
        return std::nullopt;
    }
    if (!takeRights(prepared->global, prepared->pools)) {
        return std::nullopt;
    }
    if (auto opened = openListeners(prepared->pools); !opened) {
        log_.error(opened.error().text());
        listeners_.keepOnly(before);
        return std::nullopt;
    }
    if (auto opened = files_.open(prepared->global); !opened) {
        log_.error(opened.error().text());
        listeners_.keepOnly(pools_.addresses());
        return std::nullopt;
    }
    return prepared;
}

/// The lines of php-fpm's sequence, which log parsers wait for.
void Master::announceReload(const std::vector<PoolPlan>& plans,
                            std::set<std::string> addresses) const {
    log_.notice(fmt::format("reloading: a new generation of {} pool{} starts beside the old one",
                            plans.size(), plans.size() == 1 ? "" : "s"));
    for (const PoolPlan& plan : plans) {
        const config::PoolSettings& pool = plan.inputs.pool;
        for (const std::string& address : {pool.listen, pool.statusListen}) {
            if (addresses.erase(address) > 0) {
                listeners_.announceOpen(address);
            }
        }
    }
    // php-fpm inherits all sockets, and closes those of removed pools when it knows them.
    for (const std::string& address : addresses) {
        listeners_.announceOpen(address);
    }
    log_.notice(fmt::format("fpm is running, pid {}", ::getpid()));
}

void Master::reloadIfWanted() {
    if (reloadWanted_ && state_ == State::serving && !pools_.isRenewing()) {
        reload();
    }
}

void Master::reloaded(const PoolSet::Report& report) {
    listeners_.keepOnly(pools_.addresses());
    if (report.failed > 0) {
        log_.error(fmt::format("{} of {} pools could not be renewed", report.failed,
                               report.failed + report.ready));
    }
    announceReady();
    if (reloadWanted_) {
        reload();
    }
}

// Crashes while a reload is on its way say nothing about the workers it brings.
void Master::workerCrashed() {
    if (state_ != State::serving || reloadWanted_ || pools_.isRenewing() ||
        !crashes_.note(monotonicNs())) {
        return;
    }
    log_.warning(
        fmt::format("failed processes threshold ({} in {} sec) is reached, initiating reload",
                    crashes_.threshold(), crashes_.intervalSeconds()));
    reload();
}

// --- End ------------------------------------------------------------------------------------

void Master::endIfDone() {
    if ((state_ == State::finishing || state_ == State::terminating) && pools_.empty()) {
        loop_.stop();
    }
}

int Master::cleanUp() {
    endOrphanedWorkers();
    if (exitStatus_ == kExitOk) {
        listeners_.keepOnly({});
        log_.notice("exiting, bye-bye!");
    } else {
        listeners_.abandon();
    }
    if (auto removed = removePidFile(global_.pid); !removed) {
        log_.error(removed.error().text());
    }
    return exitStatus_;
}

}  // namespace muster::master
