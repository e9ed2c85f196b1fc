// What the soak asks and how often: one row for each kind of request.
#pragma once

#include <span>

#include "visitor.h"

namespace muster::soak {

struct Kind {
    const char* name;
    unsigned weight;  ///< requests of this kind among a thousand, more or less
    Outcome (*act)(Visitor&);
};

[[nodiscard]] std::span<const Kind> kinds();

}  // namespace muster::soak
