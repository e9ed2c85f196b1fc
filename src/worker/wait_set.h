// What a worker waits for while its connection has nothing to read: that connection, a signal, and
// somebody else at the listening socket.
//
// The listening socket is watched exclusively: a new connection wakes one of all the workers that
// wait, here or in accept(2). Whoever wait() tells of the listener has used up that wake-up: it has
// to accept, or somebody may wait for nobody. Worker side; no system call but in wait() and
// forget().
#pragma once

#include <cstdint>

#include "base/result.h"
#include "base/unique_fd.h"

struct epoll_event;

namespace muster::worker {

class WaitSet {
  public:
    struct Ready {
        bool connection = false;
        bool listener = false;
        bool told = false;
    };
    static constexpr std::uint64_t kForever = UINT64_MAX;

    /// Both borrowed. The listener is watched from the first wait() for it on.
    [[nodiscard]] static Result<WaitSet> create(int listener, int toldFd);

    /// Blocks until one of the three is ready; nothing is when the deadline (monotonic) has passed
    /// or a signal came.
    [[nodiscard]] Ready wait(int connection, std::uint64_t deadlineNs);
    /// For a new connection only, or a signal, as long as it takes. Of several processes that wait
    /// so, the kernel wakes the one that began to watch first: the others can go idle.
    [[nodiscard]] Ready waitForListener();
    /// The same without the listener.
    [[nodiscard]] Ready waitAlone(int connection, std::uint64_t deadlineNs) const;

    /// To be called before a connection leaves this process while others hold it.
    void forget(int connection);
    /// The connection is closed: the kernel has forgotten it, unless a process that a script forked
    /// has it open yet.
    void closed() {
        serial_ += watched_ >= 0 ? 1 : 0;
        watched_ = -1;
    }

  private:
    [[nodiscard]] Result<void> rebuild();
    [[nodiscard]] bool watchListener();
    [[nodiscard]] bool watch(int connection);
    void collect(const epoll_event* events, int count, Ready& ready);

    int listener_ = -1;
    int toldFd_ = -1;
    UniqueFd epoll_;
    bool listening_ = false;
    int watched_ = -1;
    std::uint64_t serial_ = 0;  ///< of the watched connection
};

}  // namespace muster::worker
