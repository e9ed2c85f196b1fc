// Start-up in order, and what each signal means in each state.
#include "master/master.h"

#include <fmt/format.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>

#include "base/clock.h"
#include "base/event_loop.h"
#include "base/process.h"
#include "base/signals.h"
#include "config/configuration.h"
#include "master/emergency.h"
#include "master/listeners.h"
#include "master/orphans.h"
#include "master/pid_file.h"
#include "master/pool_set.h"
#include "master/process_limits.h"
#include "master/service_manager.h"

namespace muster::master {
namespace {

using std::chrono::milliseconds;

constexpr milliseconds kOverdueCheck{1000};

/// For everything of a start but the pools, which have deadlines of their own.
constexpr milliseconds kStartPatience{10'000};

/// What the operator asked for last that counts. Later states never go back to earlier ones.
enum class State { starting, serving, finishing, terminating };

const char* stateName(State state) {
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

class Master {
  public:
    Master(const Invocation& invocation, log::ErrorLog& log, LogFiles& files, EventLoop loop,
           SignalPipe signals, Starter& starter, InheritedSockets inherited)
        : invocation_(invocation),
          log_(log),
          files_(files),
          loop_(std::move(loop)),
          signals_(std::move(signals)),
          starter_(starter),
          listeners_(log_, std::move(inherited)),
          pools_(loop_, log_, files_, {[this] { reloadIfWanted(); }, [this] { workerCrashed(); }}),
          service_(loop_, log_, [this] { return pools_.activity(); }) {}

    int run(Prepared prepared);

  private:
    bool takeRights(const config::GlobalSettings& global, std::vector<PoolPlan>& plans);
    Result<void> openListeners(std::vector<PoolPlan>& plans);
    void announceReload(const std::vector<PoolPlan>& plans, std::set<std::string> addresses) const;
    void announceReady();
    void started(const PoolSet::Report& report);
    void reload();
    void reloadIfWanted();
    void reloaded(const PoolSet::Report& report);
    void workerCrashed();
    void onSignals();
    void onSignal(int signal);
    void finish();
    void terminate();
    [[nodiscard]] bool mayEnter(State wanted, const char* name);
    void reopenLogs();
    void reap();
    void logUnknownChild(pid_t pid, const std::string& exit);
    void endIfDone();
    int cleanUp();

    const Invocation& invocation_;
    log::ErrorLog& log_;
    LogFiles& files_;
    EventLoop loop_;
    SignalPipe signals_;
    Starter& starter_;
    Listeners listeners_;
    PoolSet pools_;
    ServiceManager service_;
    MonitorPlan monitor_;
    config::GlobalSettings global_;
    State state_ = State::starting;
    bool reloadWanted_ = false;
    CrashRecord crashes_;
    std::vector<pid_t> bornWith_ = ownChildren();  ///< started before the exec of this program
    int exitStatus_ = kExitOk;
    EventLoop::Watch signalWatch_;
    EventLoop::Watch killWatch_;
};

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
    auto prepared = prepare(invocation_, log_, files_, false);
    if (prepared) {
        auto limited = applyGlobalLimits(prepared->global);
        if (!limited) {
            log_.error(limited.error().text());
        }
        if (!limited || !takeRights(prepared->global, prepared->pools)) {
            prepared.reset();
        }
    }
    if (prepared) {
        if (auto opened = openListeners(prepared->pools); !opened) {
            log_.error(opened.error().text());
            listeners_.keepOnly(before);
            prepared.reset();
        }
    }
    if (prepared) {
        if (auto opened = files_.open(prepared->global); !opened) {
            log_.error(opened.error().text());
            listeners_.keepOnly(pools_.addresses());
            prepared.reset();
        }
    }
    if (!prepared) {
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
    crashes_.configure(global_.emergencyRestartThreshold, global_.emergencyRestartInterval);
    pools_.renew(std::move(prepared->pools), {drainDeadline(global_), global_.processMax},
                 [this](const PoolSet::Report& report) { reloaded(report); });
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

// --- From the command line to the event loop --------------------------------------------------

int failInitialisation(log::ErrorLog& log, int status) {
    log.error("FPM initialization failed");
    return status;
}

int serve(const Invocation& invocation, log::ErrorLog& log, LogFiles& files, Prepared prepared,
          Starter& starter, InheritedSockets& inherited) {
    ::setsid();  // fails for a group leader, which then has its group already
    becomeSubreaper();
    auto loop = EventLoop::create();
    if (!loop) {
        log.error(loop.error().text());
        return failInitialisation(log, kExitConfiguration);
    }
    auto signals =
        SignalPipe::install({SIGTERM, SIGINT, SIGQUIT, SIGHUP, SIGUSR1, SIGUSR2, SIGCHLD});
    if (!signals) {
        log.error(signals.error().text());
        return failInitialisation(log, kExitConfiguration);
    }
    log.debug("Unblocking all signals");
    unblockAllSignals();
    inherited.announce([&log](LogLevel level, const std::string& text) { log.write(level, text); });
    Master master(invocation, log, files, std::move(*loop), std::move(*signals), starter,
                  std::move(inherited));
    const int status = master.run(std::move(prepared));
    return status == kExitOk ? kExitOk : failInitialisation(log, status);
}

int testConfiguration(const Invocation& invocation, log::ErrorLog& log,
                      const std::optional<Prepared>& prepared) {
    if (!prepared) {
        return failInitialisation(log, kExitConfiguration);
    }
    if (invocation.line.dump) {
        for (const std::string& line : config::dumpConfiguration(prepared->configuration)) {
            log.notice(line);
        }
    }
    log.notice("configuration file " + invocation.configFile + " test is successful");
    return kExitOk;
}

}  // namespace

int masterMain(const Invocation& invocation) {
    setProcessName(invocation.line.programName);  // exec -a and systemd's "@" give only argv[0]
    // An early reload or log signal must not kill the start (spec lifecycle §2 step 1).
    blockSignals({SIGUSR1, SIGUSR2, SIGHUP, SIGCHLD});
    log::ErrorLog log;
    if (auto filled = fillStandardStreams(); !filled) {
        log.error(filled.error().text());
        return failInitialisation(log, kExitConfiguration);
    }
    InheritedSockets inherited;
    if (invocation.line.action != Action::test) {
        inherited = InheritedSockets::fromEnvironment();
    }
    LogFiles files(log, invocation.line.forceStderr);
    if (auto null = nullStandardStreams({STDIN_FILENO, STDOUT_FILENO}); !null) {
        log.error(null.error().text());
        return failInitialisation(log, kExitConfiguration);
    }
    auto prepared = prepare(invocation, log, files, true);
    if (invocation.line.action == Action::test) {
        return testConfiguration(invocation, log, prepared);
    }
    if (!prepared) {
        return failInitialisation(log, kExitConfiguration);
    }
    if (auto limited = applyGlobalLimits(prepared->global); !limited) {
        log.error(limited.error().text());
        return failInitialisation(log, kExitConfiguration);
    }
    if (!prepared->global.daemonize) {
        Starter nobody(log);
        return serve(invocation, log, files, std::move(*prepared), nobody, inherited);
    }
    const auto patience = kStartPatience + PoolSet::longestRenewal(prepared->pools.size());
    const auto status = runInBackground(log, patience, [&](Starter& starter) {
        return serve(invocation, log, files, std::move(*prepared), starter, inherited);
    });
    if (!status) {
        log.error(status.error().text());
        return failInitialisation(log, kExitConfiguration);
    }
    return *status;
}

}  // namespace muster::master
