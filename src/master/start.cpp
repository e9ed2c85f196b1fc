// In what order a start goes, until the master has the process.
#include "master/start.h"

#include <unistd.h>

#include <csignal>

#include "base/event_loop.h"
#include "base/process.h"
#include "base/signals.h"
#include "config/configuration.h"
#include "master/daemonize.h"
#include "master/inherited_sockets.h"
#include "master/master.h"
#include "master/process_limits.h"
#include "master/take_over.h"

namespace muster::master {
namespace {

using std::chrono::milliseconds;

/// For everything of a start but the pools, which have deadlines of their own.
constexpr milliseconds kStartPatience{10'000};

constexpr std::initializer_list<int> kSignals = {SIGTERM, SIGINT,  SIGQUIT, SIGHUP,
                                                 SIGUSR1, SIGUSR2, SIGCHLD};

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
    auto signals = SignalPipe::install(kSignals);
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

/// Everything is there already but what a process cannot keep over an exec.
int goOn(Invocation invocation, TakeOver takeOver) {
    log::ErrorLog log;
    invocation.configFile = takeOver.handOver.configFile;
    LogFiles files(log, takeOver.handOver.logs);
    becomeSubreaper();
    auto loop = EventLoop::create();
    if (!loop) {
        takeOver.goBack(loop.error().text());
    }
    auto signals = SignalPipe::install(kSignals);
    if (!signals) {
        takeOver.goBack(signals.error().text());
    }
    Starter nobody(log);
    Master master(invocation, log, files, std::move(*loop), std::move(*signals), nobody, {});
    return master.resume(std::move(takeOver));
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
    if (invocation.line.action != Action::test) {
        if (auto takeOver = TakeOver::fromEnvironment()) {
            return goOn(invocation, std::move(*takeOver));
        }
        blockSignals({SIGTERM, SIGINT, SIGQUIT});  // process 1 would not hear an early one at all
    }
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
    const auto patience = kStartPatience + PoolSet::longestStart(prepared->pools.size(),
                                                                 startDeadline(prepared->global));
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
