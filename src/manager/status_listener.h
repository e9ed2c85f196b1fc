// pm.status_listen: the socket on which the manager itself tells how its pool is, also while every
// worker is busy.
//
// Manager process, part of its event loop; never blocks. Bounded connections, bytes and waiting:
// silent strangers make room for newcomers. The socket is the master's and outlives generations:
// who does not listen leaves newcomers to the queue or to the other generation. At rest between
// two requests a connection can go to the next generation.
#pragma once

#include <list>

#include "base/event_loop.h"
#include "base/message_channel.h"
#include "manager/refusal_log.h"
#include "manager/status_connection.h"
#include "worker/peer_rules.h"

namespace muster::manager {

class StatusListener {
  public:
    static constexpr std::size_t kMaxConnections = 64;

    /// All borrowed but the functions. `rules`: null for everybody. `onRest`: connections have
    /// come to rest or ended; never called inside another call of this object.
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

    [[nodiscard]] bool empty() const { return places_.empty(); }
    /// Some connection could go to the next generation now.
    [[nodiscard]] bool hasMovable() const;

    /// A connection of an earlier generation.
    void adopt(worker::ParkedConnection parked);
    /// Sends what is at rest to `heir`; what did not fit stays. Fails when the heir is gone.
    Result<void> handOn(MessageChannel& heir);
    /// The service ends: begun requests are answered, nobody is waited for otherwise.
    void closeIdle();
    void clear();

  private:
    struct Place {
        explicit Place(StatusConnection opened) : connection(std::move(opened)) {}
        StatusConnection connection;
        EventLoop::Watch readWatch;
        EventLoop::Watch writeWatch;
        EventLoop::Watch turnWatch;
    };
    using Places = std::list<Place>;
    using Step = bool (StatusConnection::*)(std::uint64_t);

    void acceptSome();
    void keep(StatusConnection connection);
    void run(Places::iterator place, Step step);
    void settle(Places::iterator place, bool open);
    void makeRoom();
    void sweep();
    void remove(Places::iterator place);
    [[nodiscard]] bool admits(int connection);
    [[nodiscard]] std::string answer(const fastcgi::Params& params) const;

    Parts parts_;
    StatusConnection::Answer boundedAnswer_;
    int listenFd_ = -1;
    EventLoop::Watch listenWatch_;
    EventLoop::Watch retryWatch_;
    EventLoop::Watch sweepWatch_;
    Places places_;  ///< oldest first
};

}  // namespace muster::manager
