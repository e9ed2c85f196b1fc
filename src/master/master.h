// The master process: takes signals, keeps the pools as the configuration says, and ends.
//
// Tiny and privileged; no PHP, no byte of a request. Lives from the sockets to the end of the
// event loop; `start` is what comes before.
#pragma once

#include <sys/types.h>

#include <optional>
#include <set>
#include <string>
#include <vector>

#include "base/event_loop.h"
#include "base/process.h"
#include "base/signals.h"
#include "log/error_log.h"
#include "master/control_commands.h"
#include "master/daemonize.h"
#include "master/emergency.h"
#include "master/exit_status.h"
#include "master/listeners.h"
#include "master/log_files.h"
#include "master/pool_set.h"
#include "master/preparation.h"
#include "master/program_check.h"
#include "master/reload_order.h"
#include "master/service_manager.h"
#include "master/take_over.h"

namespace muster::master {

class Master final : private Operations {
  public:
    /// All but `loop`, `signals` and `inherited` is borrowed.
    Master(const Invocation& invocation, log::ErrorLog& log, LogFiles& files, EventLoop loop,
           SignalPipe signals, Starter& starter, InheritedSockets inherited);

    /// From the sockets to the end of the service: the process's exit status.
    [[nodiscard]] int run(Prepared prepared);
    /// The same from the moment when another program has handed over (upgrade.cpp).
    [[nodiscard]] int resume(TakeOver takeOver);

  private:
    /// What the operator asked for last that counts. Later states never go back to earlier ones.
    enum class State { starting, serving, finishing, terminating, killing };

    [[nodiscard]] static const char* stateName(State state);
    bool takeRights(const config::GlobalSettings& global, std::vector<PoolPlan>& plans);
    Result<void> openListeners(std::vector<PoolPlan>& plans);
    void announceReady();
    void started(const PoolSet::Report& report);

    // Reload (reload.cpp).
    void reload(ReloadOrder order) override;
    void reloadIfWanted();
    void carryOut(ReloadOrder order);
    [[nodiscard]] std::optional<Prepared> prepareReload(const ReloadOrder& order,
                                                        const std::set<std::string>& before);
    void takeGlobals(const Prepared& prepared);
    void chooseFromFiles(std::vector<PoolPlan> plans, const ReloadOrder& order);
    void chooseFromRunning(const ReloadOrder& order);
    [[nodiscard]] bool staysPaused(const std::string& pool, const ReloadOrder& order) const;
    [[nodiscard]] bool knowsPools(const ReloadOrder& order) const;
    void announceReload(std::set<std::string> addresses) const;
    void reloaded(const PoolSet::Report& report);
    void restoreSockets(const PoolSet::Report& report);
    void concludeReload();

    // Upgrade (upgrade.cpp).
    [[nodiscard]] bool programChanged() const;
    void beginUpgrade(ReloadOrder order);
    void continueUpgrade();
    void changeProgram();
    [[nodiscard]] Error execute(int program, const HandOver& handOver, const std::string& failure);
    void refuseUpgrade(const std::string& why);
    void settleFailedUpgrade(ReloadOrder order);
    [[nodiscard]] HandOver describe(const ReloadOrder& order, int self) const;
    [[nodiscard]] ReloadOrder withWaiters(HandOver::Order from);
    void concludeUpgrade();
    void goBack(const std::string& failure);

    void workerCrashed();
    void onSignals();
    void onSignal(int signal);
    [[nodiscard]] bool mayEnter(State wanted, const char* name);
    bool reopenLogs() override;

    // The rest of what the control socket asks for.
    CheckResult check() override;
    void trace(pid_t worker, const Traces::OnDone& done) override { pools_.trace(worker, done); }
    const PoolSet& pools() const override { return pools_; }
    std::string stateText() const override;
    const std::string& configFile() const override { return invocation_.configFile; }
    void openControl();

    void reap();
    void logUnknownChild(pid_t pid, const std::string& exit);

    // Stop (stop.cpp).
    [[nodiscard]] bool termIsGraceful() const;
    void stop(bool gracefully);
    void finish();
    void terminate();
    void killAll();
    void abandonReloads();
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
    ControlCommands control_;
    MonitorPlan monitor_;
    config::GlobalSettings global_;
    State state_ = State::starting;
    std::optional<ReloadOrder> wanted_;         ///< for when what goes on now is through
    std::vector<ReloadOrder::Waiter> waiting_;  ///< for the reload under way
    ReloadOutcome outcome_;                     ///< … of which this is known so far
    PoolSet::Renewal renewal_;                  ///< … and which is to do this
    CrashRecord crashes_;
    std::string program_;                   ///< path by which the service was started
    ProgramCheck check_;                    ///< of the one that lies there now
    std::optional<ReloadOrder> upgrading_;  ///< waits for what the check finds
    std::optional<ProgramCheck::Finding> finding_;
    EventLoop::Watch changeWatch_;
    std::optional<ReloadOutcome> upgradeFailure_;  ///< to be told when the reload after it is done
    UniqueFd previous_;  ///< the program before this one, until the reload after an upgrade is done
    std::vector<pid_t> bornWith_;  ///< started before the exec of this program
    int exitStatus_ = kExitOk;
    EventLoop::Watch signalWatch_;
    EventLoop::Watch killWatch_;
};

}  // namespace muster::master
