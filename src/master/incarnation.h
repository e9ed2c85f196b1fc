// A generation as PoolSet keeps it: by which plan it runs, and how long it may take for what is
// next.
//
// Master only; owns the generation and its deadlines.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>

#include "base/event_loop.h"
#include "master/generation.h"
#include "master/preparation.h"

namespace muster::master {

struct Incarnation {
    PoolPlan plan;
    std::unique_ptr<Generation> generation;
    EventLoop::Watch deadline;                ///< not ready, or not gone, in time
    std::optional<std::uint64_t> deadlineNs;  ///< of one that leaves
    bool late = false;                        ///< killed because it was not ready in time
    bool logsDue = false;                     ///< its channel was full
    EventLoop::Watch quiet;  ///< a renewal waits until it accepts no more, or for this
};

}  // namespace muster::master
