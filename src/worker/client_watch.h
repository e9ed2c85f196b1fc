// Sees, while a script runs, that its client leaves (request_abort_on_disconnect).
//
// A thread of its own: the worker's is in the script, and a signal for every byte that arrives
// would cut short its sleep() for nothing. This one sleeps in epoll_wait(2), armed for one request
// at a time, and touches nothing of the runtime but Runtime::interrupt() and ignoresAbort(). Told
// that the client is gone, it has the runtime look; a moment later, when the script must be in some
// call that blocks, and again while nothing changes, it sends the process a signal that ends such
// calls. A script that ignores aborts gets no signal. One per process; worker side.
//
// Gone is who has closed: on unix sockets in both directions, so a peer that only has nothing more
// to say stays; over TCP nobody can tell these two apart, and web servers never do the latter. Gone
// is as well who sends ABORT_REQUEST behind its whole request.
#pragma once

#include <pthread.h>

#include <atomic>
#include <cstdint>
#include <memory>

#include "base/result.h"
#include "base/unique_fd.h"
#include "worker/runtime.h"

namespace muster::worker {

[[nodiscard]] int clientLeftSignal();

class ClientWatch {
  public:
    /// `runtime` outlives the object.
    [[nodiscard]] static Result<std::unique_ptr<ClientWatch>> start(Runtime& runtime);
    ~ClientWatch();
    ClientWatch(const ClientWatch&) = delete;
    ClientWatch& operator=(const ClientWatch&) = delete;

    /// A request on `connection`, which stays open until end(). `whole`: all of it was received,
    /// so that what comes now begins with a record's header.
    void begin(int connection, std::uint16_t requestId, bool whole);
    /// All of it was received meanwhile.
    void becameWhole();
    /// Nobody waits for the client any more. No signal comes after this.
    void end();

    /// The client has left since begin(), and before end().
    [[nodiscard]] bool left() const;
    /// A signal was sent since begin(): it may have cut short whatever the script did.
    [[nodiscard]] bool disturbed() const { return disturbed_.load(std::memory_order_relaxed); }

  private:
    enum class Step { none, told, disturbed };
    explicit ClientWatch(Runtime& runtime);

    static void* threadMain(void* self);
    void run();
    [[nodiscard]] bool hasLeft(std::uint64_t serial, std::uint32_t events);
    [[nodiscard]] Step act(std::uint64_t serial, Step step);
    [[nodiscard]] bool arm(std::uint64_t serial, bool bytes);
    [[nodiscard]] bool isOwner() const;

    Runtime* runtime_;
    pid_t pid_;  ///< copies of this process that scripts fork have no thread
    UniqueFd epoll_;
    UniqueFd stop_;
    pthread_t thread_{};
    std::uint64_t lastSerial_ = 0;
    int connection_ = -1;
    std::uint16_t requestId_ = 0;
    std::atomic<std::uint64_t> current_{0};  ///< the request that is watched; 0: none
    std::atomic<std::uint64_t> left_{0};     ///< whose client has left
    std::atomic<bool> disturbed_{false};
    std::atomic<bool> looking_{false};  ///< the thread relies on current_ at the moment
};

}  // namespace muster::worker
