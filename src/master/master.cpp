// What each signal means in each state.
#include "master/master.h"

#include <fmt/format.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>

#include "base/clock.h"
#include "base/identity.h"
#include "config/text.h"
#include "master/orphans.h"
#include "master/pid_file.h"
#include "master/process_limits.h"

namespace muster::master {

namespace {

constexpr std::size_t kSignalsPerTurn = 64;  // a storm must not keep the master from all else

/// A stop that comes twice at the same instant is no second thought, it came by two ways; and the
/// logs that were opened a moment ago are new.
bool countsOnce(int signal) {
    return signal == SIGTERM || signal == SIGINT || signal == SIGQUIT || signal == SIGUSR1;
}

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
      control_(loop_, log_, *this),
      check_(loop_),
      bornWith_(ownChildren()) {
    if (auto path = startedFrom()) {
        program_ = std::move(*path);
    }
}

const char* Master::stateName(State state) {
    switch (state) {
        case State::finishing:
            return "finishing";
        case State::terminating:
        case State::killing:
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
    openControl();
    log_.notice(fmt::format("fpm is running, pid {}", ::getpid()));
    crashes_.configure(global_.emergencyRestartThreshold, global_.emergencyRestartInterval);
    pools_.renew({.plans = std::move(prepared.pools)},
                 {drainDeadline(global_), global_.processMax, startDeadline(global_), {}},
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
        plan.inputs.ownsSockets =
            !listeners_.isInherited(pool.listen) && !listeners_.isInherited(pool.statusListen);
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
    reloadIfWanted();
}

void Master::announceReady() {
    log_.debug(fmt::format("{} bytes have been reserved in SHM", pools_.sharedMemory()));
    log_.notice("ready to handle connections");
    service_.ready(monitor_);
}

// --- Signals --------------------------------------------------------------------------------

void Master::onSignals() {
    // Read before anything is done: what comes meanwhile is a second thought.
    std::vector<int> signals;
    while (signals.size() < kSignalsPerTurn) {
        const int signal = signals_.next();
        if (signal == 0) {
            break;
        }
        signals.push_back(signal);
    }
    bool childDied = false;
    std::set<int> heard;
    for (const int signal : signals) {
        log_.debug(std::string("received ") + signalName(signal));
        if (signal == SIGCHLD) {
            childDied = true;
        } else if (heard.insert(signal).second || !countsOnce(signal)) {
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
            stop(termIsGraceful());
            break;
        case SIGINT:
            stop(false);
            break;
        case SIGQUIT:
            stop(true);
            break;
        case SIGUSR1:
            reopenLogs();
            break;
        case SIGUSR2:
        case SIGHUP:
            log_.notice("Reloading in progress ...");
            reload({.upgrade = programChanged(), .everything = true});
            break;
        default:
            break;
    }
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

bool Master::reopenLogs() {
    const auto reopened = files_.reopen();
    if (reopened) {
        log_.notice("error log file re-opened");
    } else {
        log_.error(reopened.error().text());
        log_.error("unable to re-opened error log file");
    }
    return pools_.reopenLogs() && reopened;
}

// --- The control socket ----------------------------------------------------------------------

void Master::openControl() {
    std::set<uid_t> users;
    for (const std::string& name : config::pieces(global_.controlAllowedUsers, ',')) {
        if (const auto user = findUserId(name)) {
            users.insert(*user);
        }
    }
    // The service is worth more than its remote control.
    if (auto open = control_.socket().listen(global_.controlSocket, std::move(users)); !open) {
        log_.warning("there is no control socket: " + open.error().text());
    }
}

Operations::CheckResult Master::check() {
    CheckResult result;
    auto before = log_.setListener([&result](LogLevel level, std::string_view text) {
        if (level >= LogLevel::warning) {
            result.problems.emplace_back(text);
        }
    });
    auto read = prepare(invocation_, log_, files_, false);
    result.ok = read && resolveUsers(invocation_, read->pools, log_);
    log_.setListener(std::move(before));
    return result;
}

std::string Master::stateText() const {
    if (state_ > State::serving) {
        return stateName(state_);
    }
    if (upgrading_) {
        return "upgrading";
    }
    return state_ == State::starting ? "starting" : pools_.isRenewing() ? "reloading" : "serving";
}

void Master::reap() {
    while (const auto death = reapChild()) {
        if (!pools_.onDeath(death->pid, death->status) &&
            !check_.onDeath(death->pid, death->status)) {
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

// Crashes while a reload is on its way say nothing about the workers it brings.
void Master::workerCrashed() {
    if (state_ != State::serving || wanted_ || pools_.isRenewing() ||
        !crashes_.note(monotonicNs())) {
        return;
    }
    log_.warning(
        fmt::format("failed processes threshold ({} in {} sec) is reached, initiating reload",
                    crashes_.threshold(), crashes_.intervalSeconds()));
    reload({.everything = true});
}

}  // namespace muster::master
