// Creates, checks and writes scoreboard segments.
#include "scoreboard/segment.h"

#include <algorithm>
#include <cstring>
#include <limits>
#include <new>
#include <string>
#include <utility>

#include "base/clock.h"
#include "scoreboard/seqlock.h"

namespace muster::scoreboard {
namespace {

std::byte* slotWords(Slot& slot) {
    return reinterpret_cast<std::byte*>(&slot) + kSlotWordsOffset;
}

std::byte* poolWords(Header& header) {
    return reinterpret_cast<std::byte*>(&header.pool) + kPoolWordsOffset;
}

// Cut to size-1; the rest is zeroed, so that nothing of an older request stays.
template <std::size_t Size>
void setText(char (&field)[Size], const char* text) {
    const std::size_t length = text == nullptr ? 0 : ::strnlen(text, Size - 1);
    if (length > 0) {
        std::memcpy(field, text, length);
    }
    std::memset(field + length, 0, Size - length);
}

void add(std::uint64_t& sum, std::uint64_t more) {
    const std::uint64_t room = std::numeric_limits<std::uint64_t>::max() - sum;
    sum += std::min(room, more);
}

}  // namespace

void addTotals(Totals& sum, const Totals& more) {
    add(sum.requests, more.requests);
    add(sum.failed, more.failed);
    add(sum.slowRequests, more.slowRequests);
    add(sum.timedOut, more.timedOut);
    add(sum.maxChildrenReached, more.maxChildrenReached);
    sum.maxActive = std::max(sum.maxActive, more.maxActive);
    sum.maxListenQueue = std::max(sum.maxListenQueue, more.maxListenQueue);
    sum.memoryPeak = std::max(sum.memoryPeak, more.memoryPeak);
    sum.maxQueued = std::max(sum.maxQueued, more.maxQueued);
    add(sum.overLimit, more.overLimit);
    add(sum.overdue, more.overdue);
    add(sum.hungUp, more.hungUp);
}

const char* stageName(Stage stage) {
    switch (stage) {
        case Stage::starting:
        case Stage::idle:
        case Stage::offDuty:
            return "Idle";
        case Stage::readingHeaders:
        case Stage::keepAlive:
            return "Reading headers";
        case Stage::gettingInfo:
            return "Getting request information";
        case Stage::running:
            return "Running";
        case Stage::ending:
            return "Ending";
        case Stage::finishing:
            return "Finishing";
    }
    return "Idle";
}

Result<UniqueFd> Segment::create(const SegmentIdentity& identity) {
    if (identity.slotCount == 0 || identity.slotCount > kMaxSlots) {
        return plainError("a scoreboard of " + std::to_string(identity.slotCount) +
                          " slots is not possible");
    }
    const std::uint32_t slots = std::min(identity.slotCount + identity.standbySlots, kMaxSlots);
    const std::size_t size = segmentSize(slots);
    auto fd = createSegment("muster-scoreboard", size);
    if (!fd) {
        return fd;
    }
    const auto mapping = Mapping::map(fd->get(), Mapping::Access::readWrite, size);
    if (!mapping) {
        return tl::make_unexpected(mapping.error());
    }
    auto* header = ::new (mapping->data()) Header{};
    header->magic = kMagic;
    header->version = kLayoutVersion;
    header->headerSize = sizeof(Header);
    header->slotSize = sizeof(Slot);
    header->slotCount = slots;
    header->maxChildren = identity.slotCount;
    header->processManager = identity.processManager;
    const std::string_view name = identity.poolName.substr(0, kPoolNameSize - 1);
    std::copy(name.begin(), name.end(), header->poolName);
    header->pool.startedWallNs = identity.startedWallNs;
    header->pool.retired = identity.carried;
    header->commands.wakeAtIdle.store(kNoHints, std::memory_order_relaxed);
    return fd;
}

Result<Segment> Segment::attach(int fd, Mapping::Access access) {
    auto mapping = Mapping::map(fd, access, sizeof(Header));
    if (!mapping) {
        return tl::make_unexpected(mapping.error());
    }
    // The fields are copied before they are judged: another process may change them meanwhile.
    const auto* header = static_cast<const Header*>(mapping->data());
    const auto magic = __atomic_load_n(&header->magic, __ATOMIC_ACQUIRE);
    const auto version = __atomic_load_n(&header->version, __ATOMIC_RELAXED);
    const auto headerSize = __atomic_load_n(&header->headerSize, __ATOMIC_RELAXED);
    const auto slotSize = __atomic_load_n(&header->slotSize, __ATOMIC_RELAXED);
    const auto slotCount = __atomic_load_n(&header->slotCount, __ATOMIC_RELAXED);
    const auto maxChildren = __atomic_load_n(&header->maxChildren, __ATOMIC_RELAXED);
    if (magic != kMagic) {
        return plainError("shared memory is not a scoreboard");
    }
    if (version != kLayoutVersion || headerSize != sizeof(Header) || slotSize != sizeof(Slot)) {
        return plainError("scoreboard of another version (" + std::to_string(version) + ")");
    }
    if (slotCount == 0 || slotCount > kMaxSlots || mapping->size() != segmentSize(slotCount)) {
        return plainError("scoreboard of " + std::to_string(mapping->size()) +
                          " bytes cannot have " + std::to_string(slotCount) + " slots");
    }
    Segment segment;
    segment.mapping_ = std::move(*mapping);
    segment.slotCount_ = slotCount;
    segment.maxChildren_ = std::min(maxChildren, slotCount);
    return segment;
}

Header& Segment::header() const {
    return *static_cast<Header*>(mapping_.data());
}

std::uint32_t Segment::slotCount() const {
    return slotCount_;
}

Slot& Segment::slot(std::uint32_t index) const {
    auto* first = static_cast<std::byte*>(mapping_.data()) + sizeof(Header);
    return reinterpret_cast<Slot*>(first)[index];
}

Order& Segment::order(std::uint32_t index) const {
    auto* first =
        static_cast<std::byte*>(mapping_.data()) + sizeof(Header) + slotCount_ * sizeof(Slot);
    return reinterpret_cast<Order*>(first)[index];
}

SlotWriter::SlotWriter(Segment& segment, std::uint32_t index)
    : slot_(&segment.slot(index)), sequence_(nextEven(slot_->sequence)) {}

void SlotWriter::publishWords() {
    publish(slot_->sequence, sequence_,
            [this] { storeWords(slotWords(*slot_), &words_, sizeof words_); });
}

void SlotWriter::begin(std::int32_t pid, std::uint64_t nowNs, std::uint64_t wallNs) {
    words_ = SlotWords{};
    words_.startedNs = nowNs;
    words_.startedWallNs = wallNs;
    setStage(Stage::starting);
    publishWords();
    // Last: the slot counts as used from here on.
    slot_->pid.store(pid, std::memory_order_release);
}

void SlotWriter::setStage(Stage stage) {
    slot_->stage.store(static_cast<std::uint32_t>(stage), std::memory_order_release);
}

void SlotWriter::requestBegun(std::uint64_t nowNs, std::uint64_t wallNs) {
    ++words_.facts.requests;
    clearRequest(nowNs, wallNs);
}

void SlotWriter::requestResumed(std::uint64_t sinceNs, std::uint64_t sinceWallNs) {
    clearRequest(sinceNs, sinceWallNs);
}

void SlotWriter::clearRequest(std::uint64_t sinceNs, std::uint64_t sinceWallNs) {
    RequestFacts& facts = words_.facts;
    facts.acceptedNs = sinceNs;
    facts.acceptedWallNs = sinceWallNs;
    facts.contentLength = 0;
    setText(facts.method, nullptr);
    setText(facts.uri, nullptr);
    setText(facts.query, nullptr);
    setText(facts.user, nullptr);
    setText(facts.script, nullptr);
    publishWords();
    setStage(Stage::readingHeaders);
}

void SlotWriter::requestKnown(const char* method, const char* uri, const char* query,
                              const char* user, const char* script, std::int64_t contentLength) {
    RequestFacts& facts = words_.facts;
    setText(facts.method, method);
    setText(facts.uri, uri);
    setText(facts.query, query);
    setText(facts.user, user);
    setText(facts.script, script);
    facts.contentLength = contentLength;
    publishWords();
    setStage(Stage::gettingInfo);
}

void SlotWriter::countFailure() {
    ++words_.facts.failed;
}

void SlotWriter::requestDone(std::uint64_t durationNs, std::uint64_t cpuNs,
                             std::uint64_t memoryPeak) {
    words_.facts.durationNs = durationNs;
    words_.facts.cpuNs = cpuNs;
    words_.facts.memoryPeak = memoryPeak;
    words_.facts.memoryMost = std::max(words_.facts.memoryMost, memoryPeak);
    publishWords();
    setStage(Stage::finishing);
}

const RequestFacts& SlotWriter::facts() const {
    return words_.facts;
}

void hintActive(Segment& segment, std::uint32_t active) {
    auto& seen = segment.header().hints.activeSeen;
    std::uint32_t before = seen.load(std::memory_order_relaxed);
    while (before < active &&
           !seen.compare_exchange_weak(before, active, std::memory_order_relaxed)) {
    }
}

PoolWriter::PoolWriter(Segment& segment)
    : segment_(&segment),
      sequence_(nextEven(segment.header().pool.sequence)),
      preparedNs_(segment.slotCount(), 0) {
    loadWords(&words_, poolWords(segment.header()), sizeof words_);
}

template <typename Change>
void PoolWriter::update(Change&& change) {
    Header& header = segment_->header();
    publish(header.pool.sequence, sequence_, [&] {
        change(words_);
        storeWords(poolWords(header), &words_, sizeof words_);
    });
}

// The sequence goes on, so that a reader in the middle of the old worker's words notices.
void PoolWriter::clearSlot(std::uint32_t index) {
    Slot& slot = segment_->slot(index);
    std::uint32_t sequence = nextEven(slot.sequence);
    publish(slot.sequence, sequence, [&slot] {
        const SlotWords nothing;
        slot.pid.store(0, std::memory_order_release);
        slot.stage.store(static_cast<std::uint32_t>(Stage::starting), std::memory_order_release);
        storeWords(slotWords(slot), &nothing, sizeof nothing);
    });
    segment_->order(index).leave.store(0, std::memory_order_release);
    segment_->order(index).standBy.store(0, std::memory_order_release);
}

void PoolWriter::prepareSlot(std::uint32_t index) {
    clearSlot(index);
    preparedNs_[index] = monotonicNs();
}

void PoolWriter::retireSlot(std::uint32_t index) {
    const RequestFacts& facts = segment_->slot(index).facts;
    std::uint64_t requests = 0;
    std::uint64_t failed = 0;
    std::uint64_t memory = 0;
    loadWords(&requests, &facts.requests, sizeof requests);
    loadWords(&failed, &facts.failed, sizeof failed);
    loadWords(&memory, &facts.memoryMost, sizeof memory);
    const bool given = preparedNs_[index] != 0;
    if (!given || requests > plausibleRequests(monotonicNs() - preparedNs_[index])) {
        requests = 0;
    }
    if (!given || memory > kPlausibleMemory) {
        memory = 0;
    }
    preparedNs_[index] = 0;
    // Both under the pool's counter: no reader sees the requests twice or not at all.
    update([&](PoolWords& words) {
        add(words.retired.requests, requests);
        add(words.retired.failed, std::min(failed, requests));
        words.retired.memoryPeak = std::max(words.retired.memoryPeak, memory);
        clearSlot(index);
    });
}

void PoolWriter::addRetired(const Totals& totals) {
    update([&](PoolWords& words) { addTotals(words.retired, totals); });
}

void PoolWriter::setListenQueue(std::uint32_t pending, std::uint32_t limit) {
    update([&](PoolWords& words) {
        words.listenPending = pending;
        words.listenLimit = limit;
        words.retired.maxListenQueue =
            std::max<std::uint64_t>(words.retired.maxListenQueue, pending);
    });
}

void PoolWriter::noteActive(std::uint32_t active) {
    const std::uint32_t seen = segment_->header().hints.activeSeen.load(std::memory_order_relaxed);
    active = std::max(active, std::min(seen, segment_->slotCount()));
    update([&](PoolWords& words) {
        words.retired.maxActive = std::max<std::uint64_t>(words.retired.maxActive, active);
    });
}

void PoolWriter::countMaxChildrenReached() {
    update([](PoolWords& words) { add(words.retired.maxChildrenReached, 1); });
}

void PoolWriter::countTimedOut() {
    update([](PoolWords& words) { add(words.retired.timedOut, 1); });
}

void PoolWriter::setQueue(const Queue& queue) {
    if (words_.queueLimit == queue.limit && words_.queued == queue.depth &&
        words_.queuedSinceNs == queue.oldestNs) {
        return;
    }
    update([&](PoolWords& words) {
        words.queueLimit = queue.limit;
        words.queued = queue.depth;
        words.queuedSinceNs = queue.oldestNs;
        words.retired.maxQueued = std::max<std::uint64_t>(words.retired.maxQueued, queue.depth);
    });
}

void PoolWriter::countOverLimit() {
    update([](PoolWords& words) { add(words.retired.overLimit, 1); });
}

void PoolWriter::countOverdue() {
    update([](PoolWords& words) { add(words.retired.overdue, 1); });
}

void PoolWriter::countHungUp() {
    update([](PoolWords& words) { add(words.retired.hungUp, 1); });
}

void PoolWriter::setRespawn(std::uint64_t youngDeaths, std::uint64_t atNs) {
    if (words_.youngDeaths != youngDeaths || words_.respawnAtNs != atNs) {
        update([&](PoolWords& words) {
            words.youngDeaths = youngDeaths;
            words.respawnAtNs = atNs;
        });
    }
}

void PoolWriter::countSlowRequest() {
    update([](PoolWords& words) { add(words.retired.slowRequests, 1); });
}

}  // namespace muster::scoreboard
