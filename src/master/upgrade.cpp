// Master's part that changes the program under a running service (design §2): the one on disk is
// asked first, then takes the place of this one, and gives it back when its reload fails.
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <cstdlib>

#include "base/limits.h"
#include "master/master.h"

namespace muster::master {
namespace {

Result<UniqueFd> openRunningProgram() {
    UniqueFd program(::open("/proc/self/exe", O_PATH | O_CLOEXEC));
    return program ? Result<UniqueFd>(std::move(program)) : errnoError("open(/proc/self/exe)");
}

}  // namespace

/// Another file lies where the service was started from.
bool Master::programChanged() const {
    struct stat running {};
    struct stat there {};
    return ::stat("/proc/self/exe", &running) == 0 && ::stat(program_.c_str(), &there) == 0 &&
           (running.st_dev != there.st_dev || running.st_ino != there.st_ino);
}

// --- The program that runs ------------------------------------------------------------------

void Master::beginUpgrade(ReloadOrder order) {
    log_.notice("upgrading: asking " + program_ + " whether it can take over");
    upgrading_ = std::move(order);
    finding_.reset();
    const auto self = openRunningProgram();
    const auto begun =
        self ? check_.begin(program_, encodeHandOver(describe(*upgrading_, self->get())),
                            [this](const ProgramCheck::Finding& finding) { finding_ = finding; })
             : tl::make_unexpected(self.error());
    if (!begun) {
        finding_ = ProgramCheck::Finding{begun.error().text(), {}, {}};
        continueUpgrade();
    }
}

void Master::continueUpgrade() {
    if (!finding_ || state_ != State::serving) {
        return;
    }
    if (!finding_->refusal.empty()) {
        for (const std::string& problem : finding_->problems) {
            log_.warning("the new program says: " + problem);
        }
        refuseUpgrade("the upgrade is refused, the running program stays in force: " +
                      finding_->refusal);
    } else {
        // Not from here: of the signals that came together some may not have been looked at.
        changeWatch_ = loop_.after(std::chrono::milliseconds(0), [this] { changeProgram(); });
    }
}

// Waits for managers that are being restarted: they have no place in the table.
void Master::changeProgram() {
    changeWatch_.cancel();
    if (!upgrading_ || state_ != State::serving || !pools_.hasRoomForRenewal() ||
        pools_.isStarting()) {
        return;
    }
    const auto self = openRunningProgram();
    if (!self) {
        refuseUpgrade("the upgrade failed, the running program stays in force: " +
                      self.error().text());
        return;
    }
    service_.reloading();
    log_.notice(fmt::format("upgrading: {} (version {}) takes over", program_, finding_->version));
    const Error error = execute(check_.program(), describe(*upgrading_, self->get()), "");
    service_.refused();
    refuseUpgrade("the upgrade failed, the running program stays in force: " + error.text());
}

/// Returns only when it fails.
Error Master::execute(int program, const HandOver& handOver, const std::string& failure) {
    const SignalBlock block;
    // What was caught and not yet looked at is for the next program.
    while (const int signal = signals_.next()) {
        ::kill(::getpid(), signal);
    }
    return executeWith(program, handOver, failure);
}

/// A reload that was asked for at the same time takes place, with the program that runs.
void Master::refuseUpgrade(const std::string& why) {
    log_.error(why);
    upgradeFailure_ = {.ok = false, .error = why, .problems = finding_->problems};
    ReloadOrder order = std::move(*upgrading_);
    upgrading_.reset();
    check_.cancel();
    settleFailedUpgrade(std::move(order));
}

void Master::settleFailedUpgrade(ReloadOrder order) {
    order.upgrade = false;
    if (order.reloads()) {
        carryOut(std::move(order));
        return;
    }
    outcome_ = {};
    waiting_ = std::move(order.waiting);
    concludeReload();
    reloadIfWanted();
}

HandOver Master::describe(const ReloadOrder& order, int self) const {
    const auto with = [](const ReloadOrder& from) {
        HandOver::Order to;
        to.order = from;
        for (const ReloadOrder::Waiter& waiter : from.waiting) {
            if (waiter.connection != 0) {
                to.connections.push_back(waiter.connection);
            }
        }
        return to;
    };
    HandOver handOver;
    handOver.pid = ::getpid();
    handOver.previous = self;
    handOver.version = MUSTER_VERSION;
    handOver.program = program_;
    handOver.arguments = startArguments();
    handOver.configFile = invocation_.configFile;
    handOver.global = global_;
    handOver.listeners = listeners_.handOver();
    handOver.control = control_.socket().handOver();
    handOver.logs = files_.handOver();
    handOver.pools = pools_.handOver();
    handOver.bornWith = bornWith_;
    handOver.fileLimitBefore = fileLimitBefore();
    handOver.order = with(order);
    if (wanted_) {
        handOver.wanted = with(*wanted_);
    }
    return handOver;
}

// --- The program that takes over ------------------------------------------------------------

int Master::resume(TakeOver takeOver) {
    HandOver from = takeOver.handOver;
    setProcessTitle(invocation_.titlePrefix + "master process (" + invocation_.configFile + ")");
    global_ = from.global;
    log_.setLevel(global_.effectiveLogLevel());
    log_.setLimit(global_.logLimit);
    log_.setFormat(global_.logFormat);
    program_ = std::move(from.program);
    previous_.reset(from.previous);
    bornWith_ = std::move(from.bornWith);
    rememberFileLimitBefore(from.fileLimitBefore);
    listeners_.adopt(std::move(from.listeners));
    pools_.adopt(std::move(from.pools),
                 {drainDeadline(global_), global_.processMax, startDeadline(global_), {}});
    control_.socket().adopt(std::move(from.control), {});
    takeOver.settle();

    signalWatch_ = loop_.whenReadable(signals_.fd(), [this] { onSignals(); });
    unblockAllSignals();
    state_ = State::serving;
    monitor_ = planMonitor(global_.systemdInterval, ::getenv("WATCHDOG_USEC"));
    service_.resume(monitor_);
    openControl();
    crashes_.configure(global_.emergencyRestartThreshold, global_.emergencyRestartInterval);
    while (const auto death = reapChild()) {
        // Managers first: who died before the change was known to nobody but the program before.
        if (!pools_.onDeath(death->pid, death->status)) {
            logUnknownChild(death->pid, describeExit(death->status));
        }
    }
    ReloadOrder order = withWaiters(std::move(from.order));
    if (from.wanted) {
        wanted_ = withWaiters(std::move(*from.wanted));
    }
    control_.apologise("the service was upgraded meanwhile, ask again");
    if (takeOver.failure().empty()) {
        order.upgrade = false;
        order.everything = true;
        carryOut(std::move(order));
    } else {
        previous_.reset();
        service_.refused();
        const std::string why =
            "the upgrade failed, the earlier program is back: " + takeOver.failure();
        log_.error(why);
        upgradeFailure_ = {.ok = false, .error = why, .problems = std::move(from.problems)};
        settleFailedUpgrade(std::move(order));
    }
    loop_.run();
    return cleanUp();
}

ReloadOrder Master::withWaiters(HandOver::Order from) {
    for (const std::uint64_t connection : from.connections) {
        from.order.waiting.push_back(control_.continued(connection));
    }
    return std::move(from.order);
}

/// The reload that ends an upgrade is through. Does not return when it has failed for something
/// that was served before: then the earlier program goes on.
void Master::concludeUpgrade() {
    std::string failure = outcome_.pools.empty() && !outcome_.ok ? outcome_.error : "";
    for (const auto& [pool, state] : outcome_.pools) {
        if (state.starts_with("failed: ") && pools_.managerOf(pool)) {
            failure = fmt::format("[pool {}] {}", pool, state);
        }
    }
    if (!failure.empty()) {
        goBack(failure);
    }
    previous_.reset();
    outcome_.program = program_;
    log_.notice(fmt::format("upgraded to {} (version {})", program_, MUSTER_VERSION));
}

/// Returns only when that is impossible, too.
void Master::goBack(const std::string& failure) {
    ReloadOrder order;
    for (const auto& [pool, state] : outcome_.pools) {
        if (state == "renewed" || state == "added") {
            order.restarted.insert(pool);
        }
    }
    order.waiting = waiting_;
    auto self = openRunningProgram();
    HandOver handOver = describe(order, self ? self->get() : -1);
    handOver.problems = outcome_.problems;
    log_.error("the upgrade failed: " + failure);
    const Error error = execute(previous_.get(), handOver, failure);
    log_.error("there is no way back to the earlier program: " + error.text());
}

}  // namespace muster::master
