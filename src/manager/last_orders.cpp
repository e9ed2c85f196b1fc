// Closes the socket and watches its queue.
#include "manager/last_orders.h"

#include "base/clock.h"
#include "base/listen_address.h"
#include "base/listen_closing.h"
#include "base/listen_socket.h"

namespace muster::manager {
namespace {

/// For TCP handshakes that had begun to come through.
constexpr std::uint64_t kHandshakesNs = 100 * kNsPerMs;

bool somebodyWaits(int listener) {
    // Unknown is nobody: workers look for themselves before they leave.
    const auto queue = listenQueue(listener);
    return queue && queue->pending > 0;
}

}  // namespace

bool LastOrders::begin(std::uint64_t nowNs) {
    goesOn_ = closeToNewcomers(listener_).has_value();
    earliestEndNs_ = isUnixSocket(listener_) ? nowNs : nowNs + kHandshakesNs;
    return goesOn_;
}

bool LastOrders::goOn(std::uint64_t nowNs) {
    if (goesOn_ && nowNs >= earliestEndNs_ && !somebodyWaits(listener_)) {
        end();
    }
    return goesOn_;
}

void LastOrders::end() {
    if (goesOn_) {
        goesOn_ = false;
        endListening(listener_);
    }
}

}  // namespace muster::manager
