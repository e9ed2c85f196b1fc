// What crosses between master and manager comes out as it went in, and garbage is refused.
#include <gtest/gtest.h>

#include <cstring>

#include "manager/inputs.h"
#include "manager/protocol.h"

namespace muster::manager {
namespace {

TEST(ManagerInputsTransfer, survives_the_round_trip_with_any_bytes) {
    ManagerInputs inputs;
    inputs.pool.name = "w\xff w";
    inputs.pool.listen = "/run/x.sock";
    inputs.pool.pm = config::ProcessManager::dynamic;
    inputs.pool.maxChildren = 7;
    inputs.pool.env = {{"B", "2\x80"}, {"A", "$HOME"}};
    inputs.dropPrivileges = true;
    inputs.identity = {33, 34, "www-data", "web", "/var/www"};
    inputs.iniDefinitions = {{"memory_limit", "9M"}, {"x", "\xfe"}};
    inputs.logLevel = LogLevel::debug;
    inputs.stopTimeoutMs = 1234;
    const auto back = decodeInputs(encodeInputs(inputs));
    ASSERT_TRUE(back) << back.error().text();
    EXPECT_EQ(back->pool.name, inputs.pool.name);
    EXPECT_EQ(back->pool.maxChildren, 7);
    EXPECT_EQ(back->pool.pm, config::ProcessManager::dynamic);
    EXPECT_EQ(back->pool.env, inputs.pool.env);
    EXPECT_EQ(back->identity.gid, 34U);
    EXPECT_EQ(back->identity.home, "/var/www");
    EXPECT_EQ(back->iniDefinitions, inputs.iniDefinitions);
    EXPECT_EQ(back->logLevel, LogLevel::debug);
    EXPECT_EQ(back->stopTimeoutMs, 1234);
}

TEST(ManagerInputsTransfer, refuses_what_another_version_might_have_written) {
    const std::string good = encodeInputs({});
    EXPECT_FALSE(decodeInputs(""));
    EXPECT_FALSE(decodeInputs(good.substr(0, good.size() / 2)));
    EXPECT_FALSE(decodeInputs(std::string("\xa0", 1)));  // an empty map: every key is missing
}

TEST(ControlMessages, of_a_wrong_size_or_type_are_refused) {
    ControlMessage message;
    message.type = MessageType::ready;
    ReceivedMessage received;
    const auto put = [&] {
        received.bytes.resize(sizeof message);
        std::memcpy(received.bytes.data(), &message, sizeof message);
    };
    put();
    EXPECT_TRUE(parseControl(received));
    received.bytes.pop_back();
    EXPECT_FALSE(parseControl(received));
    message.type = static_cast<MessageType>(77);
    put();
    EXPECT_FALSE(parseControl(received));
}

TEST(ControlMessages, texts_are_cut_and_always_end) {
    ControlMessage message;
    message.type = MessageType::failed;
    std::memset(message.text, 'x', sizeof message.text);
    ReceivedMessage received;
    received.bytes.resize(sizeof message);
    std::memcpy(received.bytes.data(), &message, sizeof message);
    const auto parsed = parseControl(received);
    ASSERT_TRUE(parsed);
    EXPECT_EQ(std::strlen(parsed->text), sizeof message.text - 1);
    message.setText(std::string(10000, 'y'));
    EXPECT_EQ(std::strlen(message.text), sizeof message.text - 1);
}

}  // namespace
}  // namespace muster::manager
