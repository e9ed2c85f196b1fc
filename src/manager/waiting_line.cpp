// Places in the line.
#include "manager/waiting_line.h"

#include <algorithm>
#include <iterator>
#include <utility>

namespace muster::manager {

std::uint64_t WaitingLine::oldestNs() const {
    std::uint64_t oldest = places_.empty() ? UINT64_MAX : places_.front().parked.facts.sinceNs;
    // Those that were shown late may be older than those before them.
    for (const std::uint64_t arrival : shown_) {
        oldest = std::min(oldest, arrival);
    }
    return oldest == UINT64_MAX ? 0 : oldest;
}

WaitingLine::Places::iterator WaitingLine::join(worker::ParkedConnection parked) {
    auto place = places_.end();
    while (place != places_.begin() &&
           std::prev(place)->parked.facts.sinceNs > parked.facts.sinceNs) {
        --place;
    }
    place = places_.emplace(place);
    place->parked = std::move(parked);
    return place;
}

worker::ParkedConnection WaitingLine::take(Places::iterator place) {
    // Before its number can be closed, or the loop would still ask the kernel about it.
    place->watch.cancel();
    worker::ParkedConnection parked = std::move(place->parked);
    places_.erase(place);
    return parked;
}

const worker::ParkedConnection* WaitingLine::first() const {
    return places_.empty() ? nullptr : &places_.front().parked;
}

void WaitingLine::shown() {
    shown_.push_back(places_.front().parked.facts.sinceNs);
    take(places_.begin());
}

std::size_t WaitingLine::stillShown(std::size_t count) {
    const std::size_t taken = shown_.size() > count ? shown_.size() - count : 0;
    shown_.erase(shown_.begin(), shown_.begin() + static_cast<std::ptrdiff_t>(taken));
    return taken;
}

std::optional<worker::ParkedConnection> WaitingLine::takeOverdue(std::uint64_t nowNs) {
    if (places_.empty() || !isOverdue(places_.front().parked.facts.sinceNs, nowNs)) {
        return std::nullopt;
    }
    return take(places_.begin());
}

bool WaitingLine::overdueAmongShown(std::uint64_t nowNs) const {
    return std::any_of(shown_.begin(), shown_.end(),
                       [&](std::uint64_t arrival) { return isOverdue(arrival, nowNs); });
}

}  // namespace muster::manager
