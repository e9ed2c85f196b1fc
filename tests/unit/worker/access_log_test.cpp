// The worker's end of the access log: whole lines, reopening between two lines.
#include "worker/access_log.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <cstring>

#include "base/io.h"
#include "worker/worker.h"

namespace muster::worker {
namespace {

struct Pipe {
    Pipe() {
        int ends[2];
        EXPECT_EQ(::pipe2(ends, O_CLOEXEC | O_NONBLOCK), 0);
        reader.reset(ends[0]);
        writer.reset(ends[1]);
    }
    [[nodiscard]] std::string content() const {
        char block[65536];
        const ssize_t n = ::read(reader.get(), block, sizeof block);
        return n > 0 ? std::string(block, static_cast<std::size_t>(n)) : "";
    }
    UniqueFd reader;
    UniqueFd writer;
};

class AccessLogOfAWorker : public testing::Test {
  protected:
    AccessLogOfAWorker() : channel_(MessageChannel::pair()) {
        log_.setStyle(log::ErrorLog::Style::worker);
        log_.setTarget(errors_.writer.get(), false);
    }

    AccessLog make(const char* format) {
        format_ = *log::AccessFormat::compile(format);
        auto end = duplicate(channel_->second.fd());
        channel_->second.close();
        return AccessLog({.fd = first_.writer.get(),
                          .ordersFd = end->release(),
                          .newestEpoch = &epoch_,
                          .format = &format_,
                          .errors = &log_});
    }

    void reopen(std::uint32_t epoch, const Pipe& file) {
        const LogReopened message{epoch};
        const int fd = file.writer.get();
        ASSERT_TRUE(channel_->first.send(std::as_bytes(std::span(&message, 1)), {&fd, 1}));
        epoch_ = epoch;
    }

    static log::AccessFacts factsOf(const char* uri) {
        log::AccessFacts facts;
        facts.method = "GET";
        facts.uri = uri;
        return facts;
    }

    Pipe first_;
    Pipe errors_;
    log::ErrorLog log_;
    log::AccessFormat format_;
    Result<std::pair<MessageChannel, MessageChannel>> channel_;
    std::atomic<std::uint32_t> epoch_ = 0;
};

TEST_F(AccessLogOfAWorker, writes_one_line_per_request) {
    AccessLog log = make("%m %r %s");
    EXPECT_TRUE(log.isOn());
    EXPECT_FALSE(log.needsCpu());
    log.write(factsOf("/a"));
    log.write(factsOf("/b"));
    EXPECT_EQ(first_.content(), "GET /a 200\nGET /b 200\n");
}

TEST_F(AccessLogOfAWorker, is_off_without_a_descriptor) {
    const AccessLog log({.newestEpoch = &epoch_, .errors = &log_});
    EXPECT_FALSE(log.isOn());
    EXPECT_FALSE(log.needsCpu());
}

TEST_F(AccessLogOfAWorker, goes_to_the_newest_of_several_reopened_files) {
    AccessLog log = make("%r");
    log.write(factsOf("/before"));
    const Pipe second;
    const Pipe third;
    reopen(1, second);
    reopen(2, third);
    log.write(factsOf("/after"));
    log.write(factsOf("/again"));
    EXPECT_EQ(first_.content(), "/before\n");
    EXPECT_EQ(second.content(), "");
    EXPECT_EQ(third.content(), "/after\n/again\n");
}

TEST_F(AccessLogOfAWorker, worker_born_after_a_reopening_keeps_the_file_it_was_given) {
    epoch_ = 1;
    AccessLog log = make("%r");
    log.write(factsOf("/early"));
    EXPECT_EQ(first_.content(), "/early\n");
    const Pipe second;
    reopen(2, second);
    log.write(factsOf("/late"));
    EXPECT_EQ(second.content(), "/late\n");
}

TEST_F(AccessLogOfAWorker, malformed_orders_change_nothing) {
    AccessLog log = make("%r");
    const char noise[3] = {1, 2, 3};
    const int fd = first_.writer.get();
    ASSERT_TRUE(channel_->first.send(std::as_bytes(std::span(noise)), {&fd, 1}));
    const LogReopened lonely{7};
    ASSERT_TRUE(channel_->first.send(std::as_bytes(std::span(&lonely, 1))));
    epoch_ = 7;
    log.write(factsOf("/x"));
    EXPECT_EQ(first_.content(), "/x\n");
    EXPECT_NE(errors_.content().find("WARNING: an order that this worker does not know"),
              std::string::npos);
}

TEST_F(AccessLogOfAWorker, cut_line_is_told) {
    AccessLog log = make("%{LONG}e");
    log::AccessFacts facts = factsOf("/x");
    static const std::string value(3000, 'v');
    facts.param = [](const void*, std::string_view) { return value.c_str(); };
    log.write(facts);
    EXPECT_LE(first_.content().size(), log::AccessFormat::kMaxLine + 1);
    EXPECT_EQ(errors_.content(),
              "NOTICE: the log buffer is full (1024). The access log request has been "
              "truncated.\n");
}

}  // namespace
}  // namespace muster::worker
