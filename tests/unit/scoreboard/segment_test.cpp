// Creating, attaching and writing a scoreboard.
#include "scoreboard/segment.h"

#include <gtest/gtest.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cstring>
#include <functional>
#include <limits>

#include "board.h"
#include "config/settings.h"
#include "scoreboard/snapshot.h"

namespace muster::scoreboard {
namespace {

TEST(Segment, a_new_segment_is_attached_with_its_identity) {
    const Board board(3);
    EXPECT_EQ(board.segment.slotCount(), 3U);
    EXPECT_STREQ(board.segment.header().poolName, "www");
    EXPECT_LT(board.segment.header().commands.wakeAtIdle.load(), 0);
    EXPECT_EQ(takeSnapshot(board.segment).workers.size(), 0U);
}

TEST(Totals, of_generations_add_up_and_maxima_stay_maxima) {
    Totals sum{1, 2, 3, 4, 50, 60, 7};
    addTotals(sum, {10, 20, 30, 40, 5, 6, 70});
    const Totals expected{11, 22, 33, 40, 50, 60, 77};
    EXPECT_EQ(std::memcmp(&sum, &expected, sizeof sum), 0);
    addTotals(sum, {std::numeric_limits<std::uint64_t>::max()});
    EXPECT_EQ(sum.requests, std::numeric_limits<std::uint64_t>::max());
}

TEST(Segment, slots_and_orders_are_apart_and_inside) {
    const Board board(3);
    const auto* start = reinterpret_cast<const std::byte*>(&board.segment.header());
    const auto offset = [&](const void* what) {
        return static_cast<const std::byte*>(what) - start;
    };
    EXPECT_EQ(offset(&board.segment.slot(0)), static_cast<std::ptrdiff_t>(sizeof(Header)));
    EXPECT_EQ(offset(&board.segment.order(0)), offset(&board.segment.slot(2) + 1));
    EXPECT_EQ(offset(&board.segment.order(2) + 1), static_cast<std::ptrdiff_t>(segmentSize(3)));
    EXPECT_EQ(reinterpret_cast<std::uintptr_t>(&board.segment.slot(1)) % kCacheLine, 0U);
}

TEST(Segment, a_long_pool_name_is_cut) {
    SegmentIdentity what = identity(1);
    const std::string name(100, 'n');
    what.poolName = name;
    const Board board(what);
    EXPECT_EQ(takeSnapshot(board.segment).name, std::string(31, 'n'));
}

TEST(Segment, impossible_slot_counts_are_refused) {
    EXPECT_FALSE(Segment::create(identity(0)));
    EXPECT_FALSE(Segment::create(identity(kMaxSlots + 1)));
    EXPECT_TRUE(Segment::create(identity(kMaxSlots)));
}

class SegmentDamage : public testing::Test {
  protected:
    static bool attaches(const std::function<void(Header&)>& damage) {
        const Board board(2);
        damage(board.segment.header());
        return Segment::attach(board.fd(), Mapping::Access::readOnly).has_value();
    }
};

TEST_F(SegmentDamage, intact_attaches) {
    EXPECT_TRUE(attaches([](Header&) {}));
}
TEST_F(SegmentDamage, wrong_magic_is_refused) {
    EXPECT_FALSE(attaches([](Header& header) { header.magic ^= 1; }));
}
TEST_F(SegmentDamage, wrong_version_is_refused) {
    EXPECT_FALSE(attaches([](Header& header) { ++header.version; }));
}
TEST_F(SegmentDamage, wrong_struct_sizes_are_refused) {
    EXPECT_FALSE(attaches([](Header& header) { header.headerSize -= 64; }));
    EXPECT_FALSE(attaches([](Header& header) { header.slotSize += 64; }));
}
TEST_F(SegmentDamage, a_slot_count_that_does_not_fit_is_refused) {
    for (const std::uint32_t count : {0U, 1U, 3U, kMaxSlots, kMaxSlots + 1, 0x80000000U, ~0U}) {
        EXPECT_FALSE(attaches([&](Header& header) { header.slotCount = count; })) << count;
    }
}

TEST(Segment, short_shared_memory_is_refused) {
    const Board board(2);
    for (const std::size_t size : {std::size_t{1}, sizeof(Header) - 1, sizeof(Header),
                                   segmentSize(2) - 1, segmentSize(2) + 1}) {
        const UniqueFd copy(::memfd_create("short", MFD_CLOEXEC));
        std::string bytes(reinterpret_cast<const char*>(&board.segment.header()), segmentSize(2));
        bytes.resize(size);
        ASSERT_EQ(::write(copy.get(), bytes.data(), size), static_cast<ssize_t>(size));
        EXPECT_FALSE(Segment::attach(copy.get(), Mapping::Access::readOnly)) << size;
    }
    EXPECT_FALSE(Segment::attach(-1, Mapping::Access::readOnly));
}

TEST(SlotWriter, begin_makes_the_slot_used) {
    Board board(2);
    SlotWriter writer(board.segment, 1);
    EXPECT_FALSE(copyWorker(board.segment, 1, monotonicNs()));
    const std::uint64_t now = monotonicNs();
    const std::uint64_t wall = wallNs();
    writer.begin(77, now, wall);
    const auto worker = copyWorker(board.segment, 1, monotonicNs());
    ASSERT_TRUE(worker);
    EXPECT_EQ(worker->slot, 1U);
    EXPECT_EQ(worker->pid, 77);
    EXPECT_EQ(worker->stage, Stage::starting);
    EXPECT_EQ(worker->startedNs, now);
    EXPECT_EQ(worker->startedWallNs, wall);
    EXPECT_EQ(worker->facts.requests, 0U);
}

TEST(SlotWriter, a_request_leaves_its_facts_step_by_step) {
    Board board(1);
    SlotWriter writer(board.segment, 0);
    const std::uint64_t start = monotonicNs() - 10 * kNsPerSecond;
    writer.begin(77, start, 1);
    writer.requestBegun(start + 5, 6);
    auto worker = copyWorker(board.segment, 0, monotonicNs());
    ASSERT_TRUE(worker);
    EXPECT_EQ(worker->stage, Stage::readingHeaders);
    EXPECT_EQ(worker->facts.requests, 1U);
    EXPECT_EQ(worker->facts.acceptedNs, start + 5);
    EXPECT_EQ(worker->facts.acceptedWallNs, 6U);

    writer.requestKnown("GET", "/a", "b=c", nullptr, "/srv/a", 12);
    worker = copyWorker(board.segment, 0, monotonicNs());
    EXPECT_EQ(worker->stage, Stage::gettingInfo);
    EXPECT_STREQ(worker->facts.method, "GET");
    EXPECT_STREQ(worker->facts.uri, "/a");
    EXPECT_STREQ(worker->facts.query, "b=c");
    EXPECT_STREQ(worker->facts.user, "");
    EXPECT_STREQ(worker->facts.script, "/srv/a");
    EXPECT_EQ(worker->facts.contentLength, 12);

    writer.requestDone(1000, 2000, 3000);
    writer.setStage(Stage::idle);
    worker = copyWorker(board.segment, 0, monotonicNs());
    EXPECT_EQ(worker->stage, Stage::idle);
    EXPECT_EQ(worker->facts.durationNs, 1000U);
    EXPECT_EQ(worker->facts.cpuNs, 2000U);
    EXPECT_EQ(worker->facts.memoryPeak, 3000U);
    EXPECT_STREQ(worker->facts.uri, "/a");

    writer.requestBegun(start + 7, 8);
    worker = copyWorker(board.segment, 0, monotonicNs());
    EXPECT_EQ(worker->facts.requests, 2U);
    EXPECT_STREQ(worker->facts.uri, "");
    EXPECT_STREQ(worker->facts.script, "");
    EXPECT_EQ(worker->facts.contentLength, 0);
}

TEST(SlotWriter, long_texts_are_cut_to_their_fields) {
    Board board(1);
    SlotWriter writer(board.segment, 0);
    writer.begin(1, 1, 1);
    const std::string text(5000, 'x');
    writer.requestKnown(text.c_str(), text.c_str(), text.c_str(), text.c_str(), text.c_str(), 0);
    const RequestFacts& facts = writer.facts();
    EXPECT_EQ(std::strlen(facts.method), 15U);
    EXPECT_EQ(std::strlen(facts.uri), 127U);
    EXPECT_EQ(std::strlen(facts.query), 511U);
    EXPECT_EQ(std::strlen(facts.user), 31U);
    EXPECT_EQ(std::strlen(facts.script), 255U);
    EXPECT_EQ(std::memcmp(&copyWorker(board.segment, 0, monotonicNs())->facts.method, &facts.method,
                          sizeof facts - offsetof(RequestFacts, method)),
              0);
}

TEST(SlotWriter, what_others_scribble_does_not_come_back) {
    Board board(1);
    SlotWriter writer(board.segment, 0);
    writer.begin(5, monotonicNs(), 1);
    writer.requestBegun(1, 1);
    writer.requestKnown("GET", "/a", "", "", "", 0);
    std::mt19937_64 random(1);
    scribble(&board.segment.slot(0), sizeof(Slot), random);
    EXPECT_EQ(writer.facts().requests, 1U);
    EXPECT_STREQ(writer.facts().uri, "/a");
    writer.requestBegun(1, 1);
    bool consistent = false;
    board.segment.slot(0).pid.store(5);
    const auto worker = copyWorker(board.segment, 0, monotonicNs(), &consistent);
    ASSERT_TRUE(worker);
    EXPECT_TRUE(consistent);
    EXPECT_EQ(worker->facts.requests, 2U);
}

TEST(SlotWriter, a_successor_of_a_worker_killed_in_a_write_settles_the_slot) {
    Board board(1);
    PoolWriter pool(board.segment);
    board.segment.slot(0).sequence.store(7);
    pool.prepareSlot(0);
    SlotWriter writer(board.segment, 0);
    writer.begin(5, 1, 1);
    EXPECT_GT(board.segment.slot(0).sequence.load(), 7U);
    bool consistent = false;
    EXPECT_TRUE(copyWorker(board.segment, 0, monotonicNs(), &consistent));
    EXPECT_TRUE(consistent);
}

void serve(Segment& segment, std::uint32_t index, int requests) {
    SlotWriter writer(segment, index);
    writer.begin(100 + static_cast<std::int32_t>(index), monotonicNs(), wallNs());
    for (int i = 0; i < requests; ++i) {
        writer.requestBegun(monotonicNs(), wallNs());
    }
    writer.setStage(Stage::idle);
}

TEST(PoolWriter, retired_requests_stay_in_the_total) {
    Board board(2);
    PoolWriter pool(board.segment);
    pool.prepareSlot(0);
    pool.prepareSlot(1);
    serve(board.segment, 0, 3);
    serve(board.segment, 1, 4);
    EXPECT_EQ(takeSnapshot(board.segment).totals.requests, 7U);
    pool.retireSlot(0);
    EXPECT_EQ(takeSnapshot(board.segment).totals.requests, 7U);
    EXPECT_EQ(takeSnapshot(board.segment).workers.size(), 1U);
    pool.retireSlot(0);
    EXPECT_EQ(takeSnapshot(board.segment).totals.requests, 7U);
}

TEST(PoolWriter, a_worker_killed_in_a_write_is_counted) {
    Board board(1);
    PoolWriter pool(board.segment);
    pool.prepareSlot(0);
    serve(board.segment, 0, 3);
    board.segment.slot(0).sequence.fetch_add(1);
    pool.retireSlot(0);
    EXPECT_EQ(takeSnapshot(board.segment).totals.requests, 3U);
}

TEST(PoolWriter, an_implausible_count_adds_nothing) {
    Board board(1);
    PoolWriter pool(board.segment);
    pool.prepareSlot(0);
    serve(board.segment, 0, 3);
    board.segment.slot(0).facts.requests = 1'000'000'000'000;
    board.segment.slot(0).startedNs = 0;
    pool.retireSlot(0);
    EXPECT_EQ(takeSnapshot(board.segment).totals.requests, 0U);
}

TEST(PoolWriter, the_memory_peak_outlives_requests_and_workers) {
    Board board(1);
    PoolWriter pool(board.segment);
    const auto peak = [&] { return takeSnapshot(board.segment).totals.memoryPeak; };
    pool.prepareSlot(0);
    SlotWriter worker(board.segment, 0);
    worker.begin(10, monotonicNs(), wallNs());
    worker.requestDone(1, 1, 7000);
    worker.requestDone(1, 1, 5000);
    EXPECT_EQ(peak(), 7000U);
    pool.retireSlot(0);
    EXPECT_EQ(peak(), 7000U);
    pool.addRetired({.memoryPeak = 6000});
    EXPECT_EQ(peak(), 7000U);
    pool.addRetired({.memoryPeak = 8000});
    EXPECT_EQ(peak(), 8000U);
    pool.prepareSlot(0);
    SlotWriter(board.segment, 0).begin(11, monotonicNs(), wallNs());
    board.segment.slot(0).facts.memoryMost = ~std::uint64_t{0};
    EXPECT_EQ(peak(), 8000U) << "noise";
    pool.retireSlot(0);
    EXPECT_EQ(peak(), 8000U) << "noise";
}

TEST(PoolWriter, a_slot_given_to_nobody_adds_nothing) {
    Board board(1);
    PoolWriter pool(board.segment);
    serve(board.segment, 0, 3);
    pool.retireSlot(0);
    EXPECT_EQ(takeSnapshot(board.segment).totals.requests, 0U);
}

TEST(PoolWriter, preparing_a_slot_takes_back_the_order_to_leave) {
    Board board(1);
    board.segment.order(0).leave.store(1);
    PoolWriter(board.segment).prepareSlot(0);
    EXPECT_EQ(board.segment.order(0).leave.load(), 0U);
}

TEST(PoolWriter, totals_are_carried_and_added) {
    SegmentIdentity what = identity(1);
    what.carried = {10, 20, 30, 40, 50, 60, 70};
    Board board(what);
    PoolWriter pool(board.segment);
    pool.addRetired({1, 2, 3, 4, 60, 50, 7});
    const Totals totals = takeSnapshot(board.segment).totals;
    EXPECT_EQ(totals.requests, 11U);
    EXPECT_EQ(totals.slowRequests, 22U);
    EXPECT_EQ(totals.maxChildrenReached, 33U);
    EXPECT_EQ(totals.maxActive, 40U);
    EXPECT_EQ(totals.maxListenQueue, 60U);
    EXPECT_EQ(totals.memoryPeak, 60U);
    EXPECT_EQ(totals.timedOut, 77U);
}

TEST(PoolWriter, sums_stop_at_the_top) {
    Board board(1);
    PoolWriter pool(board.segment);
    Totals totals;
    totals.requests = ~std::uint64_t{0} - 1;
    pool.addRetired(totals);
    pool.addRetired(totals);
    serve(board.segment, 0, 5);
    EXPECT_EQ(takeSnapshot(board.segment).totals.requests, ~std::uint64_t{0});
}

TEST(PoolWriter, the_queue_now_and_what_became_of_it) {
    Board board(1);
    PoolWriter pool(board.segment);
    const std::uint64_t longAgo = monotonicNs() - 5 * kNsPerSecond;
    pool.setQueue({.limit = 10, .depth = 4, .oldestNs = longAgo});
    PoolSnapshot snapshot = takeSnapshot(board.segment);
    EXPECT_EQ(snapshot.queueLimit, 10U);
    EXPECT_EQ(snapshot.queued, 4U);
    EXPECT_GE(snapshot.queuedNs, 5 * kNsPerSecond);
    pool.setQueue({.limit = 10, .depth = 0, .oldestNs = 0});
    pool.countOverLimit();
    pool.countOverdue();
    pool.countHungUp();
    pool.addRetired({.maxQueued = 3, .overLimit = 1, .overdue = 2, .hungUp = 3});
    snapshot = takeSnapshot(board.segment);
    EXPECT_EQ(snapshot.queuedNs, 0U);
    EXPECT_EQ(snapshot.totals.maxQueued, 4U);
    EXPECT_EQ(snapshot.totals.overLimit, 2U);
    EXPECT_EQ(snapshot.totals.overdue, 3U);
    EXPECT_EQ(snapshot.totals.hungUp, 4U);
}

TEST(PoolWriter, an_arrival_in_the_future_has_not_waited) {
    Board board(1);
    PoolWriter pool(board.segment);
    pool.setQueue({.limit = 10, .depth = 1, .oldestNs = UINT64_MAX});
    EXPECT_EQ(takeSnapshot(board.segment).queuedNs, 0U);
}

TEST(PoolWriter, events_and_high_water_marks) {
    Board board(1);
    PoolWriter pool(board.segment);
    pool.setListenQueue(5, 128);
    pool.setListenQueue(2, 128);
    pool.noteActive(9);
    pool.noteActive(3);
    pool.countMaxChildrenReached();
    pool.countSlowRequest();
    pool.countSlowRequest();
    pool.countTimedOut();
    const PoolSnapshot snapshot = takeSnapshot(board.segment);
    EXPECT_EQ(snapshot.listenPending, 2U);
    EXPECT_EQ(snapshot.listenLimit, 128U);
    EXPECT_EQ(snapshot.totals.maxListenQueue, 5U);
    EXPECT_EQ(snapshot.totals.maxActive, 9U);
    EXPECT_EQ(snapshot.totals.maxChildrenReached, 1U);
    EXPECT_EQ(snapshot.totals.slowRequests, 2U);
    EXPECT_EQ(snapshot.totals.timedOut, 1U);
}

TEST(PoolWriter, scribbled_pool_values_are_overwritten_by_the_next_update) {
    Board board(1);
    PoolWriter pool(board.segment);
    pool.countSlowRequest();
    std::mt19937_64 random(2);
    scribble(&board.segment.header().pool, sizeof(PoolValues), random);
    pool.setListenQueue(1, 2);
    const PoolSnapshot snapshot = takeSnapshot(board.segment);
    EXPECT_EQ(snapshot.totals.slowRequests, 1U);
    EXPECT_EQ(snapshot.totals.requests, 0U);
    EXPECT_EQ(snapshot.listenLimit, 2U);
}

TEST(Segment, process_manager_ordinals_are_configurations) {
    EXPECT_EQ(static_cast<int>(config::ProcessManager::fixed), 1);
    EXPECT_EQ(static_cast<int>(config::ProcessManager::dynamic), 2);
    EXPECT_EQ(static_cast<int>(config::ProcessManager::ondemand), 3);
}

}  // namespace
}  // namespace muster::scoreboard
