// The row of the last crashes.
#include "master/emergency.h"

#include "base/clock.h"

namespace muster::master {

void CrashRecord::configure(int threshold, int intervalSeconds) {
    if (threshold != threshold_ || intervalSeconds != intervalSeconds_) {
        crashes_.clear();
    }
    threshold_ = threshold;
    intervalSeconds_ = intervalSeconds;
}

bool CrashRecord::note(std::uint64_t nowNs) {
    if (threshold_ <= 0 || intervalSeconds_ <= 0) {
        return false;
    }
    const auto interval = static_cast<std::uint64_t>(intervalSeconds_) * kNsPerSecond;
    while (!crashes_.empty() && nowNs - crashes_.front() > interval) {
        crashes_.pop_front();
    }
    crashes_.push_back(nowNs);
    if (crashes_.size() < static_cast<std::size_t>(threshold_)) {
        return false;
    }
    crashes_.clear();
    return true;
}

}  // namespace muster::master
