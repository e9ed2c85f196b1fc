// One connection's worth of hostile requests: what is sent, in which pieces, and when to wait.
//
// A case follows from its seed and number alone. It carries a complete forged request where only
// bytes belong, or behind something that ends the connection; honest requests follow.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace muster::smuggling {

/// Directory of the scripts: smuggle.php, and forged.php which must never run.
struct Site {
    std::string directory;
};

struct Case {
    std::uint64_t number = 0;
    std::string scripts;  ///< where they are
    std::string kinds;    ///< for reports
    std::string stream;
    std::vector<std::size_t> cuts;   ///< offsets at which another write begins
    std::vector<std::size_t> waits;  ///< offsets before which all answers due are taken
    std::size_t pauseAt = 0;         ///< a few milliseconds before this offset; 0: none
    unsigned pauseMs = 0;
};

[[nodiscard]] Case makeCase(const Site& site, std::uint64_t seed, std::uint64_t number);

}  // namespace muster::smuggling
