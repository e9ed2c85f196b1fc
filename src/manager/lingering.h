// The pool's connections that have had their last answer and whose peers still send.
//
// Owns them, reads and discards, and closes each when its peer does, or at a limit of bytes or
// time: closing before would reset it under the answer. Bounded: beyond the limit the oldest goes.
// Manager process, single-threaded.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <list>

#include "base/event_loop.h"
#include "base/unique_fd.h"

namespace muster::manager {

class Lingering {
  public:
    static constexpr std::size_t kMaxConnections = 128;

    /// `onEmpty` is called when the last one is closed; never inside another call of this object.
    Lingering(EventLoop& loop, std::function<void()> onEmpty);

    /// Its own side is shut down already.
    void keep(UniqueFd connection);
    [[nodiscard]] bool empty() const { return places_.empty(); }
    void clear();

  private:
    struct Place {
        UniqueFd connection;
        std::uint64_t deadlineNs = 0;
        std::size_t drained = 0;
        EventLoop::Watch watch;
    };
    using Places = std::list<Place>;

    void onReadable(Places::iterator place);
    void remove(Places::iterator place);
    void sweep();

    EventLoop* loop_;
    std::function<void()> onEmpty_;
    Places places_;  ///< oldest first, so in the order of their deadlines
    EventLoop::Watch sweepWatch_;
};

}  // namespace muster::manager
