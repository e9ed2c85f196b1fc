// Forks a worker and sets the child up: stdio, descriptors, limits, environment, then runWorker.
#include "manager/worker_birth.h"

#include <fcntl.h>
#include <unistd.h>

#include "base/io.h"
#include "base/process.h"
#include "manager/memory_grant.h"
#include "manager/tracing.h"
#include "manager/worker_environment.h"
#include "worker/worker.h"

namespace muster::manager {
namespace {

void setUpStdio(const WorkerPlace& place) {
    if (place.errWriter) {
        ::dup2(place.outWriter.get(), STDOUT_FILENO);
        ::dup2(place.errWriter.get(), STDERR_FILENO);
    } else {
        // 0 and 1 are /dev/null already: the manager's own.
        ::dup2(STDOUT_FILENO, STDERR_FILENO);
    }
}

std::vector<int> allowedDescriptors(const WorkerTemplate& shared, const WorkerPlace& place,
                                    const PrivateMemory& memory) {
    std::vector<int> allowed = shared.runtimeFds;
    for (const int fd :
         {shared.listenFd, shared.accessLogFd, shared.wakeFd, shared.handOverFd,
          place.workerOrders.fd(), int{kErrorLogFd}, memory.roughFd(), memory.exactFd()}) {
        if (fd >= 0) {
            allowed.push_back(fd);
        }
    }
    return allowed;
}

/// For musterctl trace this is an offer; a pool with a slow log needs it, and where the kernel is
/// against it the manager gets the rights of a debugger.
void letBeTraced(const WorkerTemplate& shared, WorkerPlace& place, const std::string& prefix) {
    auto granted = shared.processTreeFd >= 0
                       ? grantMemory(place.workerOrders, shared.processTreeFd)
                       : Result<void>(plainError("the process file system is not there"));
    if (granted || !mustBeTraceable(shared.inputs->pool)) {
        return;
    }
    if (auto dumpable = becomeDumpable(); !dumpable) {
        shared.log->error(prefix + dumpable.error().text());
    }
}

PrivateMemory openMemoryFigures(const WorkerTemplate& shared, const std::string& prefix) {
    if (shared.inputs->pool.maxMemory <= 0) {
        return {};
    }
    auto opened = PrivateMemory::open(shared.processTreeFd);
    if (!opened) {
        shared.log->error(prefix + "pm.max_memory cannot be kept: " + opened.error().text());
        return {};
    }
    return std::move(*opened);
}

/// Runs in the child, signals reset and blocked; runWorker unblocks them when its own stand.
int setUpInChild(const WorkerTemplate& shared, WorkerPlace& place, pid_t manager) {
    const ManagerInputs& inputs = *shared.inputs;
    setUpStdio(place);
    const std::string prefix = "[pool " + inputs.pool.name + "] ";
    letBeTraced(shared, place, prefix);
    const PrivateMemory memory = openMemoryFigures(shared, prefix);
    closeAllExcept(allowedDescriptors(shared, place, memory));
    if (auto confined = confineWorker(shared.rights, *shared.log, prefix); !confined) {
        shared.log->error(prefix + confined.error().text());
        shared.log->error(prefix + "child failed to initialize");
        return static_cast<int>(worker::WorkerExit::cannotStart);
    }
    applyWorkerEnvironment(inputs.pool, inputs.identity);
    worker::WorkerInputs worker;
    worker.pool = &inputs.pool;
    worker.runtime = shared.runtime;
    worker.segment = shared.segment;
    worker.slot = place.slot;
    worker.maxRequests = place.maxRequests;
    worker.standsBy = place.standsBy;
    worker.memory = memory.roughFd() < 0 ? nullptr : &memory;
    worker.listenFd = shared.listenFd;
    worker.wakeFd = shared.wakeFd;
    worker.ordersFd = place.workerOrders.fd();
    worker.handOverFd = shared.handOverFd;
    worker.accessLogFd = shared.accessLogFd;
    worker.accessFormat = shared.accessFormat;
    worker.peerRules = shared.peerRules;
    worker.log = shared.log;
    worker.errorLogFd = kErrorLogFd;
    worker.manager = manager;
    worker.master = inputs.masterPid;
    worker.title = inputs.titlePrefix + "pool " + inputs.pool.name;
    return static_cast<int>(worker::runWorker(worker));
}

Result<void> makePipe(const char* what, UniqueFd& reader, UniqueFd& writer) {
    int ends[2];
    if (::pipe2(ends, O_CLOEXEC) < 0) {
        return errnoError(std::string("failed to prepare the ") + what + " pipe");
    }
    reader.reset(ends[0]);
    writer.reset(ends[1]);
    return setNonBlocking(reader.get(), true);
}

}  // namespace

Result<WorkerPlace> prepareWorkerPlace(bool catchOutput, std::uint32_t slot) {
    WorkerPlace place;
    place.slot = slot;
    auto orders = MessageChannel::pair();
    if (!orders) {
        return tl::make_unexpected(orders.error());
    }
    place.managerOrders = std::move(orders->first);
    place.workerOrders = std::move(orders->second);
    if (catchOutput) {
        if (auto out = makePipe("stdout", place.outReader, place.outWriter); !out) {
            return tl::make_unexpected(out.error());
        }
        if (auto err = makePipe("stderr", place.errReader, place.errWriter); !err) {
            return tl::make_unexpected(err.error());
        }
    }
    return place;
}

Result<pid_t> forkWorker(const WorkerTemplate& shared, WorkerPlace& place) {
    const pid_t manager = ::getpid();
    auto pid = forkChild([&] { return setUpInChild(shared, place, manager); });
    place.workerOrders.close();
    place.outWriter.reset();
    place.errWriter.reset();
    return pid;
}

}  // namespace muster::manager
