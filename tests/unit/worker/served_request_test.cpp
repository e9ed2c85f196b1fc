// One request with a made-up runtime: scoreboard, access log, pages, end of the connection.
#include "worker/served_request.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/socket.h>

#include <functional>

#include "base/clock.h"
#include "base/io.h"
#include "base/signals.h"
#include "fastcgi/client.h"
#include "scoreboard/snapshot.h"
#include "support/inert_runtime.h"

namespace muster::worker {
namespace {

/// Resolves as the parameters say and runs what the test gives it.
class FakeRuntime final : public InertRuntime {
  public:
    RequestInfo resolve(RequestIo& io) noexcept override {
        RequestInfo info;
        info.method = io.params().get("REQUEST_METHOD");
        info.uri = io.params().get("SCRIPT_NAME");
        info.query = io.params().get("QUERY_STRING");
        info.script = "/srv/index.php";
        info.user = "alice";
        info.contentLength = 4;
        return info;
    }
    RunOutcome run(RequestIo& io) noexcept override { return script(io); }
    PageSettings pageSettings() noexcept override {
        return {.poweredBy = "X-Powered-By: PHP/8.2.35"};
    }

    std::function<RunOutcome(RequestIo&)> script = [](RequestIo&) { return RunOutcome::served; };
};

class RequestOfAWorker : public testing::Test {
  protected:
    RequestOfAWorker() {
        const auto segmentFd = scoreboard::Segment::create({"www", 2, 0, 1, {}});
        segment_ = *scoreboard::Segment::attach(segmentFd->get(), Mapping::Access::readWrite);
        slot_.emplace(segment_, 1);
        slot_->begin(4711, 1, 1);
        int ends[2];
        EXPECT_EQ(::pipe2(ends, O_CLOEXEC | O_NONBLOCK), 0);
        accessReader_.reset(ends[0]);
        accessWriter_.reset(ends[1]);
        pool_.name = "www";
        pool_.statusPath = "/status";
        pool_.pingPath = "/ping";
        inputs_.pool = &pool_;
        inputs_.runtime = &runtime_;
        inputs_.segment = &segment_;
        inputs_.slot = 1;
        inputs_.master = 99;
        inputs_.log = &log_;
    }

    /// Serves one request whose bytes are there.
    RunOutcome serve(const fastcgi::ClientParams& params, const char* format,
                     std::string_view body = {}, bool keepAlive = false) {
        int ends[2];
        EXPECT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
        peer_.reset(ends[0]);
        connection_.open(UniqueFd(ends[1]));
        EXPECT_TRUE(writeAll(peer_.get(), fastcgi::encodeRequest(params, body, keepAlive)));
        format_ = *log::AccessFormat::compile(format);
        AccessLog accessLog({.fd = accessWriter_.get(),
                             .newestEpoch = &segment_.header().commands.logEpoch,
                             .format = &format_,
                             .errors = &log_});
        ServedRequest request(inputs_, connection_, *slot_, accessLog);
        EXPECT_EQ(connection_.receive(), fastcgi::Receipt::bytes);
        request.begin("192.0.2.1");
        EXPECT_EQ(connection_.readHead(), fastcgi::HeadOutcome::request);
        const RunOutcome outcome = request.run();
        response_ = *fastcgi::readResponse(peer_.get());
        return outcome;
    }

    std::string accessLine() {
        char block[4096];
        const ssize_t n = ::read(accessReader_.get(), block, sizeof block);
        return n > 0 ? std::string(block, static_cast<std::size_t>(n)) : "";
    }

    scoreboard::WorkerSnapshot shown() {
        return scoreboard::copyWorker(segment_, 1, monotonicNs()).value();
    }

    config::PoolSettings pool_;
    FakeRuntime runtime_;
    scoreboard::Segment segment_;
    std::optional<scoreboard::SlotWriter> slot_;
    log::ErrorLog log_;
    WorkerInputs inputs_;
    log::AccessFormat format_;
    fastcgi::ServerConnection connection_;
    UniqueFd peer_;
    UniqueFd accessReader_;
    UniqueFd accessWriter_;
    fastcgi::ClientResponse response_;
};

const fastcgi::ClientParams kPageRequest = {
    {"REQUEST_METHOD", "POST"}, {"SCRIPT_NAME", "/page.php"}, {"QUERY_STRING", "a=b"}};

fastcgi::ClientParams requestOf(const char* uri, const char* method = "GET",
                                const char* query = "") {
    return {{"REQUEST_METHOD", method}, {"SCRIPT_NAME", uri}, {"QUERY_STRING", query}};
}

TEST_F(RequestOfAWorker, runtime_reads_and_writes_through_it) {
    runtime_.script = [](RequestIo& io) {
        char body[16];
        const std::size_t n = io.readBody(body, sizeof body);
        io.writeStdout(body, n);
        io.writeStderr("oops", 4);
        EXPECT_FALSE(io.bodyAborted());
        EXPECT_FALSE(io.finished());
        EXPECT_TRUE(io.finish());
        EXPECT_TRUE(io.finished());
        return RunOutcome::exhausted;
    };
    EXPECT_EQ(serve(kPageRequest, "%r", "body"), RunOutcome::exhausted);
    EXPECT_EQ(response_.out, "body");
    EXPECT_EQ(response_.err, "oops");
    EXPECT_EQ(response_.appStatus, 0);
}

TEST_F(RequestOfAWorker, response_is_ended_when_the_runtime_did_not) {
    serve(kPageRequest, "%r");
    EXPECT_EQ(response_.appStatus, 0);
    EXPECT_FALSE(connection_.isOpen());
}

TEST_F(RequestOfAWorker, the_pool_is_told_to_a_script_that_asks) {
    runtime_.script = [](RequestIo& io) {
        io.scriptStarts();
        const PoolStatus* status = io.poolStatus();
        EXPECT_NE(status, nullptr);
        EXPECT_STREQ(status->pool, "www");
        EXPECT_EQ(status->acceptedConnections, 1U);
        EXPECT_EQ(status->active, 1U);
        EXPECT_EQ(status->idle, 0U);
        EXPECT_EQ(status->maxActive, 1U);
        EXPECT_EQ(status->workerCount, 1U);
        const WorkerStatus& worker = status->workers[0];
        EXPECT_EQ(worker.pid, 4711);
        EXPECT_STREQ(worker.state, "Running");
        EXPECT_EQ(worker.requests, 1U);
        EXPECT_STREQ(worker.method, "POST");
        EXPECT_STREQ(worker.uri, "/page.php");
        EXPECT_STREQ(worker.query, "a=b");
        EXPECT_EQ(worker.contentLength, 4);
        EXPECT_STREQ(worker.user, "alice");
        EXPECT_STREQ(worker.script, "/srv/index.php");
        EXPECT_EQ(worker.cpuPercent, 0);
        EXPECT_EQ(worker.memory, 0U);
        EXPECT_STREQ(io.poolStatus()->pool, "www") << "again";
        return RunOutcome::served;
    };
    serve(kPageRequest, "%r", "body");
}

TEST_F(RequestOfAWorker, stages_and_facts_follow_the_request) {
    runtime_.script = [&](RequestIo& io) {
        EXPECT_EQ(shown().stage, scoreboard::Stage::gettingInfo);
        io.scriptStarts();
        EXPECT_EQ(shown().stage, scoreboard::Stage::running);
        io.scriptReturned({.status = 200, .memoryPeak = 4096});
        EXPECT_EQ(shown().stage, scoreboard::Stage::finishing);
        return RunOutcome::served;
    };
    serve(kPageRequest, "%r");
    const auto facts = shown().facts;
    EXPECT_EQ(facts.requests, 1U);
    EXPECT_STREQ(facts.method, "POST");
    EXPECT_STREQ(facts.uri, "/page.php");
    EXPECT_STREQ(facts.query, "a=b");
    EXPECT_STREQ(facts.script, "/srv/index.php");
    EXPECT_STREQ(facts.user, "alice");
    EXPECT_EQ(facts.contentLength, 4);
    EXPECT_EQ(facts.memoryPeak, 4096U);
    EXPECT_GT(facts.durationNs, 0U);
}

TEST_F(RequestOfAWorker, access_line_knows_the_request_and_its_result) {
    runtime_.script = [](RequestIo& io) {
        io.scriptReturned({.status = 404, .memoryPeak = 2048, .header = [](std::string_view name) {
                               return name == "X-Test" ? std::string_view("yes")
                                                       : std::string_view();
                           }});
        return RunOutcome::served;
    };
    serve(kPageRequest, "%n %R %u %m %r%Q%q %f %l %s %M %P %{QUERY_STRING}e %{X-Test}o %{Y}o");
    EXPECT_EQ(accessLine(),
              "www 192.0.2.1 alice POST /page.php?a=b /srv/index.php 4 404 2048 99 a=b yes -\n");
}

TEST_F(RequestOfAWorker, ping_is_answered_without_the_runtime) {
    runtime_.script = [](RequestIo&) {
        ADD_FAILURE() << "the runtime ran";
        return RunOutcome::broken;
    };
    EXPECT_EQ(serve(requestOf("/ping"), "%r %s %{Content-type}o"), RunOutcome::served);
    EXPECT_TRUE(response_.out.starts_with("X-Powered-By: PHP/8.2.35\r\nContent-type: text/plain"));
    EXPECT_TRUE(response_.out.ends_with("\r\n\r\npong"));
    EXPECT_EQ(accessLine(), "/ping 200 text/plain;charset=UTF-8\n");
}

TEST_F(RequestOfAWorker, status_shows_the_request_that_asks_as_running) {
    serve(requestOf("/status", "GET", "full"), "%r %{Content-type}o");
    EXPECT_NE(response_.out.find("pid:                  4711\nstate:                Running\n"),
              std::string::npos)
        << response_.out;
    EXPECT_NE(response_.out.find("request URI:          /status?full\n"), std::string::npos);
    EXPECT_EQ(accessLine(), "/status text/plain;charset=UTF-8\n");
}

TEST_F(RequestOfAWorker, page_keeps_the_connection_when_asked) {
    serve(requestOf("/ping"), "%r", "", true);
    EXPECT_TRUE(connection_.isOpen());
}

class LateRequestOfAWorker : public RequestOfAWorker {
  protected:
    LateRequestOfAWorker() { EXPECT_TRUE(installTimeLimitHandlers()); }
    void interrupt() {
        const auto name = requestName(shown().facts.acceptedNs);
        ASSERT_TRUE(queueSignal(::getpid(), interruptSignal(), name));
    }
};

TEST_F(LateRequestOfAWorker, gets_the_page_and_a_new_worker) {
    runtime_.script = [&](RequestIo& io) {
        EXPECT_FALSE(io.timeIsUp());
        io.writeStdout("half", 4);
        interrupt();
        EXPECT_TRUE(io.timeIsUp());
        io.scriptReturned({.status = 504, .timedOut = true});
        EXPECT_EQ(shown().stage, scoreboard::Stage::ending);
        io.finishTimedOut();
        EXPECT_TRUE(io.finished());
        EXPECT_EQ(shown().stage, scoreboard::Stage::ending);
        return RunOutcome::served;
    };
    EXPECT_EQ(serve(kPageRequest, "%s"), RunOutcome::interrupted);
    EXPECT_EQ(response_.out,
              "Status: 504 Gateway Timeout\r\nX-Powered-By: PHP/8.2.35\r\n"
              "Content-type: text/html; charset=UTF-8\r\n\r\nThe request took too long.\n");
    EXPECT_EQ(accessLine(), "504\n");
}

TEST_F(LateRequestOfAWorker, gets_no_body_when_it_is_a_head) {
    runtime_.script = [&](RequestIo& io) {
        interrupt();
        io.finishTimedOut();
        return RunOutcome::served;
    };
    serve(requestOf("/x", "HEAD"), "%s");
    EXPECT_TRUE(response_.out.ends_with("UTF-8\r\n\r\n"));
}

TEST_F(LateRequestOfAWorker, that_came_to_its_end_in_that_moment_is_answered) {
    runtime_.script = [&](RequestIo& io) {
        io.writeStdout("whole", 5);
        interrupt();
        io.scriptReturned({.status = 200});
        EXPECT_FALSE(io.timeIsUp());
        interrupt();
        EXPECT_FALSE(io.timeIsUp()) << "nobody minds how long it takes from here";
        return RunOutcome::served;
    };
    EXPECT_EQ(serve(kPageRequest, "%s"), RunOutcome::interrupted);
    EXPECT_EQ(response_.out, "whole");
}

TEST_F(LateRequestOfAWorker, is_not_late_after_its_response) {
    runtime_.script = [&](RequestIo& io) {
        io.finish();
        EXPECT_EQ(shown().stage, scoreboard::Stage::finishing);
        interrupt();
        EXPECT_FALSE(io.timeIsUp());
        return RunOutcome::served;
    };
    EXPECT_EQ(serve(kPageRequest, "%s"), RunOutcome::served);
}

TEST_F(LateRequestOfAWorker, is_late_after_its_response_when_that_is_tracked) {
    pool_.requestTerminateTimeoutTrackFinished = true;
    runtime_.script = [&](RequestIo& io) {
        io.finish();
        interrupt();
        EXPECT_TRUE(io.timeIsUp());
        return RunOutcome::served;
    };
    EXPECT_EQ(serve(kPageRequest, "%s"), RunOutcome::interrupted);
    EXPECT_EQ(response_.appStatus, 0);
}

TEST_F(RequestOfAWorker, stopping_service_closes_what_was_kept_alive) {
    segment_.header().commands.draining = kDrainStopping;
    serve(kPageRequest, "%r", "", true);
    EXPECT_FALSE(connection_.isOpen());
    segment_.header().commands.draining = kDrainReplaced;
    serve(kPageRequest, "%r", "", true);
    EXPECT_TRUE(connection_.isOpen()) << "a peer may be sending its next request already";
}

}  // namespace
}  // namespace muster::worker
