// One request over a connection of its own, by libevent's HTTP client.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <string>

#include "arrivals.h"

struct event_base;

namespace muster::chaos {

struct Outcome {
    int status = 0;       ///< 0: no answer
    std::string worker;   ///< the pid in the answer's head
    std::string problem;  ///< "" when the answer is right
};

class Visit {
  public:
    using Done = std::function<void(const Request&, const Outcome&)>;

    /// Begins at once; `done` is called once, from the loop. The visit deletes itself after that.
    static void begin(event_base* loop, int port, const Request& request,
                      std::chrono::seconds patience, Done done);
};

}  // namespace muster::chaos
