// What one program hands to the next comes out as it went in; other versions are told apart.
#include "master/hand_over.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

namespace muster::master {
namespace {

using nlohmann::json;
using testing::ElementsAre;
using testing::HasSubstr;

constexpr const char* kBytes = "/run/\xff\xfe \"w\".sock";

HandOver::Generation generation(pid_t pid, int channel, int segment) {
    HandOver::Generation made;
    made.plan.inputs.pool.name = "www";
    made.plan.inputs.pool.maxChildren = 7;
    made.plan.accessLog = 20;
    made.plan.listener = 8;
    made.plan.iniState = kBytes;
    made.pid = pid;
    made.channel = channel;
    made.segment = segment;
    made.deadlineNs = 1234567890123456789U;
    made.totals.requests = 99;
    made.totals.timedOut = 3;
    made.protocol = 5;
    return made;
}

HandOver whole() {
    HandOver handOver;
    handOver.pid = 4711;
    handOver.previous = 5;
    handOver.program = kBytes;
    handOver.arguments = {"muster", "-y", kBytes};
    handOver.global.pid = kBytes;
    handOver.global.logLevel = LogLevel::debug;
    handOver.global.systemdInterval = 0;
    HandOver::Listener listener{kBytes, 8, kBytes, SocketFile{kBytes, 3, 4}, true, {}};
    listener.options.owner = 33;
    listener.options.aclGroups = {1, 2};
    handOver.listeners.push_back(listener);
    handOver.control = {
        9, kBytes, SocketFile{kBytes, 1, 2}, {{10, 77, "half a", "rest", true, false}}};
    handOver.logs.file = 11;
    handOver.logs.path = kBytes;
    handOver.logs.numbers = {0, 1, 2, 7};
    handOver.logs.out = 12;
    handOver.logs.err = 13;
    HandOver::Pool pool;
    pool.name = "www";
    pool.current = generation(100, 14, 15);
    pool.leaving = {generation(101, 16, 17)};
    pool.plan = pool.current->plan;
    pool.carried.requests = 1;
    pool.paused = true;
    handOver.pools.push_back(pool);
    handOver.bornWith = {55};
    handOver.fileLimitBefore = 1024;
    handOver.order.order.upgrade = true;
    handOver.order.connections = {77};
    handOver.wanted.emplace().order.maxChildren["www"] = 9;
    handOver.wanted->order.paused = {"a", "b"};
    return handOver;
}

/// The same bytes with a change to what follows the first line.
template <typename Change>
std::string changed(const std::string& bytes, Change change) {
    const std::size_t end = bytes.find('\n') + 1;
    json document = json::from_cbor(bytes.substr(end));
    change(document);
    const auto packed = json::to_cbor(document);
    return bytes.substr(0, end) + std::string(packed.begin(), packed.end());
}

TEST(HandOver, comes_back_as_it_went) {
    const std::string bytes = encodeHandOver(whole());
    const auto back = decodeHandOver(bytes);
    ASSERT_TRUE(back) << back.error().text();
    EXPECT_EQ(encodeHandOver(*back), bytes);
    EXPECT_EQ(back->pid, 4711);
    EXPECT_EQ(back->global.systemdInterval, 0);
    EXPECT_EQ(back->listeners.at(0).file->path, kBytes);
    EXPECT_EQ(back->listeners.at(0).options.owner, 33U);
    EXPECT_EQ(back->control.clients.at(0).in, "half a");
    EXPECT_EQ(back->pools.at(0).current->plan.inputs.pool.maxChildren, 7);
    EXPECT_EQ(back->pools.at(0).leaving.at(0).totals.timedOut, 3U);
    EXPECT_EQ(back->wanted->order.maxChildren.at("www"), 9);
}

TEST(HandOver, lists_each_descriptor_once) {
    EXPECT_THAT(whole().descriptors(), ElementsAre(5, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 20));
}

TEST(HandOver, everybody_reads_who_wrote_it_and_the_way_back) {
    const auto head = headOfHandOver("muster-hand-over 99 12 7\nanything");
    ASSERT_TRUE(head);
    EXPECT_EQ(head->version, 99);
    EXPECT_EQ(head->pid, 12);
    EXPECT_EQ(head->previous, 7);
}

TEST(HandOver, another_version_and_garbage_are_refused) {
    const std::string bytes = encodeHandOver(whole());
    const auto problem = [](const std::string& text) {
        const auto decoded = decodeHandOver(text);
        return decoded ? std::string("accepted") : decoded.error().text();
    };
    EXPECT_THAT(problem("muster-hand-over 99 12 7\n"), HasSubstr("version 99"));
    for (const char* text : {"", "\n", "muster-hand-over", "other 1 2 3\n", "muster-hand-over x"}) {
        EXPECT_THAT(problem(text), HasSubstr("no table")) << text;
    }
    EXPECT_THAT(problem(bytes.substr(0, bytes.size() / 2)), HasSubstr("unreadable"));
    EXPECT_THAT(problem(changed(bytes, [](json& document) { document.erase("control"); })),
                HasSubstr("unreadable"));
    EXPECT_THAT(problem(changed(bytes, [](json& document) { document["pools"] = 5; })),
                HasSubstr("unreadable"));
}

TEST(HandOver, of_a_program_with_more_or_fewer_settings_is_understood) {
    const std::string bytes = changed(encodeHandOver(whole()), [](json& document) {
        document["new"] = 1;
        document["pools"][0]["current"].erase("deadlineNs");
        json& packed = document["pools"][0]["current"]["plan"]["inputs"];
        json inputs = json::from_cbor(packed.get_binary());
        inputs["new"] = 1;
        inputs.erase("logLimit");
        const auto& text = inputs["pool"].get_binary();
        json pool = json::parse(text.begin(), text.end());
        pool["a.new.directive"] = "x";
        pool.erase("pm.max_requests");
        const std::string changedPool = pool.dump();
        inputs["pool"] = json::binary({changedPool.begin(), changedPool.end()});
        packed = json::binary(json::to_cbor(inputs));
    });
    const auto back = decodeHandOver(bytes);
    ASSERT_TRUE(back) << back.error().text();
    const manager::ManagerInputs& inputs = back->pools.at(0).current->plan.inputs;
    EXPECT_EQ(inputs.pool.maxChildren, 7);
    EXPECT_EQ(inputs.pool.maxRequests, 0);
    EXPECT_EQ(inputs.logLimit, 1024);
}

}  // namespace
}  // namespace muster::master
