// The client half: what it encodes a server understands, what a server sends it reads.
#include "fastcgi/client.h"

#include <gtest/gtest.h>
#include <sys/socket.h>

#include "base/io.h"
#include "fastcgi/server_connection.h"

namespace muster::fastcgi {
namespace {

struct Pair {
    UniqueFd client;
    UniqueFd server;
};

Pair connectedPair() {
    int ends[2];
    EXPECT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
    return {UniqueFd(ends[0]), UniqueFd(ends[1])};
}

TEST(Client, speaks_with_the_server_half) {
    Pair pair = connectedPair();
    const std::string value(300, 'v');
    ASSERT_TRUE(writeAll(pair.client.get(), encodeRequest({{"A", value}}, "body", true, 3, 100)));
    ServerConnection connection;
    connection.open(std::move(pair.server));
    ASSERT_EQ(connection.receive(), Receipt::bytes);
    ASSERT_EQ(connection.readHead(), HeadOutcome::request);
    EXPECT_EQ(connection.params().get("A"), value);
    connection.writeStdout("out", 3);
    connection.writeStderr("err");
    connection.finish();
    const auto response = readResponse(pair.client.get());
    ASSERT_TRUE(response.has_value());
    EXPECT_EQ(response->out, "out");
    EXPECT_EQ(response->err, "err");
    EXPECT_EQ(response->appStatus, 0);
    EXPECT_EQ(response->protocolStatus, 0);
}

TEST(Client, end_of_connection_without_an_answer_is_told) {
    Pair pair = connectedPair();
    pair.server.reset();
    const auto response = readResponse(pair.client.get());
    ASSERT_TRUE(response.has_value());
    EXPECT_EQ(response->appStatus, -1);
}

TEST(Client, truncated_or_foreign_records_are_errors) {
    for (const std::string_view bytes : {std::string_view("\x01\x06\x00\x01\x00\x05\x00\x00he", 10),
                                         std::string_view("\x01\x0b\x00\x00\x00\x00\x00\x00", 8)}) {
        Pair pair = connectedPair();
        ASSERT_TRUE(writeAll(pair.server.get(), bytes));
        pair.server.reset();
        EXPECT_FALSE(readResponse(pair.client.get()).has_value());
    }
}

TEST(Client, unreachable_addresses_are_errors_that_name_them) {
    const auto missing = connectTo("/nonexistent/socket");
    ASSERT_FALSE(missing.has_value());
    EXPECT_NE(missing.error().text().find("/nonexistent/socket"), std::string::npos);
    EXPECT_FALSE(connectTo(std::string(200, '/')).has_value());
}

}  // namespace
}  // namespace muster::fastcgi
