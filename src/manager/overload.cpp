// Accepts for busy workers, lines up, refuses.
#include "manager/overload.h"

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <chrono>
#include <utility>

#include "base/clock.h"
#include "base/io.h"

namespace muster::manager {

using std::chrono::milliseconds;

namespace {

constexpr int kAcceptTurn = 64;
constexpr milliseconds kRetry{100};  // when the machine has no descriptor or memory to accept with
/// Between looks at what is shown to the workers.
constexpr milliseconds kPulse{5};
/// How often a worker that seems free is waited for, each time twice as long: a second in all. More
/// than a busy machine keeps it from running; one that is stopped is not worth more.
constexpr int kPatience = 10;
/// Shown to the workers at a time, at most.
constexpr std::size_t kMostShown = 64;

StatusConnection::Bounds boundsOfAnswers() {
    StatusConnection::Bounds bounds;
    bounds.head = fastcgi::ParamsLimits{};
    bounds.drainBytes = std::size_t{8} << 20;
    return bounds;
}

}  // namespace

Overload::Overload(Parts parts)
    : parts_(std::move(parts)),
      listenFd_(parts_.workers->listenFd),
      line_(parts_.limits),
      answers_({.workers = parts_.workers, .pen = parts_.pen, .statusAnswer = parts_.statusAnswer}),
      answering_({.loop = parts_.loop,
                  .maxConnections = kMaxAnswering,
                  .bounds = boundsOfAnswers(),
                  .answer =
                      [this](const fastcgi::Params& params, const StatusConnection::Asker& asker) {
                          return answers_.answer(params, asker);
                      },
                  .onRest = [this] { parts_.onRest(); },
                  .giveBack =
                      [this](worker::ParkedConnection parked) {
                          if (!parts_.isEnding()) {
                              parts_.parking->park(std::move(parked));
                          }
                      }}) {}

Result<void> Overload::start() {
    if (!isOn()) {
        return {};
    }
    auto accept = BriefAccept::install();
    if (!accept) {
        return tl::make_unexpected(accept.error());
    }
    accept_ = *accept;
    publish();
    return {};
}

// --- Accepting ------------------------------------------------------------------------------

void Overload::onListener() {
    if (!isOn() || !parts_.isServing()) {
        return;
    }
    if (!linedUp_ && !lineUp(patience_ >= kPatience)) {
        tryLater();
        return;
    }
    patience_ = 0;
    laterWatch_.cancel();
    acceptSome();
    parts_.onChange();
}

// Said first, looked at after: a worker says that it is idle first and looks at the flag after. So
// either it sees the flag, or we see that it may be in accept, and leave the connection to it.
bool Overload::lineUp(bool whateverTheyDo) {
    const auto free = [this] {
        const Children::Free now = parts_.children->free();
        return now.idle + now.starting;
    };
    if (!whateverTheyDo && (free() > 0 || parts_.children->free().waiting > 0)) {
        return false;
    }
    setLineUp(worker::kLinedUp);
    if (!whateverTheyDo && free() > 0) {
        endLine();
        return false;
    }
    return true;
}

void Overload::setLineUp(std::uint32_t state) {
    linedUp_ = state != worker::kNoLine;
    parts_.workers->segment->header().commands.lineUp.store(state, std::memory_order_seq_cst);
    std::atomic_thread_fence(std::memory_order_seq_cst);
}

// Who waits at the queue goes back to the pool's socket.
void Overload::endLine() {
    if (linedUp_) {
        setLineUp(worker::kNoLine);
        parts_.children->wakeIdle();
    }
}

void Overload::tryLater() {
    laterWatch_ = parts_.loop->after(milliseconds(1 << patience_), [this] {
        laterWatch_.cancel();
        if (!isReadable(listenFd_)) {
            patience_ = 0;
            return;
        }
        ++patience_;
        onListener();
    });
}

void Overload::acceptSome() {
    refresh();
    BriefAccept::Catch caught = accept_->take(listenFd_, kAcceptTurn);
    for (UniqueFd& connection : caught.connections) {
        if (parts_.refusals->admits(parts_.workers->peerRules, connection.get())) {
            worker::ParkedConnection parked;
            parked.connection = std::move(connection);
            parked.facts.sinceNs = monotonicNs();
            join(std::move(parked));
        }
    }
    if (caught.more) {
        goOn();
    } else if (caught.error != 0) {
        laterWatch_ = parts_.loop->after(kRetry, [this] {
            laterWatch_.cancel();
            onListener();
        });
    }
}

// When the others had their turn.
void Overload::goOn() {
    turnWatch_ = parts_.loop->after(milliseconds(0), [this] {
        turnWatch_.cancel();
        onListener();
    });
}

// --- The line -------------------------------------------------------------------------------

void Overload::join(worker::ParkedConnection parked) {
    const bool isNew = parked.facts.inLine == 0;
    if (isNew && parked.facts.keptAlive != 0 && parked.facts.headBegun == 0) {
        parked.facts.sinceNs = monotonicNs();  // until now it was idle
    }
    switch (sight_.look(parked)) {
        case HeadSight::Sight::gone:
            if (!isNew) {
                countHungUp();
            }
            return;
        case HeadSight::Sight::partial:
            if (parked.facts.headBegun == 0) {
                parked.facts.sinceWallNs = wallNs();
                parts_.pen->addRetired({.requests = 1});  // who reads the rest will not count it
            }
            if (!sight_.absorb(parked)) {
                return;
            }
            [[fallthrough]];
        case HeadSight::Sight::nothing:
            parked.facts.inLine = 0;
            parts_.parking->park(std::move(parked));
            return;
        case HeadSight::Sight::request:
            if (worker::hasHungUp(parked.connection.get())) {
                countHungUp();
                return;
            }
            if (answers_.isPage(sight_.params())) {
                answering_.adopt(std::move(parked), static_cast<unsigned>(WhyAnswered::page));
                return;
            }
            break;
        case HeadSight::Sight::garbage:
            if (parked.facts.keptAlive == 0) {
                return;  // nothing was said to it that could be lost
            }
            break;
        case HeadSight::Sight::unclear:
            break;
    }
    if (isNew && line_.isFull(static_cast<std::size_t>(parts_.children->free().idle))) {
        refuse(std::move(parked), WhyAnswered::lineFull);
    } else {
        stand(std::move(parked));
    }
}

void Overload::stand(worker::ParkedConnection parked) {
    parked.facts.inLine = worker::kWaitsInLine;
    const auto place = line_.join(std::move(parked));
    // Its bytes are there already, so each event is about something new: more of them, or the end.
    place->watch = parts_.loop->whenReadable(
        place->parked.connection.get(), [this, place] { onPeer(place); }, EventLoop::Trigger::edge);
}

void Overload::onPeer(WaitingLine::Places::iterator place) {
    if (worker::hasHungUp(place->parked.connection.get())) {
        line_.take(place);
        countHungUp();
        parts_.onChange();
    }
}

void Overload::refuse(worker::ParkedConnection parked, WhyAnswered why) {
    answering_.adopt(std::move(parked), static_cast<unsigned>(why));
}

// --- Showing it to the workers --------------------------------------------------------------

void Overload::settle() {
    if (!isOn()) {
        return;
    }
    gather();
    endOverdue();
    show();
    if (line_.depth() == 0) {
        takenLately_ = takenInPulse_ = 0;
        pulseWatch_.cancel();
        if (linedUp_ && !turnWatch_ && !laterWatch_ && isReadable(listenFd_)) {
            goOn();
        } else if (!turnWatch_) {
            endLine();
        }
    } else {
        if (!linedUp_ && parts_.isServing()) {
            [[maybe_unused]] const bool lined = lineUp(false);  // else who is idle takes them
        }
        if (!pulseWatch_) {
            pulseWatch_ = parts_.loop->every(kPulse, [this] { onPulse(); });
        }
    }
    publish();
}

void Overload::gather() {
    refresh();
    for (worker::ParkedConnection& parked : parts_.parking->takeReady()) {
        join(std::move(parked));
    }
}

void Overload::refresh() {
    if (isOn()) {
        takenInPulse_ += line_.stillShown(parts_.parking->queued());
        publish();
    }
}

// Only while nobody could take the second one when the first is in our hands: a worker says that it
// is idle before it looks whether the line is held. Who is idle takes what is shown anyway.
void Overload::recallUnseen() {
    const bool wasLinedUp = linedUp_;
    setLineUp(worker::kLineHeld);
    if (parts_.children->free().idle == 0) {
        recall();
    }
    setLineUp(wasLinedUp ? worker::kLinedUp : worker::kNoLine);
}

void Overload::recall() {
    std::deque<worker::ParkedConnection> back = parts_.parking->recall();
    takenInPulse_ += line_.stillShown(back.size());
    line_.noneShown();
    for (worker::ParkedConnection& parked : back) {
        stand(std::move(parked));
    }
}

void Overload::endOverdue() {
    const std::uint64_t now = monotonicNs();
    if (line_.overdueAmongShown(now)) {
        recallUnseen();
    }
    while (auto overdue = line_.takeOverdue(now)) {
        refuse(std::move(*overdue), WhyAnswered::waitedTooLong);
    }
}

// Workers that are busy find the next request at once if some are there for them; but what is shown
// is out of our sight. So it is as many as are taken within a few pulses.
std::size_t Overload::expectedTakers() const {
    if (!parts_.isServing()) {
        return kMostShown;  // who finds nothing leaves
    }
    const Children::Free free = parts_.children->free();
    return std::min(static_cast<std::size_t>(free.idle + free.waiting) + takenLately_, kMostShown);
}

void Overload::show() {
    const std::size_t takers = expectedTakers();
    std::size_t there = parts_.parking->queued();
    while (line_.first() != nullptr && there < takers && parts_.parking->offer(*line_.first())) {
        line_.shown();
        ++there;
    }
}

void Overload::onPulse() {
    refresh();
    takenLately_ = takenLately_ * 3 / 4 + std::exchange(takenInPulse_, 0);
    if (parts_.parking->queued() > expectedTakers()) {
        recallUnseen();
    }
    parts_.onChange();
}

void Overload::publish() {
    parts_.pen->setQueue({.limit = static_cast<std::uint32_t>(parts_.limits.places),
                          .depth = static_cast<std::uint32_t>(line_.depth()),
                          .oldestNs = line_.oldestNs()});
}

// --- The end --------------------------------------------------------------------------------

void Overload::stopAccepting() {
    turnWatch_.cancel();
    laterWatch_.cancel();
    endLine();
}

Result<void> Overload::handOn(MessageChannel& heir) {
    if (!isOn()) {
        return {};
    }
    for (worker::ParkedConnection& parked : parts_.parking->takeReady()) {
        stand(std::move(parked));
    }
    recall();
    while (const worker::ParkedConnection* first = line_.first()) {
        auto sent =
            worker::sendParked(heir, first->connection.get(), first->head.get(), first->facts);
        if (!sent) {
            publish();
            return worker::isFull(sent.error()) ? Result<void>() : sent;
        }
        line_.shown();
        line_.stillShown(0);
    }
    publish();
    return {};
}

void Overload::refuseAll() {
    if (!isOn()) {
        return;
    }
    recall();
    while (line_.first() != nullptr) {
        refuse(line_.takeFirst(), WhyAnswered::waitedTooLong);
    }
    answers_.tellRefused();
}

void Overload::clear() {
    if (!isOn()) {
        return;
    }
    stopAccepting();
    pulseWatch_.cancel();
    recall();
    while (line_.first() != nullptr) {
        line_.takeFirst();
    }
    answering_.clear();
}

}  // namespace muster::manager
