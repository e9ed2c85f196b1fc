// Takes from the queue, sends to the manager.
#include "worker/hand_over.h"

#include <fcntl.h>
#include <poll.h>

#include "base/io.h"
#include "base/shared_memory.h"

namespace muster::worker {
namespace {

/// More than any head that the limits allow: longer ones are refused before (RequestReader).
constexpr std::size_t kMaxHead = std::size_t{32} << 20;

}  // namespace

HandOver::HandOver(const WorkerInputs& inputs)
    : commands_(&inputs.segment->header().commands),
      manager_(UniqueFd(inputs.handOverFd < 0 ? -1 : ::fcntl(inputs.ordersFd, F_DUPFD_CLOEXEC, 3))),
      queue_(UniqueFd(inputs.handOverFd)) {}

bool HandOver::waits() const {
    return possible() && commands_->handOvers.load(std::memory_order_relaxed) != 0;
}

bool HandOver::holds() const {
    return waits() && isReadable(queue_.fd());
}

bool HandOver::hasRoom() const {
    return commands_->lotFull.load(std::memory_order_relaxed) == 0;
}

std::optional<ParkedConnection> HandOver::take() {
    // An error is one message that could not be taken whole; its connection is closed with it.
    const auto outcome = queue_.receive(message_);
    if (!outcome || *outcome != MessageChannel::Outcome::message) {
        return std::nullopt;
    }
    return parkedIn(message_);
}

bool HandOver::linesUp() const {
    return possible() && commands_->lineUp.load(std::memory_order_relaxed) != kNoLine;
}

bool HandOver::isHeld() const {
    return possible() && commands_->lineUp.load(std::memory_order_relaxed) == kLineHeld;
}

void HandOver::reportHungUp(const ParkedConnection& parked) {
    ParkedFacts facts;
    facts.inLine = kHungUpInLine;
    // Only counted: the manager has more to do when its channel is full.
    [[maybe_unused]] const auto sent = sendParked(manager_, parked.connection.get(), -1, facts);
}

std::string HandOver::headOf(const ParkedConnection& parked) {
    return parked.head ? readDescriptor(parked.head.get(), kMaxHead).value_or("") : std::string();
}

bool HandOver::park(const fastcgi::ServerConnection& connection, ParkedFacts facts) {
    const fastcgi::RequestReader::LateData lateData = connection.lateData();
    facts.requestId = lateData.requestId;
    facts.lateData = lateData.expected ? 1 : 0;
    UniqueFd head;
    if (facts.headBegun != 0) {
        auto sealed = createSealedContent("muster-head", connection.partialHead());
        if (!sealed) {
            return false;
        }
        head = std::move(*sealed);
    }
    return sendParked(manager_, connection.fd(), head.get(), facts).has_value();
}

bool HandOver::linger(int connection) {
    ParkedFacts facts;
    facts.lingers = 1;
    return possible() && sendParked(manager_, connection, -1, facts).has_value();
}

}  // namespace muster::worker
