// Questions to managers about what one of their workers does right now, and who waits for them.
//
// Owned by the master's PoolSet. A manager that does not answer in time, or dies, costs an error.
// Bounded by the number of control connections: each waits for one answer.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <functional>
#include <map>

#include "base/event_loop.h"
#include "manager/live_trace.h"
#include "master/generation.h"

namespace muster::master {

class Traces {
  public:
    using OnDone = std::function<void(const Result<manager::LiveTrace>&)>;

    explicit Traces(EventLoop& loop) : loop_(&loop) {}

    /// `done` is called once, perhaps before this returns.
    void ask(Generation& generation, pid_t worker, OnDone done);
    /// MessageType::traced of any generation.
    void answered(const Generation& generation, const manager::ControlMessage& message);
    /// The manager is dead.
    void gone(pid_t manager);

  private:
    struct Question {
        pid_t manager = 0;
        UniqueFd answer;
        OnDone done;
        EventLoop::Watch deadline;
    };
    void close(std::uint64_t ticket, const Result<manager::LiveTrace>& outcome);

    EventLoop* loop_;
    std::map<std::uint64_t, Question> open_;
    std::uint64_t next_ = 1;
};

}  // namespace muster::master
