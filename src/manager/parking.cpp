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

Result<void> send(MessageChannel& channel, const worker::ParkedConnection& parked) {
    return worker::sendParked(channel, parked.connection.get(), parked.head.get(), parked.facts);
}

}  // namespace

ParkingLimits ParkingLimits::of(const config::PoolSettings& pool, std::size_t openFiles,
                                std::size_t others) {
    ParkingLimits limits;
    limits.latecomers = static_cast<std::size_t>(std::max(pool.maxChildren, 0));
    limits.wait = worker::WaitLimits::of(pool);
    const std::size_t left = openFiles > others ? (openFiles - others) / 2 : 0;
    limits.connections = std::clamp<std::size_t>(
        left, 1, static_cast<std::size_t>(std::max(pool.listenMaxWaiting, 1)));
    return limits;
}

std::size_t ParkingLimits::descriptorsFor(const config::PoolSettings& pool) {
    return 2 * static_cast<std::size_t>(std::max(pool.listenMaxWaiting, 1));
}

Parking::Parking(EventLoop& loop, const ParkingLimits& limits, const Queue& queue,
                 std::function<void()> onReady)
    : loop_(&loop), limits_(limits), queue_(queue), onReady_(std::move(onReady)) {}

void Parking::park(worker::ParkedConnection parked) {
    const auto place = waiting_.emplace(waiting_.end());
    place->parked = std::move(parked);
    place->headBytes = sizeOf(place->parked.head);
    place->deadlineNs = deadlineNs(place->parked.facts, limits_.wait).value_or(0);
    headBytes_ += place->headBytes;
    if (isIdle(place->parked.facts)) {
        ++idle_;
    }
    // Hosts that vanish without a word would be waited for for ever.
    const int on = 1;
    ::setsockopt(place->parked.connection.get(), SOL_SOCKET, SO_KEEPALIVE, &on, sizeof on);
    place->watch =
        loop_->whenReadable(place->parked.connection.get(), [this, place] { onReadable(place); });
    if (!sweepWatch_) {
        sweepWatch_ = loop_->every(kSweep, [this] { sweep(); });
    }
    makeRoom();
    tellRoom();
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
    ready_.push_back(std::move(place->parked));  // its facts stay, too: plain numbers
    remove(place);
}

void Parking::remove(Places::iterator place) {
    headBytes_ -= place->headBytes;
    if (isIdle(place->parked.facts)) {
        --idle_;
    }
    // Before its number is closed, or the loop would still ask the kernel about it.
    place->watch.cancel();
    waiting_.erase(place);
    tellRoom();
}

void Parking::tellRoom() {
    const std::uint32_t full = isFull() ? 1 : 0;
    if (queue_.full->load(std::memory_order_relaxed) != full) {
        queue_.full->store(full, std::memory_order_relaxed);
    }
}

// A quarter is left to those who have only just come: each was silent once.
bool Parking::isFull() const {
    return idle_ + ready_.size() >= limits_.connections - limits_.connections / 4;
}

void Parking::makeRoom() {
    while (waiting_.size() + ready_.size() > limits_.connections ||
           headBytes_ > limits_.headBytes) {
        auto place = dispensable();
        if (place == waiting_.end()) {
            // Idle ones only. Those of workers that did not know yet that there is no more room.
            if (waiting_.size() + ready_.size() <= limits_.connections + limits_.latecomers ||
                waiting_.empty()) {
                return;
            }
            place = waiting_.begin();
            if (look(place->parked.connection.get()) == Sight::bytes) {
                becomesReady(place);
                continue;
            }
        }
        remove(place);
    }
}

/// Of those that wait for the rest of a head the oldest that has nothing to say just now, or the
/// oldest at all when the first few of them do.
Parking::Places::iterator Parking::dispensable() {
    constexpr int kLooks = 16;
    const bool tooMany = waiting_.size() + ready_.size() > limits_.connections;
    auto oldest = waiting_.end();
    int looks = 0;
    for (auto place = waiting_.begin(); place != waiting_.end() && looks < kLooks; ++place) {
        if (isIdle(place->parked.facts) || (!tooMany && place->headBytes == 0)) {
            continue;
        }
        if (look(place->parked.connection.get()) != Sight::bytes) {
            return place;
        }
        oldest = oldest == waiting_.end() ? place : oldest;
        ++looks;
    }
    return oldest;
}

void Parking::sweep() {
    const std::uint64_t now = monotonicNs();
    for (auto place = waiting_.begin(); place != waiting_.end();) {
        const auto next = std::next(place);
        if (place->deadlineNs != 0 && now >= place->deadlineNs) {
            // One more look: nobody is closed for his slowness whose next request is here.
            if (isIdle(place->parked.facts) &&
                look(place->parked.connection.get()) == Sight::bytes) {
                becomesReady(place);
            } else {
                remove(place);
            }
        }
        place = next;
    }
    if (waiting_.empty()) {
        sweepWatch_.cancel();
    }
    if (!ready_.empty()) {
        onReady_();
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
    std::deque<worker::ParkedConnection> ready = std::exchange(ready_, {});
    tellRoom();
    return ready;
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
        tellRoom();
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
        } else if (sight == Sight::gone || isIdle(place->parked.facts)) {
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
