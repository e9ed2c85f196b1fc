// The connections of a pool that no worker waits for: idle kept-alive ones, and those whose
// request's head is incomplete.
//
// Owns them, watches each for bytes without reading any, closes those whose peer has gone or takes
// too long, and puts the ready ones, in order, into the queue from which all workers of the
// generation take. Bounded: beyond the limits those go that wait for the rest of a head, the
// longest silent first. Idle kept-alive ones stay, for a close may meet a request on its way:
// isFull() is to be asked before one more connection is kept alive. Manager process,
// single-threaded; nothing a worker sent is trusted. Who wakes a worker is the caller's business.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <list>

#include "base/event_loop.h"
#include "base/message_channel.h"
#include "worker/parked_connection.h"

namespace muster::manager {

struct ParkingLimits {
    std::size_t connections = 1024;
    std::size_t latecomers = 0;  ///< idle ones that may come when it is full: one for each worker
    std::size_t headBytes = std::size_t{64} << 20;  ///< of all incomplete heads together
    worker::WaitLimits wait;

    /// As the pool wants them; fewer connections where the process may not open that many
    /// descriptors (two for each, `others` for the rest of its work).
    [[nodiscard]] static ParkingLimits of(const config::PoolSettings& pool, std::size_t openFiles,
                                          std::size_t others);
    /// Descriptors that the connections of this pool may need.
    [[nodiscard]] static std::size_t descriptorsFor(const config::PoolSettings& pool);
};

class Parking {
  public:
    /// The queue's two ends, borrowed: ours, and the one the workers inherit. `onReady` is called
    /// when a connection has become ready; never inside another call of this object.
    struct Queue {
        MessageChannel* ours = nullptr;
        MessageChannel* workers = nullptr;
        std::atomic<std::uint32_t>* full = nullptr;  ///< kept at isFull(), for workers to see
    };
    Parking(EventLoop& loop, const ParkingLimits& limits, const Queue& queue,
            std::function<void()> onReady);

    void park(worker::ParkedConnection parked);

    /// Workers have taken all they were given.
    [[nodiscard]] bool queueIsEmpty() const { return queued() == 0; }
    /// Fills the queue as far as it goes.
    void fillQueue();
    /// Ready connections that no worker has taken yet.
    [[nodiscard]] std::size_t readyCount() const;
    [[nodiscard]] bool empty() const { return waiting_.empty() && readyCount() == 0; }
    /// Ready ones that are not in the queue yet.
    [[nodiscard]] bool hasUnqueued() const { return !ready_.empty(); }
    /// No more idle connections, please.
    [[nodiscard]] bool isFull() const;
    [[nodiscard]] std::size_t limit() const { return limits_.connections; }

    // For a manager that keeps its own order of those that wait (Overload):
    /// Everything that is ready and not in the queue.
    [[nodiscard]] std::deque<worker::ParkedConnection> takeReady();
    /// Puts one into the queue; it stays the caller's, too. False when it does not fit now.
    [[nodiscard]] bool offer(const worker::ParkedConnection& parked);
    /// What workers have not taken from the queue yet.
    [[nodiscard]] std::size_t queued() const;
    /// Takes the queue's content back.
    [[nodiscard]] std::deque<worker::ParkedConnection> recall();

    /// Takes the queue's content back and sends everything to `heir`, the ready ones first. What
    /// did not fit stays; fails when the heir is gone.
    Result<void> handOn(MessageChannel& heir);
    /// The service ends: who has had an answer is not waited for, others a short while.
    void closeIdle();
    void clear();

  private:
    struct Place {
        worker::ParkedConnection parked;
        std::size_t headBytes = 0;
        std::uint64_t deadlineNs = 0;  ///< 0: none
        EventLoop::Watch watch;
    };
    using Places = std::list<Place>;

    void onReadable(Places::iterator place);
    void becomesReady(Places::iterator place);
    void remove(Places::iterator place);
    void makeRoom();
    [[nodiscard]] Places::iterator dispensable();
    void sweep();
    void recallToReady();
    void tellRoom();

    EventLoop* loop_;
    ParkingLimits limits_;
    Queue queue_;
    std::function<void()> onReady_;
    Places waiting_;        ///< oldest first
    std::size_t idle_ = 0;  ///< of waiting_, those that are kept alive between two requests
    std::size_t headBytes_ = 0;
    std::deque<worker::ParkedConnection> ready_;  ///< not in the queue yet
    int messageCost_ = 0;                         ///< what the kernel counts for one in the queue
    EventLoop::Watch sweepWatch_;
};

}  // namespace muster::manager
