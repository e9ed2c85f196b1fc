// Reads what nobody wants until the peer is done.
#include "manager/lingering.h"

#include <sys/socket.h>

#include <cerrno>
#include <chrono>
#include <utility>

#include "base/clock.h"

namespace muster::manager {
namespace {

constexpr std::chrono::milliseconds kSweep{250};
constexpr std::uint64_t kPatienceNs = 2 * kNsPerSecond;
/// Of one peer; more than what the buffers on the way may hold.
constexpr std::size_t kDrainBytes = std::size_t{8} << 20;

}  // namespace

Lingering::Lingering(EventLoop& loop, std::function<void()> onEmpty)
    : loop_(&loop), onEmpty_(std::move(onEmpty)) {}

void Lingering::keep(UniqueFd connection) {
    if (places_.size() >= kMaxConnections) {
        remove(places_.begin());
    }
    const auto place = places_.emplace(places_.end());
    place->connection = std::move(connection);
    place->deadlineNs = monotonicNs() + kPatienceNs;
    place->watch =
        loop_->whenReadable(place->connection.get(), [this, place] { onReadable(place); });
    if (!sweepWatch_) {
        sweepWatch_ = loop_->every(kSweep, [this] { sweep(); });
    }
}

// One block at a time, so that nobody keeps the manager by sending fast.
void Lingering::onReadable(Places::iterator place) {
    char block[65536];
    const ssize_t n = ::recv(place->connection.get(), block, sizeof block, MSG_DONTWAIT);
    if (n < 0 && (errno == EINTR || errno == EAGAIN || errno == EWOULDBLOCK)) {
        return;
    }
    place->drained += n > 0 ? static_cast<std::size_t>(n) : 0;
    if (n > 0 && place->drained <= kDrainBytes) {
        return;
    }
    remove(place);
    if (empty()) {
        sweepWatch_.cancel();
        onEmpty_();
    }
}

void Lingering::remove(Places::iterator place) {
    // Before its number is closed, or the loop would still ask the kernel about it.
    place->watch.cancel();
    places_.erase(place);
}

void Lingering::sweep() {
    const std::uint64_t now = monotonicNs();
    while (!empty() && now >= places_.front().deadlineNs) {
        remove(places_.begin());
    }
    if (empty()) {
        sweepWatch_.cancel();
        onEmpty_();
    }
}

void Lingering::clear() {
    while (!empty()) {
        remove(places_.begin());
    }
    sweepWatch_.cancel();
}

}  // namespace muster::manager
