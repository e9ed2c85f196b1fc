// A connection over a socketpair: everything the peer sends is there before the server looks.
#include "fastcgi/server_connection.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <sys/socket.h>

#include <future>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "base/io.h"
#include "fastcgi/client.h"

namespace muster::fastcgi {
namespace {

struct Sent {
    RecordHeader header;
    std::string content;
};

class Conversation : public testing::Test {
  protected:
    explicit Conversation(Patience patience = {}) : connection_({}, patience) { connect(); }

    void connect() {
        int ends[2];
        EXPECT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
        peer_.reset(ends[0]);
        connection_.open(UniqueFd(ends[1]));
    }

    void say(std::string_view bytes) { ASSERT_TRUE(writeAll(peer_.get(), bytes)); }
    /// More than a socket holds: sent while the server reads.
    [[nodiscard]] std::jthread sayMuch(std::string bytes) {
        return std::jthread([fd = peer_.get(), bytes = std::move(bytes)] { writeAll(fd, bytes); });
    }
    /// More than a socket holds: everything until the server closes, read while it writes.
    [[nodiscard]] std::future<std::string> hearMuch() {
        return std::async(std::launch::async, [fd = peer_.get()] {
            std::string bytes;
            char block[65536];
            ssize_t n = 0;
            while ((n = ::recv(fd, block, sizeof block, 0)) > 0) {
                bytes.append(block, static_cast<std::size_t>(n));
            }
            return bytes;
        });
    }
    void hangUp() { peer_.reset(); }
    void halfClose() { ::shutdown(peer_.get(), SHUT_WR); }

    HeadOutcome next() {
        for (;;) {
            const HeadOutcome outcome = connection_.readHead();
            if (outcome != HeadOutcome::incomplete) {
                return outcome;
            }
            pollfd entry{connection_.fd(), POLLIN, 0};
            EXPECT_EQ(::poll(&entry, 1, 20'000), 1);
            connection_.receive();
        }
    }

    /// What the server has sent until now; `ended` says whether it has closed.
    std::string heard(bool* ended = nullptr) {
        std::string bytes;
        char block[65536];
        for (;;) {
            const ssize_t n = ::recv(peer_.get(), block, sizeof block, MSG_DONTWAIT);
            if (n <= 0) {
                if (ended != nullptr) {
                    *ended = n == 0;
                }
                return bytes;
            }
            bytes.append(block, static_cast<std::size_t>(n));
        }
    }

    std::vector<Sent> heardRecords() { return recordsOf(heard()); }

    static std::vector<Sent> recordsOf(const std::string& bytes) {
        std::vector<Sent> records;
        for (std::size_t at = 0; at < bytes.size();) {
            const auto header = std::as_bytes(std::span(bytes.data() + at, kHeaderSize));
            Sent record{decodeHeader(header.first<kHeaderSize>()), {}};
            record.content = bytes.substr(at + kHeaderSize, record.header.contentLength);
            EXPECT_EQ((record.header.contentLength + record.header.paddingLength) % 8, 0);
            at += kHeaderSize + record.header.contentLength + record.header.paddingLength;
            EXPECT_LE(at, bytes.size());
            records.push_back(std::move(record));
        }
        return records;
    }

    std::string body(std::size_t block = 16384) {
        std::string all;
        std::string buffer(block, '\0');
        for (;;) {
            const std::size_t n = connection_.readBody(buffer.data(), block);
            all.append(buffer, 0, n);
            if (n < block) {
                return all;
            }
        }
    }

    UniqueFd peer_;
    ServerConnection connection_;
};

class ShortPatience : public Conversation {
  protected:
    ShortPatience() : Conversation({.restNs = 20'000'000, .drainNs = 20'000'000}) {}
};

std::string request(bool keepAlive, std::string_view body = {}, int id = 1) {
    return encodeRequest({{"REQUEST_METHOD", "GET"}}, body, keepAlive, id);
}

std::string record(RecordType type, std::uint16_t id, std::string_view content = {}) {
    std::string bytes;
    appendRecord(bytes, type, id, content);
    return bytes;
}

std::string outputOf(const std::vector<Sent>& records, RecordType type) {
    std::string all;
    for (const Sent& sent : records) {
        all += sent.header.type == type ? sent.content : "";
    }
    return all;
}

TEST_F(Conversation, request_is_answered_and_closed_at_once) {
    say(request(false));
    ASSERT_EQ(next(), HeadOutcome::request);
    EXPECT_STREQ(connection_.params().get("REQUEST_METHOD"), "GET");
    EXPECT_FALSE(connection_.keepAlive());
    EXPECT_TRUE(connection_.writeStdout("hello", 5));
    EXPECT_TRUE(connection_.finish());
    EXPECT_FALSE(connection_.isOpen());
    bool ended = false;
    const std::string expected =
        std::string("\x01\x06\x00\x01\x00\x05\x03\x00hello\x00\x00\x00", 16) +
        std::string("\x01\x03\x00\x01\x00\x08\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00", 16);
    EXPECT_EQ(heard(&ended), expected);
    EXPECT_TRUE(ended);
}

TEST_F(Conversation, any_request_id_is_echoed) {
    for (const int id : {0, 65535}) {
        say(request(true, "", id));
        ASSERT_EQ(next(), HeadOutcome::request);
        EXPECT_EQ(connection_.requestId(), id);
        connection_.writeStdout("x", 1);
        connection_.finish();
        for (const Sent& sent : heardRecords()) {
            EXPECT_EQ(sent.header.requestId, id);
        }
    }
}

TEST_F(Conversation, finish_is_idempotent_and_output_behind_it_goes_nowhere) {
    say(request(true));
    ASSERT_EQ(next(), HeadOutcome::request);
    EXPECT_FALSE(connection_.finished());
    EXPECT_TRUE(connection_.finish());
    EXPECT_TRUE(connection_.finished());
    EXPECT_TRUE(connection_.writeStdout("late", 4));
    EXPECT_TRUE(connection_.flush());
    EXPECT_FALSE(connection_.finish());
    EXPECT_EQ(heard().size(), 16U);
    EXPECT_TRUE(connection_.isOpen());
}

TEST_F(Conversation, pipelined_requests_are_served_in_order) {
    say(request(true, "one", 1) + request(true, "two", 2) + request(false, "three", 3));
    for (const char* expected : {"one", "two", "three"}) {
        ASSERT_EQ(next(), HeadOutcome::request);
        EXPECT_EQ(body(), expected);
        EXPECT_EQ(connection_.bodyBytesRead(), std::string_view(expected).size());
        EXPECT_FALSE(connection_.aborted());
        EXPECT_TRUE(connection_.finish());
    }
    EXPECT_FALSE(connection_.isOpen());
    EXPECT_EQ(heardRecords().size(), 3U);
}

TEST_F(Conversation, unread_bodies_never_become_requests) {
    const std::string forged = encodeRequest({{"SCRIPT_FILENAME", "/evil"}}, "", true, 1);
    std::string unread = forged;
    while (unread.size() < 200000) {
        unread += forged;
    }
    const auto sender =
        sayMuch(encodeRequest({{"N", "1"}}, unread, true, 1, 4096) + request(true, "", 7));
    ASSERT_EQ(next(), HeadOutcome::request);
    char some[10];
    EXPECT_EQ(connection_.readBody(some, sizeof some), sizeof some);
    EXPECT_TRUE(connection_.finish());
    ASSERT_TRUE(connection_.isOpen());
    ASSERT_EQ(next(), HeadOutcome::request);
    EXPECT_EQ(connection_.requestId(), 7);
    EXPECT_EQ(connection_.params().get("SCRIPT_FILENAME"), nullptr);
}

TEST_F(ShortPatience, body_that_does_not_end_in_time_costs_the_connection) {
    const std::string head = request(true);
    say(head.substr(0, head.size() - kHeaderSize) + record(RecordType::stdIn, 1, "half"));
    ASSERT_EQ(next(), HeadOutcome::request);
    EXPECT_TRUE(connection_.finish());
    EXPECT_FALSE(connection_.isOpen());
    EXPECT_FALSE(connection_.keepAlive());
    EXPECT_EQ(heard().size(), 16U);
}

TEST_F(Conversation, upload_cut_short_is_not_waited_for) {
    const std::string whole =
        encodeRequest({{"REQUEST_METHOD", "PUT"}, {"CONTENT_LENGTH", "100"}}, "half", true, 1);
    say(whole.substr(0, whole.size() - kHeaderSize));
    ASSERT_EQ(next(), HeadOutcome::request);
    int lingered = 0;
    connection_.setLingerer([&](int) {
        ++lingered;
        return true;
    });
    EXPECT_TRUE(connection_.finish());
    EXPECT_FALSE(connection_.isOpen());
    EXPECT_EQ(lingered, 1);
}

TEST_F(Conversation, last_record_of_an_upload_is_waited_for) {
    const std::string whole =
        encodeRequest({{"REQUEST_METHOD", "PUT"}, {"CONTENT_LENGTH", "4"}}, "body", true, 1);
    say(whole.substr(0, whole.size() - kHeaderSize));
    ASSERT_EQ(next(), HeadOutcome::request);
    const auto sender = sayMuch(whole.substr(whole.size() - kHeaderSize));
    EXPECT_TRUE(connection_.finish());
    EXPECT_TRUE(connection_.isOpen());
}

TEST_F(Conversation, body_in_a_hurry_is_what_is_here) {
    const std::string whole =
        encodeRequest({{"REQUEST_METHOD", "PUT"}, {"CONTENT_LENGTH", "100"}}, "half", true, 1);
    say(whole.substr(0, whole.size() - kHeaderSize));
    ASSERT_EQ(next(), HeadOutcome::request);
    connection_.hurryBody();
    EXPECT_EQ(body(100), "half");
    EXPECT_FALSE(connection_.aborted());
    say(whole.substr(whole.size() - kHeaderSize));
    EXPECT_EQ(body(100), "") << "more of it may come yet";
    EXPECT_FALSE(connection_.aborted());
}

class ImpatientWithBodies : public Conversation {
  protected:
    ImpatientWithBodies() : Conversation({.bodyNs = 1'000'000}) {}
};

TEST_F(ImpatientWithBodies, body_that_does_not_come_has_stalled) {
    const std::string whole = request(true, "half a body");
    say(whole.substr(0, whole.size() - kHeaderSize));
    ASSERT_EQ(next(), HeadOutcome::request);
    EXPECT_EQ(body(100), "half a body");
    EXPECT_TRUE(connection_.stalled());
    EXPECT_TRUE(connection_.aborted());
    EXPECT_FALSE(connection_.keepAlive());
    EXPECT_TRUE(connection_.finishInstead("Status: 408\r\n\r\n"));
    EXPECT_EQ(outputOf(heardRecords(), RecordType::stdOut), "Status: 408\r\n\r\n");
}

TEST_F(ImpatientWithBodies, body_that_is_here_has_not) {
    say(request(true, "body"));
    ASSERT_EQ(next(), HeadOutcome::request);
    EXPECT_EQ(body(), "body");
    EXPECT_FALSE(connection_.stalled());
    EXPECT_TRUE(connection_.endReceived());
}

TEST_F(ImpatientWithBodies, peer_that_leaves_has_not_stalled) {
    const std::string whole = request(true, "half");
    say(whole.substr(0, whole.size() - kHeaderSize));
    hangUp();
    ASSERT_EQ(next(), HeadOutcome::request);
    EXPECT_EQ(body(100), "half");
    EXPECT_TRUE(connection_.aborted());
    EXPECT_FALSE(connection_.stalled());
}

TEST_F(Conversation, end_of_body_is_remembered) {
    say(request(true, "body"));
    ASSERT_EQ(next(), HeadOutcome::request);
    EXPECT_EQ(body(3), "body");
    char more[8];
    EXPECT_EQ(connection_.readBody(more, sizeof more), 0U);
    EXPECT_FALSE(connection_.aborted());
}

TEST_F(Conversation, large_body_arrives_whole) {
    std::string large(1 << 20, 'x');
    for (std::size_t i = 0; i < large.size(); ++i) {
        large[i] = static_cast<char>('a' + i % 26);
    }
    const auto sender = sayMuch(request(false, large));
    ASSERT_EQ(next(), HeadOutcome::request);
    EXPECT_EQ(body(), large);
    EXPECT_EQ(connection_.bodyBytesRead(), large.size());
}

TEST_F(Conversation, half_closed_peer_still_gets_its_answer) {
    const std::string head = request(true);
    say(head.substr(0, head.size() - kHeaderSize) + record(RecordType::stdIn, 1, "cut"));
    halfClose();
    ASSERT_EQ(next(), HeadOutcome::request);
    EXPECT_EQ(body(), "cut");
    EXPECT_TRUE(connection_.aborted());
    EXPECT_FALSE(connection_.keepAlive());
    connection_.writeStdout("answer", 6);
    EXPECT_TRUE(connection_.finish());
    EXPECT_FALSE(connection_.isOpen());
    EXPECT_EQ(outputOf(heardRecords(), RecordType::stdOut), "answer");
}

TEST_F(Conversation, aborted_body_is_told_and_closes) {
    const std::string head = request(true);
    say(head.substr(0, head.size() - kHeaderSize) + record(RecordType::abortRequest, 1));
    ASSERT_EQ(next(), HeadOutcome::request);
    EXPECT_EQ(body(), "");
    EXPECT_TRUE(connection_.aborted());
    halfClose();
    EXPECT_TRUE(connection_.finish());
    EXPECT_FALSE(connection_.isOpen());
}

TEST_F(Conversation, second_request_in_the_midst_is_refused_and_the_first_served) {
    const std::string first = request(true, "body", 1);
    say(first.substr(0, first.size() - kHeaderSize) + request(true, "other", 2) +
        record(RecordType::stdIn, 1));
    ASSERT_EQ(next(), HeadOutcome::request);
    EXPECT_EQ(body(), "body");
    EXPECT_TRUE(connection_.finish());
    EXPECT_TRUE(connection_.isOpen());
    const auto records = heardRecords();
    ASSERT_EQ(records.size(), 2U);
    EXPECT_EQ(records[0].header.requestId, 2);
    EXPECT_EQ(records[0].content[4], static_cast<char>(ProtocolStatus::cantMultiplex));
    EXPECT_EQ(records[1].header.requestId, 1);
    EXPECT_EQ(records[1].content[4], static_cast<char>(ProtocolStatus::requestComplete));
}

TEST_F(Conversation, get_values_keeps_the_connection_before_between_and_after) {
    const std::string values =
        record(RecordType::getValues, 0, encodePairs({{"FCGI_MPXS_CONNS", ""}}));
    for (int round = 0; round < 2; ++round) {
        say(values);
        ASSERT_EQ(next(), HeadOutcome::answered);
        EXPECT_EQ(heardRecords().at(0).header.type, RecordType::getValuesResult);
        say(request(true));
        ASSERT_EQ(next(), HeadOutcome::request);
        connection_.finish();
        EXPECT_EQ(heard().size(), 16U);
    }
    say(values);
    ASSERT_EQ(next(), HeadOutcome::answered);
    EXPECT_TRUE(connection_.isOpen());
}

TEST_F(Conversation, garbage_is_met_with_silence) {
    say("GET / HTTP/1.1\r\nHost: example\r\n\r\n");
    ASSERT_EQ(next(), HeadOutcome::protocol);
    EXPECT_STRNE(connection_.problem(), "");
    connection_.abandon();
    EXPECT_EQ(heard(), "");
}

TEST_F(Conversation, silent_peer_is_not_waited_for) {
    EXPECT_EQ(connection_.receive(), Receipt::nothing);
    EXPECT_EQ(connection_.readHead(), HeadOutcome::incomplete);
    EXPECT_FALSE(connection_.headBegun());
}

TEST_F(Conversation, incomplete_head_is_taken_up_by_another_connection_object) {
    const std::string bytes = request(true, "body", 3);
    for (std::size_t at = 1; at < bytes.size() - 20; ++at) {
        connect();
        say(bytes.substr(0, at));
        ASSERT_EQ(connection_.receive(), Receipt::bytes);
        if (connection_.readHead() != HeadOutcome::incomplete) {
            break;
        }
        EXPECT_TRUE(connection_.headBegun());
        ServerConnection other;
        ASSERT_TRUE(other.resume(UniqueFd(::fcntl(connection_.fd(), F_DUPFD_CLOEXEC, 3)),
                                 connection_.partialHead(), connection_.lateData()));
        say(bytes.substr(at));
        ASSERT_EQ(other.receive(), Receipt::bytes);
        ASSERT_EQ(other.readHead(), HeadOutcome::request) << at;
        EXPECT_EQ(other.requestId(), 3);
        char body[8];
        EXPECT_EQ(other.readBody(body, sizeof body), 4U);
    }
}

TEST_F(Conversation, peer_that_leaves_without_a_request_is_no_error) {
    hangUp();
    EXPECT_EQ(next(), HeadOutcome::closed);
}

TEST_F(Conversation, head_cut_short_is_a_problem_with_a_name) {
    say(request(false).substr(0, 30));
    halfClose();
    ASSERT_EQ(next(), HeadOutcome::protocol);
    EXPECT_STREQ(connection_.problem(), "the connection ended amid a request's head");
}

TEST_F(Conversation, pieces_of_one_kind_share_a_record_and_order_is_kept) {
    say(request(true));
    ASSERT_EQ(next(), HeadOutcome::request);
    connection_.writeStdout("a", 1);
    connection_.writeStdout("a", 1);
    connection_.writeStderr("one");
    connection_.writeStderr("");
    connection_.writeStdout("b", 1);
    EXPECT_EQ(heard(), "");
    connection_.flush();
    connection_.writeStdout("c", 1);
    connection_.finish();
    std::string told;
    for (const Sent& sent : heardRecords()) {
        told += std::to_string(static_cast<int>(sent.header.type)) + ":" +
                (sent.header.type == RecordType::endRequest ? "" : sent.content) + " ";
    }
    EXPECT_EQ(told, "6:aa 7:one 6:b 6:c 3: ");
}

TEST_F(Conversation, output_of_any_size_arrives_whole_in_legal_records) {
    for (const std::size_t size : {std::size_t{1}, std::size_t{8117}, std::size_t{32700},
                                   std::size_t{32768}, std::size_t{65528}, std::size_t{65529},
                                   std::size_t{65535}, std::size_t{200000}, std::size_t{1500001}}) {
        std::string output(size, '\0');
        for (std::size_t i = 0; i < size; ++i) {
            output[i] = static_cast<char>(i * 31 + i / 65521);
        }
        connect();
        say(request(false));
        auto listener = hearMuch();
        ASSERT_EQ(next(), HeadOutcome::request);
        connection_.writeStderr("log");
        ASSERT_TRUE(connection_.writeStdout("head", 4));
        ASSERT_TRUE(connection_.writeStdout(output.data(), output.size()));
        ASSERT_TRUE(connection_.writeStdout("tail", 4));
        connection_.finish();
        const auto records = recordsOf(listener.get());
        EXPECT_EQ(outputOf(records, RecordType::stdOut), "head" + output + "tail") << size;
        EXPECT_EQ(outputOf(records, RecordType::stdErr), "log");
        EXPECT_EQ(records.back().header.type, RecordType::endRequest);
    }
}

TEST_F(Conversation, every_size_around_the_buffers_end_is_right) {
    for (std::size_t first = 32700; first < 32780; ++first) {
        say(request(true));
        ASSERT_EQ(next(), HeadOutcome::request);
        const std::string output(first, 'x');
        connection_.writeStdout(output.data(), output.size());
        connection_.writeStderr("e");
        connection_.writeStdout("yz", 2);
        connection_.finish();
        ASSERT_EQ(outputOf(heardRecords(), RecordType::stdOut), output + "yz") << first;
    }
}

TEST_F(Conversation, vanished_peer_fails_the_write_and_the_keep_alive) {
    say(request(true));
    ASSERT_EQ(next(), HeadOutcome::request);
    hangUp();
    EXPECT_TRUE(connection_.writeStdout("x", 1));
    EXPECT_FALSE(connection_.flush());
    EXPECT_FALSE(connection_.writeStdout("y", 1));
    EXPECT_FALSE(connection_.keepAlive());
    EXPECT_TRUE(connection_.finish());
    EXPECT_FALSE(connection_.isOpen());
}

TEST_F(Conversation, peer_that_sends_more_than_its_request_gets_a_lingering_close) {
    say(request(false) + request(false));
    ASSERT_EQ(next(), HeadOutcome::request);
    connection_.writeStdout("answer", 6);
    halfClose();
    EXPECT_TRUE(connection_.finish());
    EXPECT_FALSE(connection_.isOpen());
    bool ended = false;
    EXPECT_FALSE(heard(&ended).empty());
    EXPECT_TRUE(ended) << "end of stream, no reset";
}

TEST_F(Conversation, unread_upload_is_drained_so_that_the_answer_arrives) {
    const auto sender = sayMuch(request(false, std::string(1 << 20, 'u')));
    ASSERT_EQ(next(), HeadOutcome::request);
    auto listener = hearMuch();
    connection_.writeStdout("answer", 6);
    EXPECT_TRUE(connection_.finish());
    EXPECT_EQ(listener.get().size(), 32U);
}

TEST_F(Conversation, bytes_that_came_since_the_last_look_do_not_reset_the_answer) {
    say(request(false));
    ASSERT_EQ(next(), HeadOutcome::request);
    say(request(false));
    halfClose();
    connection_.writeStdout("answer", 6);
    EXPECT_TRUE(connection_.finish());
    bool ended = false;
    EXPECT_EQ(heard(&ended).size(), 32U);
    EXPECT_TRUE(ended) << "end of stream, no reset";
}

TEST_F(Conversation,
       whoever_waits_for_peers_that_still_send_gets_a_connection_without_a_last_word) {
    UniqueFd kept;
    connection_.setLingerer([&](int fd) {
        kept.reset(::fcntl(fd, F_DUPFD_CLOEXEC, 3));
        return true;
    });
    say(request(false) + "more");
    ASSERT_EQ(next(), HeadOutcome::request);
    EXPECT_TRUE(connection_.finish());
    EXPECT_FALSE(connection_.isOpen());
    ASSERT_TRUE(kept);
    bool ended = false;
    EXPECT_EQ(heard(&ended).size(), 16U);
    EXPECT_TRUE(ended);
    say("and more");
}

TEST_F(Conversation, nobody_waits_for_a_peer_that_was_told_nothing_or_has_nothing_more_to_say) {
    int lingered = 0;
    connection_.setLingerer([&](int) {
        ++lingered;
        return true;
    });
    say("garbage garbage");
    ASSERT_EQ(next(), HeadOutcome::protocol);
    connection_.close();
    connect();
    say(request(false, "body"));
    ASSERT_EQ(next(), HeadOutcome::request);
    EXPECT_TRUE(connection_.finish());
    EXPECT_EQ(lingered, 0);
}

TEST_F(Conversation, answer_survives_a_protocol_error_behind_it) {
    say(request(true) + "garbage garbage");
    ASSERT_EQ(next(), HeadOutcome::request);
    connection_.writeStdout("answer", 6);
    EXPECT_TRUE(connection_.finish());
    ASSERT_TRUE(connection_.isOpen());
    ASSERT_EQ(next(), HeadOutcome::protocol);
    say("and more");
    halfClose();
    connection_.close();
    bool ended = false;
    EXPECT_EQ(heard(&ended).size(), 32U);
    EXPECT_TRUE(ended) << "end of stream, no reset";
}

TEST_F(Conversation, refused_keep_alive_closes_whatever_the_peer_asked) {
    say(request(true));
    ASSERT_EQ(next(), HeadOutcome::request);
    EXPECT_TRUE(connection_.keepAlive());
    connection_.refuseKeepAlive();
    connection_.finish();
    EXPECT_FALSE(connection_.isOpen());
}

TEST_F(Conversation, connection_object_is_reused_clean) {
    say("garbage garbage");
    ASSERT_EQ(next(), HeadOutcome::protocol);
    connect();
    say(request(false, "b"));
    ASSERT_EQ(next(), HeadOutcome::request);
    EXPECT_STREQ(connection_.problem(), "");
    EXPECT_EQ(body(), "b");
}

}  // namespace
}  // namespace muster::fastcgi
