// Whether what came back is what the stream's requests call for, and nothing else.
#pragma once

#include <string>

#include "case.h"
#include "exchange.h"

namespace muster::smuggling {

/// What forged.php prints, and no request holds.
inline constexpr const char* kForgedMark = "A FORGED REQUEST RAN";

struct Verdict {
    std::string failure;  ///< empty: all is right
    std::size_t answered = 0;
    bool closedEarly = false;  ///< requests that could have been answered met a closed connection
};

[[nodiscard]] Verdict judge(const Case& what, const Outcome& outcome);

}  // namespace muster::smuggling
