// pm.status_listen: the socket on which the manager itself tells how its pool is, also while every
// worker is busy.
//
// Manager process, part of its event loop; never blocks. The socket is the master's and outlives
// generations: who does not listen leaves newcomers to the queue or to the other generation.
#pragma once

#include "base/event_loop.h"
#include "manager/answering.h"
#include "manager/refusal_log.h"
#include "worker/peer_rules.h"

namespace muster::manager {

class StatusListener {
  public:
    static constexpr std::size_t kMaxConnections = 64;

    /// All borrowed but the functions. `rules`: null for everybody. `onRest`: as in Answering.
    struct Parts {
        EventLoop* loop = nullptr;
        const worker::PeerRules* rules = nullptr;
        RefusalLog* refusals = nullptr;
        StatusConnection::Answer answer;
        std::function<void()> onRest;
    };
    explicit StatusListener(Parts parts);

    /// Accepts from `fd` (non-blocking, borrowed) until stopListening().
    void listen(int fd);
    void stopListening();

    [[nodiscard]] Answering& connections() { return connections_; }
    [[nodiscard]] const Answering& connections() const { return connections_; }
    /// A connection of an earlier generation.
    void adopt(worker::ParkedConnection parked);

  private:
    void acceptSome();

    Parts parts_;
    int listenFd_ = -1;
    EventLoop::Watch listenWatch_;
    EventLoop::Watch retryWatch_;
    Answering connections_;
};

}  // namespace muster::manager
