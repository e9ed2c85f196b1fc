// Connections that the manager itself answers: watched, answered, ended, or given back.
//
// Manager process, part of its event loop; never blocks. Bounded connections, bytes and waiting:
// silent strangers make room for newcomers. At rest between two requests a connection can go to
// the next generation, or back to whoever wants it.
#pragma once

#include <list>

#include "base/event_loop.h"
#include "base/message_channel.h"
#include "manager/status_connection.h"

namespace muster::manager {

class Answering {
  public:
    /// All borrowed but the functions. `onRest`: connections have come to rest or ended; never
    /// called inside another call of this object. `giveBack`, if there is one, gets each kept-alive
    /// connection once it has its answer.
    struct Parts {
        EventLoop* loop = nullptr;
        std::size_t maxConnections = 64;
        StatusConnection::Bounds bounds;
        StatusConnection::Answer answer;
        std::function<void()> onRest;
        std::function<void(worker::ParkedConnection)> giveBack;
    };
    explicit Answering(Parts parts);

    [[nodiscard]] bool empty() const { return places_.empty(); }
    /// Some connection could go to the next generation now.
    [[nodiscard]] bool hasMovable() const;

    void take(UniqueFd connection);
    /// One that was received from before. What is there already is answered at once.
    void adopt(worker::ParkedConnection parked, unsigned reason = 0);

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

    Places::iterator keep(StatusConnection connection);
    void run(Places::iterator place, Step step);
    void settle(Places::iterator place, bool open);
    void makeRoom();
    void sweep();
    void remove(Places::iterator place);
    [[nodiscard]] std::string answer(const fastcgi::Params& params,
                                     const StatusConnection::Asker& asker) const;

    Parts parts_;
    StatusConnection::Answer boundedAnswer_;
    EventLoop::Watch sweepWatch_;
    Places places_;  ///< oldest first
};

}  // namespace muster::manager
