// Sends one case over one connection and takes down every record that comes back.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "case.h"

namespace muster::smuggling {

struct Answer {
    std::uint16_t id = 0;
    std::string out;
    std::string err;
    bool ended = false;
};

struct Outcome {
    std::vector<Answer> answers;  ///< in the order they came
    unsigned refused = 0;         ///< END_REQUEST that says "can't multiplex"
    bool closed = false;          ///< by the server
    bool refusedConnection = false;
    std::string problem;  ///< what no server may do, or silence
};

/// `patienceMs`: how long the server may be silent.
[[nodiscard]] Outcome exchange(const std::string& address, const Case& what, int patienceMs);

}  // namespace muster::smuggling
