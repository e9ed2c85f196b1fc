// What readers make of a scoreboard, sane or not.
#include "scoreboard/snapshot.h"

#include <gtest/gtest.h>

#include <atomic>
#include <cstring>
#include <limits>
#include <thread>

#include "board.h"

namespace muster::scoreboard {
namespace {

void put(Segment& segment, std::uint32_t index, Stage stage) {
    SlotWriter writer(segment, index);
    writer.begin(100 + static_cast<std::int32_t>(index), monotonicNs(), wallNs());
    writer.setStage(stage);
}

TEST(Snapshot, stages_are_counted_as_idle_or_active) {
    Board board(10);
    const std::pair<Stage, bool> stages[] = {
        {Stage::starting, false},   {Stage::idle, false},    {Stage::readingHeaders, true},
        {Stage::gettingInfo, true}, {Stage::running, true},  {Stage::ending, true},
        {Stage::finishing, true},   {Stage::keepAlive, true}};
    std::uint32_t index = 0;
    std::uint32_t active = 0;
    for (const auto& [stage, isActive] : stages) {
        put(board.segment, index++, stage);
        active += isActive ? 1 : 0;
        const PoolSnapshot snapshot = takeSnapshot(board.segment);
        EXPECT_EQ(snapshot.active, active);
        EXPECT_EQ(snapshot.idle, index - active);
        EXPECT_EQ(snapshot.workers.size(), index);
    }
    EXPECT_EQ(takeSnapshot(board.segment).maxChildren, 10U);
    EXPECT_TRUE(takeSnapshot(board.segment).consistent);
}

TEST(Snapshot, workers_that_are_off_duty_do_not_count_but_their_requests_do) {
    SegmentIdentity what = identity(2);
    what.standbySlots = 1;
    Board board(what);
    ASSERT_EQ(board.segment.slotCount(), 3U);
    put(board.segment, 0, Stage::running);
    put(board.segment, 1, Stage::idle);
    SlotWriter leaving(board.segment, 2);
    leaving.begin(102, monotonicNs(), wallNs());
    leaving.requestBegun(monotonicNs(), wallNs());
    leaving.setStage(Stage::offDuty);
    const PoolSnapshot snapshot = takeSnapshot(board.segment);
    EXPECT_EQ(snapshot.maxChildren, 2U);
    EXPECT_EQ(snapshot.active, 1U);
    EXPECT_EQ(snapshot.idle, 1U);
    EXPECT_EQ(snapshot.workers.size(), 2U);
    EXPECT_EQ(snapshot.totals.requests, 1U);
}

TEST(Snapshot, active_workers_raise_the_high_water_mark_shown) {
    Board board(3);
    PoolWriter pool(board.segment);
    put(board.segment, 0, Stage::running);
    put(board.segment, 1, Stage::running);
    EXPECT_EQ(takeSnapshot(board.segment).totals.maxActive, 2U);
    pool.noteActive(3);
    EXPECT_EQ(takeSnapshot(board.segment).totals.maxActive, 3U);
}

TEST(Snapshot, stage_names_are_php_fpms) {
    EXPECT_STREQ(stageName(Stage::starting), "Idle");
    EXPECT_STREQ(stageName(Stage::idle), "Idle");
    EXPECT_STREQ(stageName(Stage::readingHeaders), "Reading headers");
    EXPECT_STREQ(stageName(Stage::gettingInfo), "Getting request information");
    EXPECT_STREQ(stageName(Stage::running), "Running");
    EXPECT_STREQ(stageName(Stage::ending), "Ending");
    EXPECT_STREQ(stageName(Stage::finishing), "Finishing");
    EXPECT_STREQ(stageName(Stage::keepAlive), "Reading headers");
    EXPECT_STREQ(stageName(static_cast<Stage>(4711)), "Idle");
}

TEST(Snapshot, a_stage_out_of_range_is_starting) {
    Board board(1);
    put(board.segment, 0, Stage::running);
    for (const std::uint32_t noise : {9U, 255U, ~0U}) {
        board.segment.slot(0).stage.store(noise);
        EXPECT_EQ(readStage(board.segment, 0), Stage::starting);
        EXPECT_EQ(copyWorker(board.segment, 0, monotonicNs())->stage, Stage::starting);
    }
    board.segment.slot(0).stage.store(4);
    EXPECT_EQ(readStage(board.segment, 0), Stage::running);
}

TEST(Snapshot, a_slot_without_a_possible_pid_is_unused) {
    Board board(1);
    put(board.segment, 0, Stage::idle);
    for (const std::int32_t pid : {0, -1, std::numeric_limits<std::int32_t>::min()}) {
        board.segment.slot(0).pid.store(pid);
        EXPECT_FALSE(copyWorker(board.segment, 0, monotonicNs()));
        EXPECT_TRUE(takeSnapshot(board.segment).workers.empty());
    }
}

TEST(Snapshot, times_in_the_future_are_now) {
    Board board(1);
    put(board.segment, 0, Stage::running);
    constexpr auto kFuture = std::numeric_limits<std::uint64_t>::max();
    Slot& slot = board.segment.slot(0);
    slot.startedNs = slot.startedWallNs = kFuture;
    slot.facts.acceptedNs = slot.facts.acceptedWallNs = slot.facts.durationNs = kFuture;
    board.segment.header().pool.startedWallNs = kFuture;
    const PoolSnapshot snapshot = takeSnapshot(board.segment);
    ASSERT_EQ(snapshot.workers.size(), 1U);
    const WorkerSnapshot& worker = snapshot.workers[0];
    EXPECT_EQ(snapshot.startedWallNs, snapshot.takenWallNs);
    EXPECT_EQ(worker.startedNs, snapshot.takenNs);
    EXPECT_EQ(worker.facts.acceptedNs, snapshot.takenNs);
    EXPECT_LE(worker.startedWallNs, wallNs());
    EXPECT_LE(worker.facts.acceptedWallNs, wallNs());
    EXPECT_EQ(worker.facts.durationNs, 0U);
}

TEST(Snapshot, a_negative_content_length_is_zero) {
    Board board(1);
    put(board.segment, 0, Stage::running);
    board.segment.slot(0).facts.contentLength = std::numeric_limits<std::int64_t>::min();
    EXPECT_EQ(copyWorker(board.segment, 0, monotonicNs())->facts.contentLength, 0);
}

TEST(Snapshot, texts_are_terminated_in_the_copy) {
    Board board(1);
    put(board.segment, 0, Stage::running);
    RequestFacts& facts = board.segment.slot(0).facts;
    std::memset(facts.method, 'x', sizeof facts - offsetof(RequestFacts, method));
    const auto worker = copyWorker(board.segment, 0, monotonicNs());
    EXPECT_EQ(std::strlen(worker->facts.method), kMethodSize - 1);
    EXPECT_EQ(std::strlen(worker->facts.uri), kUriSize - 1);
    EXPECT_EQ(std::strlen(worker->facts.query), kQuerySize - 1);
    EXPECT_EQ(std::strlen(worker->facts.user), kUserSize - 1);
    EXPECT_EQ(std::strlen(worker->facts.script), kScriptSize - 1);
    std::memset(board.segment.header().poolName, 'x', kPoolNameSize);
    EXPECT_EQ(takeSnapshot(board.segment).name.size(), kPoolNameSize - 1);
}

TEST(Snapshot, more_requests_than_a_life_allows_count_nothing) {
    Board board(1);
    const std::uint64_t now = monotonicNs();
    SlotWriter(board.segment, 0).begin(1, now - 2 * kNsPerSecond, 1);
    RequestFacts& facts = board.segment.slot(0).facts;
    facts.requests = 3'000'000;
    EXPECT_EQ(copyWorker(board.segment, 0, now)->facts.requests, 3'000'000U);
    facts.requests = 3'000'001;
    EXPECT_EQ(copyWorker(board.segment, 0, now)->facts.requests, 0U);
}

TEST(Snapshot, a_stuck_odd_sequence_is_copied_as_it_stands) {
    Board board(50);
    for (std::uint32_t i = 0; i < 50; ++i) {
        put(board.segment, i, Stage::running);
        board.segment.slot(i).sequence.fetch_add(1);
    }
    board.segment.header().pool.sequence.fetch_add(1);
    bool consistent = true;
    EXPECT_TRUE(copyWorker(board.segment, 0, monotonicNs(), &consistent));
    EXPECT_FALSE(consistent);
    const std::uint64_t before = monotonicNs();
    const PoolSnapshot snapshot = takeSnapshot(board.segment);
    EXPECT_LT(monotonicNs() - before, kNsPerSecond);
    EXPECT_FALSE(snapshot.consistent);
    EXPECT_EQ(snapshot.active, 50U);
    EXPECT_EQ(snapshot.workers[49].pid, 149);
}

TEST(Snapshot, a_read_only_mapping_is_enough) {
    Board board(2);
    put(board.segment, 1, Stage::running);
    const auto reader = Segment::attach(board.fd(), Mapping::Access::readOnly);
    ASSERT_TRUE(reader);
    EXPECT_EQ(takeSnapshot(*reader).workers.size(), 1U);
    EXPECT_EQ(readStage(*reader, 1), Stage::running);
}

void waitNs(std::uint64_t ns) {
    for (const std::uint64_t until = monotonicNs() + ns; monotonicNs() < until;) {
    }
}

// Every field of a request is derived from its number; a consistent copy must never mix two.
TEST(Snapshot, a_consistent_copy_is_never_a_mixture) {
    Board board(1);
    std::atomic<bool> stop = false;
    std::thread writing([&] {
        SlotWriter writer(board.segment, 0);
        writer.begin(1, 1, 1);
        for (std::int64_t i = 1; !stop; ++i) {
            const std::string text(16, static_cast<char>('a' + i % 26));
            writer.requestKnown("", text.c_str(), "", "", text.c_str(), i);
            waitNs(5'000);
        }
    });
    int copies = 0;
    int changes = 0;
    std::int64_t last = 0;
    bool mixed = false;
    const std::uint64_t deadline = monotonicNs() + 20 * kNsPerSecond;
    while ((copies < 5000 || changes < 200) && monotonicNs() < deadline) {
        bool consistent = false;
        const auto worker = copyWorker(board.segment, 0, monotonicNs(), &consistent);
        if (!worker || !consistent || worker->facts.contentLength == 0) {
            continue;
        }
        const std::int64_t number = worker->facts.contentLength;
        const std::string expected(16, static_cast<char>('a' + number % 26));
        mixed = mixed || worker->facts.uri != expected || worker->facts.script != expected;
        changes += number == last ? 0 : 1;
        last = number;
        ++copies;
    }
    stop = true;
    writing.join();
    EXPECT_FALSE(mixed);
    EXPECT_GE(changes, 200);
}

// Retiring moves a count from the slot to the sums; a reader sees it exactly once.
TEST(Snapshot, the_total_does_not_waver_while_workers_are_retired) {
    Board board(4);
    std::atomic<bool> stop = false;
    constexpr std::uint32_t kWorkers = 5000;
    std::thread managing([&] {
        PoolWriter pool(board.segment);
        for (std::uint32_t i = 0; i < kWorkers + 4; ++i) {
            const std::uint32_t index = i % 4;
            pool.retireSlot(index);
            pool.prepareSlot(index);
            if (i < kWorkers) {
                SlotWriter writer(board.segment, index);
                writer.begin(1, monotonicNs(), 1);
                writer.requestBegun(1, 1);
            }
            waitNs(20'000);
        }
        stop = true;
    });
    std::uint64_t last = 0;
    bool wavered = false;
    while (!stop) {
        const PoolSnapshot snapshot = takeSnapshot(board.segment);
        if (snapshot.consistent) {
            const std::uint64_t now = snapshot.totals.requests;
            wavered = wavered || now < last || now > kWorkers;
            last = now;
        }
    }
    managing.join();
    EXPECT_FALSE(wavered);
    EXPECT_GT(last, 0U);
    EXPECT_EQ(takeSnapshot(board.segment).totals.requests, kWorkers);
}

}  // namespace
}  // namespace muster::scoreboard
