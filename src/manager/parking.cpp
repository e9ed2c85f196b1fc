// Watches, counts and passes on what is parked.
#include "manager/parking.h"

#include <linux/sockios.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <utility>

#include "base/clock.h"

namespace muster::manager {

using std::chrono::milliseconds;

namespace {

/// In the queue at a time: enough for all workers, and few enough to be passed on when they drain.
constexpr std::size_t kQueueLength = 64;
constexpr milliseconds kSweep{250};
/// How long the rest of a head is waited for when the service ends.
constexpr std::uint64_t kStopPatienceNs = 5 * kNsPerSecond;

/// … and its first byte, of a connection that came just before.
constexpr std::uint64_t kStopGreetingNs = kNsPerSecond;

enum class Sight { bytes, nothing, gone };

Sight look(int connection) {
    char byte = 0;
    const ssize_t n = ::recv(connection, &byte, 1, MSG_PEEK | MSG_DONTWAIT);
    if (n > 0) {
        return Sight::bytes;
    }
    return n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR) ? Sight::nothing
                                                                                : Sight::gone;
}

std::size_t sizeOf(const UniqueFd& head) {
    struct stat info {};
    return head && ::fstat(head.get(), &info) == 0 ? static_cast<std::size_t>(info.st_size) : 0;
}

bool isKnown(const worker::ParkedConnection& parked) {
    return parked.facts.keptAlive != 0 && parked.facts.headBegun == 0;
}

Result<void> send(MessageChannel& channel, const worker::ParkedConnection& parked) {
    return worker::sendParked(channel, parked.connection.get(), parked.head.get(), parked.facts);
}

}  // namespace

ParkingLimits ParkingLimits::within(std::size_t openFiles, std::size_t others) {
    ParkingLimits limits;
    const std::size_t left = openFiles > others ? (openFiles - others) / 2 : 0;
    limits.connections = std::clamp<std::size_t>(left, 1, limits.connections);
    return limits;
}

Parking::Parking(EventLoop& loop, const ParkingLimits& limits, const Queue& queue,
                 std::function<void()> onReady)
    : loop_(&loop), limits_(limits), queue_(queue), onReady_(std::move(onReady)) {}

void Parking::park(worker::ParkedConnection parked) {
    const auto place = waiting_.emplace(waiting_.end());
    place->parked = std::move(parked);
    place->headBytes = sizeOf(place->parked.head);
    place->deadlineNs = deadlineNs(place->parked.facts, limits_.wholeHeadNs).value_or(0);
    headBytes_ += place->headBytes;
    place->watch =
        loop_->whenReadable(place->parked.connection.get(), [this, place] { onReadable(place); });
    if (!sweepWatch_) {
        sweepWatch_ = loop_->every(kSweep, [this] { sweep(); });
    }
    makeRoom();
}

void Parking::onReadable(Places::iterator place) {
    switch (look(place->parked.connection.get())) {
        case Sight::bytes:
            becomesReady(place);
            onReady_();
            break;
        case Sight::gone:
            remove(place);
            break;
        case Sight::nothing:
            break;
    }
}

void Parking::becomesReady(Places::iterator place) {
    place->watch.cancel();
    ready_.push_back(std::move(place->parked));
    remove(place);
}

void Parking::remove(Places::iterator place) {
    headBytes_ -= place->headBytes;
    // Before its number is closed, or the loop would still ask the kernel about it.
    place->watch.cancel();
    waiting_.erase(place);
}

// Strangers go first: closing a kept-alive connection may race with a request on its way.
void Parking::makeRoom() {
    while (!waiting_.empty() && (waiting_.size() + ready_.size() > limits_.connections ||
                                 headBytes_ > limits_.headBytes)) {
        const auto stranger =
            std::find_if(waiting_.begin(), waiting_.end(), [this](const Place& place) {
                return !isKnown(place.parked) &&
                       (headBytes_ <= limits_.headBytes || place.headBytes > 0);
            });
        remove(stranger != waiting_.end() ? stranger : waiting_.begin());
    }
}

void Parking::sweep() {
    const std::uint64_t now = monotonicNs();
    for (auto place = waiting_.begin(); place != waiting_.end();) {
        const auto next = std::next(place);
        if (place->deadlineNs != 0 && now >= place->deadlineNs) {
            remove(place);
        }
        place = next;
    }
    if (waiting_.empty()) {
        sweepWatch_.cancel();
    }
}

std::size_t Parking::queued() const {
    int bytes = 0;
    if (messageCost_ == 0 || ::ioctl(queue_.ours->fd(), SIOCOUTQ, &bytes) < 0 || bytes <= 0) {
        return 0;
    }
    return static_cast<std::size_t>((bytes + messageCost_ - 1) / messageCost_);
}

std::size_t Parking::readyCount() const {
    return ready_.size() + queued();
}

std::deque<worker::ParkedConnection> Parking::takeReady() {
    return std::exchange(ready_, {});
}

bool Parking::offer(const worker::ParkedConnection& parked) {
    if (const auto sent = send(*queue_.ours, parked); !sent && worker::isFull(sent.error())) {
        return false;
    }
    if (messageCost_ == 0) {
        // All messages are of one size, so what the first one costs is what each costs.
        ::ioctl(queue_.ours->fd(), SIOCOUTQ, &messageCost_);
    }
    return true;
}

void Parking::fillQueue() {
    std::size_t inQueue = ready_.empty() ? 0 : queued();
    while (!ready_.empty() && inQueue < kQueueLength && offer(ready_.front())) {
        ready_.pop_front();
        ++inQueue;
    }
}

std::deque<worker::ParkedConnection> Parking::recall() {
    ReceivedMessage message;
    std::deque<worker::ParkedConnection> earlier;
    for (;;) {
        const auto outcome = queue_.workers->receive(message);
        if (!outcome || *outcome != MessageChannel::Outcome::message) {
            break;
        }
        if (auto parked = worker::parkedIn(message)) {
            earlier.push_back(std::move(*parked));
        }
    }
    return earlier;
}

void Parking::recallToReady() {
    std::deque<worker::ParkedConnection> earlier = recall();
    ready_.insert(ready_.begin(), std::make_move_iterator(earlier.begin()),
                  std::make_move_iterator(earlier.end()));
}

Result<void> Parking::handOn(MessageChannel& heir) {
    recallToReady();
    while (!ready_.empty()) {
        if (const auto sent = send(heir, ready_.front()); !sent) {
            return worker::isFull(sent.error()) ? Result<void>() : sent;
        }
        ready_.pop_front();
    }
    while (!waiting_.empty()) {
        if (const auto sent = send(heir, waiting_.front().parked); !sent) {
            return worker::isFull(sent.error()) ? Result<void>() : sent;
        }
        remove(waiting_.begin());
    }
    return {};
}

void Parking::closeIdle() {
    const std::uint64_t now = monotonicNs();
    for (auto place = waiting_.begin(); place != waiting_.end();) {
        const auto next = std::next(place);
        const Sight sight = look(place->parked.connection.get());
        if (sight == Sight::bytes) {
            becomesReady(place);
        } else if (sight == Sight::gone || isKnown(place->parked)) {
            remove(place);
        } else {
            const bool begun = place->parked.facts.headBegun != 0;
            const std::uint64_t latest = now + (begun ? kStopPatienceNs : kStopGreetingNs);
            place->deadlineNs =
                place->deadlineNs == 0 ? latest : std::min(place->deadlineNs, latest);
        }
        place = next;
    }
}

void Parking::clear() {
    while (!waiting_.empty()) {
        remove(waiting_.begin());
    }
    recallToReady();
    ready_.clear();
    sweepWatch_.cancel();
}

}  // namespace muster::manager
