// The start of a pool manager, from the exec to its event loop, in order of privileges.
#include "manager/start.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <iterator>
#include <optional>

#include "base/io.h"
#include "base/process.h"
#include "base/process_memory.h"
#include "manager/confinement.h"
#include "manager/pool_manager.h"
#include "manager/tracing.h"

namespace muster::manager {
namespace {

constexpr std::size_t kMaxSettings = std::size_t{16} << 20;

/// Things that live as long as the manager, in the order they come to be.
struct Manager {
    log::ErrorLog log;
    ManagerInputs inputs;
    MessageChannel channel{UniqueFd(kChannelFd)};
    scoreboard::Segment segment;
    log::AccessFormat accessFormat;
    worker::PeerRules peerRules;
    WorkerTemplate workers;
    UniqueFd wake;
    UniqueFd processTree;
    MessageChannel handOvers;
    MessageChannel handOversOfWorkers;
};

Result<void> loadPlugin(Manager& manager) {
    auto runtime = loadRuntime("php");
    if (!runtime) {
        return tl::make_unexpected(runtime.error());
    }
    manager.workers.runtime = *runtime;
    return {};
}

/// As the pool's user.
Result<void> loadRuntimeOf(Manager& manager) {
    const ManagerInputs& inputs = manager.inputs;
    RuntimeConfig config;
    config.iniPath = inputs.iniPath;
    config.ignoreIni = inputs.ignoreIni;
    config.iniDefinitions = inputs.iniDefinitions;
    config.extendedInfo = inputs.extendedInfo;
    if (auto executable = executablePath()) {
        config.executable = std::move(*executable);
    }
    config.earlyHints = inputs.pool.earlyHints;
    config.limitExtensions = inputs.pool.limitExtensions;
    config.execBasedir = inputs.pool.execBasedir;
    config.allowPhpValue = inputs.pool.allowPhpValue;
    for (const config::KeyValue& entry : inputs.pool.phpValues) {
        config.values.emplace_back(entry.key, entry.value);
    }
    for (const config::KeyValue& entry : inputs.pool.phpAdminValues) {
        config.adminValues.emplace_back(entry.key, entry.value);
    }
    config.logLevel = inputs.logLevel;
    config.logLimit = inputs.logLimit;

    const std::vector<int> before = openDescriptors();
    if (auto loaded = manager.workers.runtime->load(config); !loaded) {
        return loaded;
    }
    for (const std::string& warning : manager.workers.runtime->warnings()) {
        manager.log.warning("[pool " + inputs.pool.name + "] " + warning);
    }
    // What the runtime opened for itself (OPcache's lock file, preloaded streams) its workers need.
    const std::vector<int> after = openDescriptors();
    std::set_difference(after.begin(), after.end(), before.begin(), before.end(),
                        std::back_inserter(manager.workers.runtimeFds));
    return {};
}

void setPeerRules(Manager& manager) {
    const ManagerInputs& inputs = manager.inputs;
    if (inputs.pool.listenAllowedClients) {
        worker::AllowedClients clients(*inputs.pool.listenAllowedClients);
        for (const std::string& problem : clients.problems()) {
            manager.log.error("[pool " + inputs.pool.name + "] " + problem);
        }
        manager.peerRules.allowClients(std::move(clients));
        manager.workers.peerRules = &manager.peerRules;
    }
    if (inputs.allowedUsers) {
        manager.peerRules.allowUsers(*inputs.allowedUsers);
        manager.workers.peerRules = &manager.peerRules;
    }
}

/// Before a change of root, after which it would be the only thing of outside in the pool's hands:
/// so a jail gets it only where its settings ask for that.
void openProcesses(Manager& manager) {
    const config::PoolSettings& pool = manager.inputs.pool;
    const bool needed = mustBeTraceable(pool) || pool.maxMemory > 0;
    if (!needed && !pool.chroot.empty()) {
        return;
    }
    if (auto tree = openProcessTree()) {
        manager.processTree = std::move(*tree);
    } else if (needed) {
        manager.log.warning("[pool " + pool.name + "] " + tree.error().text());
    }
}

Result<void> attachParts(Manager& manager) {
    auto segment = scoreboard::Segment::attach(kScoreboardFd, Mapping::Access::readWrite);
    if (!segment) {
        return tl::make_unexpected(segment.error());
    }
    manager.segment = std::move(*segment);
    WorkerTemplate& workers = manager.workers;
    workers.inputs = &manager.inputs;
    workers.segment = &manager.segment;
    workers.log = &manager.log;
    workers.listenFd = kListenFd;
    if (!manager.inputs.pool.accessLog.empty()) {
        auto format = manager.inputs.logFormat == config::LogFormat::json
                          ? log::AccessFormat::json()
                          : log::AccessFormat::compile(manager.inputs.pool.accessFormat);
        if (!format) {
            return tl::make_unexpected(format.error());
        }
        manager.accessFormat = std::move(*format);
        workers.accessFormat = &manager.accessFormat;
        workers.accessLogFd = kAccessLogFd;
    }
    setPeerRules(manager);
    manager.wake.reset(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
    if (!manager.wake) {
        return errnoError("eventfd");
    }
    workers.wakeFd = manager.wake.get();
    openProcesses(manager);
    workers.processTreeFd = manager.processTree.get();
    auto handOvers = MessageChannel::pair();
    if (!handOvers) {
        return tl::make_unexpected(handOvers.error());
    }
    manager.handOvers = std::move(handOvers->first);
    manager.handOversOfWorkers = std::move(handOvers->second);
    workers.handOverFd = manager.handOversOfWorkers.fd();
    return {};
}

int fail(Manager& manager, const Error& error) {
    manager.log.error("[pool " + manager.inputs.pool.name + "] " + error.text());
    ControlMessage message{.type = MessageType::failed};
    message.setText(error.text());
    [[maybe_unused]] const auto sent = sendControl(manager.channel, message);
    return static_cast<int>(ManagerExit::cannotStart);
}

/// What php-fpm's workers would meet, each for itself: said once, in their words.
int failAsChild(Manager& manager, const Error& error) {
    const int status = fail(manager, error);
    manager.log.error("[pool " + manager.inputs.pool.name + "] child failed to initialize");
    return status;
}

void closeInheritedOnExec() {
    // dup2 across the exec cleared the flag: no program that a script starts may see these.
    for (const int fd : openDescriptors()) {
        if (fd > STDERR_FILENO) {
            ::fcntl(fd, F_SETFD, FD_CLOEXEC);
        }
    }
}

}  // namespace

int managerMain() {
    Manager manager;
    manager.log.setTarget(kErrorLogFd, false);
    closeInheritedOnExec();

    const UniqueFd settings(kSettingsFd);
    const auto text = readDescriptor(settings.get(), kMaxSettings);
    if (!text) {
        return fail(manager, text.error());
    }
    auto inputs = decodeInputs(*text);
    if (!inputs) {
        return fail(manager, inputs.error());
    }
    manager.inputs = std::move(*inputs);
    manager.log.setLevel(manager.inputs.logLevel);
    manager.log.setLimit(manager.inputs.logLimit);
    manager.log.setFormat(manager.inputs.logFormat);
    if (manager.inputs.syslog) {
        manager.log.setSyslog(kErrorLogFd, *manager.inputs.syslog, false);
    }
    // Held back until the handlers stand, which must be after the runtime: a preload script makes
    // the engine install handlers of its own.
    blockSignals({SIGTERM, SIGINT, SIGQUIT, SIGHUP, SIGUSR1, SIGUSR2, SIGCHLD});
    setProcessName(manager.inputs.programName);
    setProcessTitle(managerTitle(manager.inputs));

    // Its channel is not heard before the loop runs, which a preload script may put off for long.
    if (!followParent(manager.inputs.masterPid, SIGKILL)) {
        return static_cast<int>(ManagerExit::cannotStart);
    }
    if (auto attached = attachParts(manager); !attached) {
        return fail(manager, attached.error());
    }
    if (auto loaded = loadPlugin(manager); !loaded) {
        return fail(manager, loaded.error());
    }
    Confinement confinement(manager.inputs, manager.log);
    const std::size_t descriptors =
        descriptorsFor(manager.inputs.pool) + ParkingLimits::descriptorsFor(manager.inputs.pool);
    if (auto confined = confinement.becomePoolUser(descriptors); !confined) {
        return failAsChild(manager, confined.error());
    }
    if (!followParent(manager.inputs.masterPid, SIGKILL)) {
        return static_cast<int>(ManagerExit::cannotStart);
    }
    if (auto loaded = loadRuntimeOf(manager); !loaded) {
        return fail(manager, loaded.error());
    }
    if (auto confined = confinement.enterPlace(); !confined) {
        return failAsChild(manager, confined.error());
    }
    manager.workers.rights = confinement.forWorkers();
    auto signals =
        SignalPipe::install({SIGTERM, SIGINT, SIGQUIT, SIGHUP, SIGUSR1, SIGUSR2, SIGCHLD});
    if (!signals) {
        return fail(manager, signals.error());
    }
    unblockAllSignals();
    outliveParent();
    auto loop = EventLoop::create();
    if (!loop) {
        return fail(manager, loop.error());
    }
    PoolManager::Parts parts;
    parts.inputs = &manager.inputs;
    parts.workers = &manager.workers;
    parts.channel = &manager.channel;
    parts.handOvers = {&manager.handOvers, &manager.handOversOfWorkers};
    parts.signals = &*signals;
    parts.loop = &*loop;
    parts.log = &manager.log;
    if (config::hasSlowLog(manager.inputs.pool)) {
        parts.slowLogFd = kSlowLogFd;
    }
    if (!manager.inputs.pool.statusListen.empty()) {
        parts.statusListenFd = kStatusListenFd;
        // Its connections may go to another generation before we take them.
        if (auto set = setNonBlocking(kStatusListenFd, true); !set) {
            return fail(manager, set.error());
        }
    }
    PoolManager pool(parts);
    // Not through exit(3): the runtime's exit handlers belong to workers.
    ::_exit(static_cast<int>(pool.run()));
}

}  // namespace muster::manager
