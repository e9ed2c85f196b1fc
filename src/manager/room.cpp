// Granted, asked for, in use.
#include "manager/room.h"

#include <algorithm>

namespace muster::manager {

void Room::begin(std::uint32_t granted, int initial) {
    held_ = static_cast<int>(granted);
    asked_ = std::max(0, initial - held_);
}

void Room::granted(std::uint32_t workers) {
    held_ += static_cast<int>(workers);
    asked_ = std::max(0, asked_ - static_cast<int>(workers));
}

int Room::mayFork(int wanted, int running) const {
    return limited_ ? std::clamp(held_ - running, 0, std::max(wanted, 0)) : wanted;
}

int Room::toAsk(int wanted, int running) const {
    return limited_ ? std::max(0, running + wanted - held_ - asked_) : 0;
}

int Room::surplus(int running, int wanted) const {
    return limited_ ? std::max(0, held_ - running - std::max(wanted, 0)) : 0;
}

}  // namespace muster::manager
