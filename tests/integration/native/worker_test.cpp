// A worker as a process of its own, with a made-up runtime and the test as its manager.
#include "worker/worker.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <csignal>
#include <cstring>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/io.h"
#include "base/process.h"
#include "fastcgi/client.h"
#include "scoreboard/snapshot.h"
#include "support/inert_runtime.h"
#include "worker/parked_connection.h"
#include "worker/waiting_signals.h"

namespace muster::worker {
namespace {

using scoreboard::Stage;

constexpr std::uint64_t kDeadlineNs = 20 * kNsPerSecond;

// Looks again and again until it is true; the deadline is for failures only.
template <typename Condition>
bool eventually(Condition&& condition) {
    const std::uint64_t deadline = monotonicNs() + kDeadlineNs;
    while (!condition()) {
        if (monotonicNs() > deadline) {
            return false;
        }
        ::poll(nullptr, 0, 1);
    }
    return true;
}

struct Pipe {
    explicit Pipe(int flags = 0) {
        int ends[2];
        EXPECT_EQ(::pipe2(ends, O_CLOEXEC | flags), 0);
        reader.reset(ends[0]);
        writer.reset(ends[1]);
    }
    UniqueFd reader;
    UniqueFd writer;
};

/// Answers with the body it got; SCRIPT_NAME chooses what else happens.
class FakeRuntime final : public InertRuntime {
  public:
    explicit FakeRuntime(int gate) : gate_(gate) {}

    Result<void> startWorker() override {
        if (failsToStart) {
            return plainError("no engine today");
        }
        return {};
    }
    RequestInfo resolve(RequestIo& io) noexcept override {
        RequestInfo info;
        info.method = "GET";
        info.uri = io.params().get("SCRIPT_NAME");
        return info;
    }
    RunOutcome run(RequestIo& io) noexcept override {
        const std::string_view name = io.params().get("SCRIPT_NAME");
        io.scriptStarts();
        if (name == "/wait") {
            char byte = 0;
            while (::read(gate_, &byte, 1) < 0 && errno == EINTR) {
            }
        }
        if (name == "/log") {
            io.log(LogLevel::warning, "said by the script");
        }
        char block[4096];
        while (const std::size_t n = io.readBody(block, sizeof block)) {
            io.writeStdout(block, n);
        }
        io.scriptReturned({});
        io.finish();
        return name == "/broken"      ? RunOutcome::broken
               : name == "/exhausted" ? RunOutcome::exhausted
               : name == "/changed"   ? RunOutcome::changed
                                      : RunOutcome::served;
    }

    bool failsToStart = false;

  private:
    int gate_;
};

class Client {
  public:
    explicit Client(UniqueFd fd) : fd_(std::move(fd)) {
        const timeval timeout{static_cast<time_t>(kDeadlineNs / kNsPerSecond), 0};
        ::setsockopt(fd_.get(), SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof timeout);
    }

    void send(const char* script, std::string_view body, bool keepAlive) {
        EXPECT_TRUE(writeAll(fd_.get(),
                             fastcgi::encodeRequest({{"SCRIPT_NAME", script}}, body, keepAlive)));
    }
    void sendBytes(std::string_view bytes) { EXPECT_TRUE(writeAll(fd_.get(), bytes)); }

    /// The body of a complete answer; nothing when there was none.
    std::optional<std::string> answer() {
        const auto response = fastcgi::readResponse(fd_.get());
        if (!response || response->appStatus != 0) {
            return std::nullopt;
        }
        return response->out;
    }
    bool closedByServer() {
        char byte = 0;
        return ::recv(fd_.get(), &byte, 1, 0) == 0;
    }

  private:
    UniqueFd fd_;
};

class Worker : public testing::Test {
  protected:
    Worker() : errors_(O_NONBLOCK), runtime_(gate_.reader.get()), orders_(MessageChannel::pair()) {
        std::string pattern = testing::TempDir() + "muster-worker-XXXXXX";
        directory_ = ::mkdtemp(pattern.data());
        listen();
        const auto segmentFd = scoreboard::Segment::create({"www", 2, 0, 1, {}});
        segment_ = *scoreboard::Segment::attach(segmentFd->get(), Mapping::Access::readWrite);
        wake_.reset(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
        accessLog_ = *openAppend(directory_ + "/access.log");
        accessFormat_ = *log::AccessFormat::compile("%r %s");
        pool_.name = "www";
        pool_.pingPath = "/ping";
    }

    ~Worker() override {
        if (pid_ > 0) {
            ::kill(pid_, SIGKILL);
            (void)waitChild(pid_);
        }
        std::filesystem::remove_all(directory_);
    }

    void listen() {
        listener_.reset(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
        sockaddr_un address{};
        address.sun_family = AF_UNIX;
        const std::string path = socketPath();
        ASSERT_LT(path.size(), sizeof address.sun_path);
        std::memcpy(address.sun_path, path.data(), path.size());
        ASSERT_EQ(::bind(listener_.get(), reinterpret_cast<sockaddr*>(&address), sizeof address),
                  0);
        ASSERT_EQ(::listen(listener_.get(), 128), 0);
    }

    [[nodiscard]] std::string socketPath() const { return directory_ + "/pool.sock"; }

    int live(pid_t manager) {
        ::dup2(errors_.writer.get(), STDERR_FILENO);
        log::ErrorLog log;
        log.setStyle(log::ErrorLog::Style::worker);
        WorkerInputs inputs;
        inputs.pool = &pool_;
        inputs.maxRequests = pool_.maxRequests;
        inputs.runtime = &runtime_;
        inputs.segment = &segment_;
        inputs.listenFd = listener_.get();
        inputs.wakeFd = wake_.get();
        inputs.ordersFd = orders_->second.fd();
        inputs.handOverFd = queue_ ? queue_->second.fd() : -1;
        inputs.accessLogFd = accessLog_.get();
        inputs.accessFormat = &accessFormat_;
        inputs.log = &log;
        inputs.manager = manager;
        inputs.title = "muster: pool www";
        return static_cast<int>(runWorker(inputs));
    }

    void start() {
        const pid_t manager = ::getpid();
        pid_ = forkChild([this, manager] { return live(manager); }).value();
    }
    void startIdle() {
        start();
        ASSERT_TRUE(reaches(Stage::idle));
    }

    /// Exit code of the worker once it is gone; -1 when it stays or was killed.
    int exitCode() {
        std::optional<ChildExit> gone;
        if (!eventually([&] { return (gone = reapChild()).has_value(); })) {
            return -1;
        }
        pid_ = 0;
        return WIFEXITED(gone->status) ? WEXITSTATUS(gone->status) : -1;
    }

    bool reaches(Stage stage) {
        return eventually([&] { return scoreboard::readStage(segment_, 0) == stage; });
    }
    std::uint64_t requests() {
        const auto worker = scoreboard::copyWorker(segment_, 0, monotonicNs());
        return worker ? worker->facts.requests : 0;
    }

    /// How often the worker has gone to sleep of its own will.
    int timesAsleep() {
        const std::string status =
            readFile("/proc/" + std::to_string(pid_) + "/status", 65536).value();
        constexpr std::string_view kLabel = "\nvoluntary_ctxt_switches:";
        return std::stoi(status.substr(status.find(kLabel) + kLabel.size()));
    }

    Client connect() { return Client(fastcgi::connectTo(socketPath()).value()); }
    void tellToDrain(std::uint32_t how) {
        segment_.header().commands.draining.store(how);
        ::kill(pid_, SIGQUIT);
    }
    void openGate() { EXPECT_TRUE(writeAll(gate_.writer.get(), "x")); }

    std::string errorText() {
        char block[4096];
        const ssize_t n = ::read(errors_.reader.get(), block, sizeof block);
        errorText_.append(block, n > 0 ? static_cast<std::size_t>(n) : 0);
        return errorText_;
    }

    std::string directory_;
    Pipe gate_;
    Pipe errors_;
    FakeRuntime runtime_;
    Result<std::pair<MessageChannel, MessageChannel>> orders_;
    std::optional<std::pair<MessageChannel, MessageChannel>> queue_;  ///< HandingWorker's
    UniqueFd listener_;
    UniqueFd wake_;
    UniqueFd accessLog_;
    scoreboard::Segment segment_;
    log::AccessFormat accessFormat_;
    config::PoolSettings pool_;
    std::string errorText_;
    pid_t pid_ = 0;
};

TEST_F(Worker, serves_one_connection_after_the_other) {
    start();
    for (int i = 1; i <= 20; ++i) {
        Client client = connect();
        const std::string body(static_cast<std::size_t>(i) * 1000, 'b');
        client.send("/echo", body, false);
        ASSERT_EQ(client.answer(), body);
        EXPECT_TRUE(client.closedByServer());
    }
    EXPECT_EQ(requests(), 20U);
}

TEST_F(Worker, keeps_a_connection_alive_and_counts_what_arrived_only) {
    start();
    Client client = connect();
    for (int i = 0; i < 5; ++i) {
        client.send("/echo", "body", true);
        ASSERT_EQ(client.answer(), "body");
    }
    EXPECT_TRUE(reaches(Stage::keepAlive));
    EXPECT_EQ(requests(), 5U);
    client.send("/echo", "last", false);
    EXPECT_EQ(client.answer(), "last");
    EXPECT_TRUE(client.closedByServer());
}

TEST_F(Worker, garbage_costs_one_connection) {
    startIdle();
    Client garbage = connect();
    garbage.sendBytes("GET / HTTP/1.0\r\n\r\n");
    EXPECT_EQ(garbage.answer(), std::nullopt);
    Client client = connect();
    client.send("/echo", "fine", false);
    EXPECT_EQ(client.answer(), "fine");
    EXPECT_EQ(errorText(), "");
}

TEST_F(Worker, ping_is_answered_and_logged) {
    start();
    Client client = connect();
    client.send("/ping", "", false);
    const auto answer = client.answer();
    ASSERT_TRUE(answer.has_value());
    EXPECT_TRUE(answer->ends_with("\r\n\r\npong"));
    EXPECT_EQ(readFile(directory_ + "/access.log", 4096).value(), "/ping 200\n");
}

TEST_F(Worker, sigquit_while_idle_exits_at_once) {
    startIdle();
    ::kill(pid_, SIGQUIT);
    EXPECT_EQ(exitCode(), 0);
}

TEST_F(Worker, sigquit_before_the_worker_stands_is_not_lost) {
    start();
    ::kill(pid_, SIGQUIT);
    EXPECT_EQ(exitCode(), 0);
}

TEST_F(Worker, sigquit_while_running_lets_the_request_end) {
    start();
    Client client = connect();
    client.send("/wait", "done", false);
    ASSERT_TRUE(reaches(Stage::running));
    ::kill(pid_, SIGQUIT);
    openGate();
    EXPECT_EQ(client.answer(), "done");
    EXPECT_EQ(exitCode(), 0);
}

TEST_F(Worker, order_to_leave_is_seen_after_the_request_without_a_signal) {
    start();
    Client client = connect();
    client.send("/wait", "done", false);
    ASSERT_TRUE(reaches(Stage::running));
    segment_.order(0).leave.store(1);
    openGate();
    EXPECT_EQ(client.answer(), "done");
    EXPECT_EQ(exitCode(), 0);
}

TEST_F(Worker, accepted_connection_is_served_even_by_a_worker_told_to_leave) {
    startIdle();
    Client client = connect();
    ASSERT_TRUE(reaches(Stage::keepAlive)) << "accepted, not a byte yet";
    tellToDrain(kDrainReplaced);
    client.send("/echo", "served", false);
    EXPECT_EQ(client.answer(), "served");
    EXPECT_EQ(exitCode(), 0);
}

TEST_F(Worker, replaced_worker_serves_one_more_request_of_its_kept_alive_peer) {
    startIdle();
    Client client = connect();
    client.send("/echo", "one", true);
    EXPECT_EQ(client.answer(), "one");
    ASSERT_TRUE(reaches(Stage::keepAlive));
    tellToDrain(kDrainReplaced);
    client.send("/echo", "two", true);
    EXPECT_EQ(client.answer(), "two");
    EXPECT_TRUE(client.closedByServer());
    EXPECT_EQ(exitCode(), 0);
}

TEST_F(Worker, replaced_worker_goes_when_its_kept_alive_peer_goes) {
    startIdle();
    {
        Client client = connect();
        client.send("/echo", "one", true);
        EXPECT_EQ(client.answer(), "one");
        tellToDrain(kDrainReplaced);
    }
    EXPECT_EQ(exitCode(), 0);
}

TEST_F(Worker, stopping_service_closes_idle_kept_alive_connections_at_once) {
    startIdle();
    Client client = connect();
    client.send("/echo", "one", true);
    EXPECT_EQ(client.answer(), "one");
    ASSERT_TRUE(reaches(Stage::keepAlive));
    tellToDrain(kDrainStopping);
    EXPECT_TRUE(client.closedByServer());
    EXPECT_EQ(exitCode(), 0);
}

TEST_F(Worker, stop_that_follows_a_drain_closes_what_the_drain_waited_for) {
    startIdle();
    Client client = connect();
    client.send("/echo", "one", true);
    EXPECT_EQ(client.answer(), "one");
    ASSERT_TRUE(reaches(Stage::keepAlive));
    tellToDrain(kDrainReplaced);
    tellToDrain(kDrainStopping);
    EXPECT_TRUE(client.closedByServer());
    EXPECT_EQ(exitCode(), 0);
}

TEST_F(Worker, stop_during_a_kept_alive_request_needs_no_signal) {
    start();
    Client client = connect();
    client.send("/wait", "one", true);
    ASSERT_TRUE(reaches(Stage::running));
    segment_.header().commands.draining.store(kDrainStopping);
    openGate();
    EXPECT_EQ(client.answer(), "one");
    EXPECT_TRUE(client.closedByServer());
    EXPECT_EQ(exitCode(), 0);
}

TEST_F(Worker, max_requests_is_exact_and_closes_a_kept_alive_connection) {
    pool_.maxRequests = 3;
    start();
    Client client = connect();
    for (int i = 0; i < 3; ++i) {
        client.send("/echo", "x", true);
        ASSERT_EQ(client.answer(), "x");
    }
    EXPECT_TRUE(client.closedByServer());
    EXPECT_EQ(exitCode(), 0);
    EXPECT_EQ(requests(), 3U);
}

TEST_F(Worker, outcomes_of_the_runtime_become_exit_codes) {
    for (const auto& [script, code] :
         {std::pair("/broken", 70), std::pair("/exhausted", 71), std::pair("/changed", 72)}) {
        start();
        Client client = connect();
        client.send(script, "x", true);
        EXPECT_EQ(client.answer(), "x");
        EXPECT_EQ(exitCode(), code) << script;
    }
}

TEST_F(Worker, runtime_that_cannot_start_is_told_and_exits_70) {
    runtime_.failsToStart = true;
    start();
    EXPECT_EQ(exitCode(), 70);
    EXPECT_EQ(errorText(),
              "ERROR: [pool www] no engine today\nERROR: [pool www] child failed to "
              "initialize\n");
}

TEST_F(Worker, unusable_listener_is_told_and_exits_70) {
    listener_.reset(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    start();
    EXPECT_EQ(exitCode(), 70);
    EXPECT_NE(errorText().find("ERROR: the listening socket is unusable"), std::string::npos);
}

TEST_F(Worker, shortage_of_descriptors_is_outlasted_and_told_once) {
    start();
    const auto serveOne = [&](const char* script) {
        Client client = connect();
        client.send(script, "x", false);
        EXPECT_EQ(client.answer(), "x");
    };
    // Everything has run once: sanitizers need descriptors when they see a type for the first time.
    serveOne("/log");
    ASSERT_TRUE(reaches(Stage::idle));
    rlimit before{};
    ASSERT_EQ(::prlimit(pid_, RLIMIT_NOFILE, nullptr, &before), 0);
    const rlimit none{3, before.rlim_max};
    ASSERT_EQ(::prlimit(pid_, RLIMIT_NOFILE, &none, nullptr), 0);
    serveOne("/echo");  // the accept that was waiting had its descriptor already
    Client client = connect();
    client.send("/echo", "patience", false);
    ASSERT_TRUE(eventually([&] { return errorText().find("unable") != std::string::npos; }));
    clockid_t clock{};
    timespec used{};
    ASSERT_EQ(::clock_getcpuclockid(pid_, &clock), 0);
    const int sleeps = timesAsleep();
    ASSERT_TRUE(eventually([&] { return timesAsleep() > sleeps + 4; })) << "it spins";
    ASSERT_EQ(::clock_gettime(clock, &used), 0);
    EXPECT_EQ(used.tv_sec, 0) << "it spins";
    EXPECT_LT(used.tv_nsec, 150'000'000) << "it spins";
    ASSERT_EQ(::prlimit(pid_, RLIMIT_NOFILE, &before, nullptr), 0);
    EXPECT_EQ(client.answer(), "patience");
    EXPECT_EQ(errorText(),
              "WARNING: said by the script\n"
              "WARNING: unable to accept connections, trying again: Too many open files (24)\n");
}

TEST_F(Worker, non_blocking_listener_is_waited_on) {
    ASSERT_TRUE(setNonBlocking(listener_.get(), true));
    startIdle();
    Client client = connect();
    client.send("/echo", "x", false);
    EXPECT_EQ(client.answer(), "x");
    ASSERT_TRUE(reaches(Stage::idle));
    ::kill(pid_, SIGQUIT);
    EXPECT_EQ(exitCode(), 0);
}

TEST_F(Worker, reopened_access_log_is_used_from_the_next_line_on) {
    start();
    Client client = connect();
    client.send("/first", "x", true);
    ASSERT_EQ(client.answer(), "x");
    const UniqueFd reopened = openAppend(directory_ + "/access.new").value();
    const LogReopened message{1};
    const int fd = reopened.get();
    ASSERT_TRUE(orders_->first.send(std::as_bytes(std::span(&message, 1)), {&fd, 1}));
    segment_.header().commands.logEpoch.store(1);
    client.send("/second", "x", true);
    ASSERT_EQ(client.answer(), "x");
    EXPECT_EQ(readFile(directory_ + "/access.log", 4096).value(), "/first 200\n");
    EXPECT_EQ(readFile(directory_ + "/access.new", 4096).value(), "/second 200\n");
}

TEST_F(Worker, wakes_the_manager_when_the_last_idle_worker_becomes_busy) {
    segment_.header().commands.wakeAtIdle.store(0);
    startIdle();
    ASSERT_TRUE(eventually([&] { return segment_.header().hints.idle.load() == 1; }));
    std::uint64_t count = 0;
    EXPECT_LT(::read(wake_.get(), &count, sizeof count), 0);
    Client client = connect();
    client.send("/wait", "x", false);
    ASSERT_TRUE(reaches(Stage::running));
    EXPECT_EQ(::read(wake_.get(), &count, sizeof count), 8);
    EXPECT_EQ(segment_.header().hints.idle.load(), 0);
    openGate();
    EXPECT_EQ(client.answer(), "x");
}

TEST_F(Worker, holds_the_same_descriptors_after_many_connections) {
    startIdle();
    const auto descriptors = [&] {
        const std::filesystem::directory_iterator entries("/proc/" + std::to_string(pid_) + "/fd");
        return std::distance(begin(entries), end(entries));
    };
    const auto before = descriptors();
    for (int i = 0; i < 50; ++i) {
        Client client = connect();
        if (i % 3 == 0) {
            client.sendBytes("garbage!");
        } else {
            client.send("/echo", "x", i % 3 == 1);
            EXPECT_EQ(client.answer(), "x");
        }
    }
    ASSERT_TRUE(eventually([&] { return requests() == 50; }));
    ASSERT_TRUE(reaches(Stage::idle));
    EXPECT_EQ(descriptors(), before);
}

TEST_F(Worker, no_request_is_lost_when_sigquit_meets_it_anywhere) {
    for (int round = 0; round < 150; ++round) {
        segment_.header().commands.draining.store(kNotDraining);
        startIdle();
        const pid_t first = pid_;
        Client client = connect();
        if (round % 2 == 0) {
            client.send("/echo", "kept", false);
        }
        for (int spin = 0; spin < (round % 50) * 40; ++spin) {
            [[maybe_unused]] const auto now = monotonicNs();
        }
        tellToDrain(kDrainReplaced);
        if (round % 2 != 0) {
            client.send("/echo", "kept", false);
        }
        ASSERT_EQ(exitCode(), 0);
        // What the first did not accept waits in the listener for the next generation.
        segment_.header().commands.draining.store(kNotDraining);
        start();
        ASSERT_EQ(client.answer(), "kept") << round;
        ASSERT_TRUE(reaches(Stage::idle));
        ASSERT_NE(pid_, first);
        ::kill(pid_, SIGQUIT);
        ASSERT_EQ(exitCode(), 0);
    }
}

TEST_F(Worker, leaves_when_its_manager_dies_also_with_a_kept_alive_peer) {
    becomeSubreaper();
    Pipe life;
    const pid_t manager = forkChild([&] {
                              const pid_t self = ::getpid();
                              const auto worker = forkChild([&] { return live(self); });
                              char byte = 0;
                              [[maybe_unused]] const ssize_t n =
                                  ::read(life.reader.get(), &byte, 1);
                              return worker ? 0 : 1;
                          }).value();
    Client client = connect();
    client.send("/echo", "x", true);
    ASSERT_EQ(client.answer(), "x");
    ASSERT_TRUE(reaches(Stage::keepAlive));
    ASSERT_TRUE(writeAll(life.writer.get(), "x"));
    ASSERT_TRUE(waitChild(manager));
    EXPECT_TRUE(client.closedByServer());
    EXPECT_EQ(exitCode(), 0);
}

/// A worker whose manager, the test, hands connections over.
class HandingWorker : public Worker {
  protected:
    HandingWorker() { queue_ = MessageChannel::pair().value(); }

    /// What the worker has parked, once it has.
    ParkedConnection parked() {
        ReceivedMessage message;
        EXPECT_TRUE(eventually([&] {
            const auto outcome = orders_->first.receive(message);
            return outcome && *outcome == MessageChannel::Outcome::message;
        }));
        auto parked = parkedIn(message);
        return parked ? std::move(*parked) : ParkedConnection();
    }
    void handOver(const ParkedConnection& parked) {
        EXPECT_TRUE(
            sendParked(queue_->first, parked.connection.get(), parked.head.get(), parked.facts));
        segment_.header().commands.handOvers.store(1);
    }
    void tellToLook() { ::kill(pid_, kLookSignal); }
    Client keptAlive() {
        Client client = connect();
        client.send("/echo", "first", true);
        EXPECT_EQ(client.answer(), "first");
        EXPECT_TRUE(reaches(Stage::keepAlive));
        return client;
    }
};

TEST_F(HandingWorker, parks_an_idle_connection_when_somebody_else_comes) {
    startIdle();
    Client idle = keptAlive();
    Client other = connect();
    other.send("/echo", "other", false);
    EXPECT_EQ(other.answer(), "other");
    const ParkedConnection parked = this->parked();
    EXPECT_EQ(parked.facts.keptAlive, 1);
    EXPECT_EQ(parked.facts.headBegun, 0);
    EXPECT_FALSE(parked.head);
}

TEST_F(HandingWorker, keeps_its_connection_while_nobody_else_comes) {
    startIdle();
    Client client = keptAlive();
    for (int i = 0; i < 50; ++i) {
        client.send("/echo", "again", true);
        ASSERT_EQ(client.answer(), "again");
    }
    ReceivedMessage message;
    EXPECT_EQ(orders_->first.receive(message).value(), MessageChannel::Outcome::nothing);
}

TEST_F(HandingWorker, parks_an_incomplete_head_with_its_bytes_and_takes_it_up_again) {
    startIdle();
    const std::string whole = fastcgi::encodeRequest({{"SCRIPT_NAME", "/echo"}}, "whole", false);
    Client slow = connect();
    slow.sendBytes(whole.substr(0, 30));
    ASSERT_TRUE(eventually([&] { return requests() == 1; }));
    Client other = connect();
    other.send("/echo", "other", false);
    EXPECT_EQ(other.answer(), "other");
    const ParkedConnection parked = this->parked();
    EXPECT_EQ(parked.facts.headBegun, 1);
    EXPECT_EQ(readDescriptor(parked.head.get(), 100).value(), whole.substr(0, 30));
    slow.sendBytes(whole.substr(30));
    ASSERT_TRUE(reaches(Stage::idle));
    handOver(parked);
    tellToLook();
    EXPECT_EQ(slow.answer(), "whole");
    EXPECT_EQ(requests(), 2U) << "counted once";
}

TEST_F(HandingWorker, accepts_on_after_a_look_for_nothing) {
    startIdle();
    for (int i = 0; i < 20; ++i) {
        tellToLook();
        Client client = connect();
        client.send("/echo", "x", false);
        ASSERT_EQ(client.answer(), "x");
    }
}

TEST_F(HandingWorker, takes_from_the_queue_after_its_request_without_a_signal) {
    startIdle();
    Client first = keptAlive();
    Client busy = connect();
    busy.send("/wait", "busy", false);
    const ParkedConnection parked = this->parked();
    ASSERT_TRUE(reaches(Stage::running));
    first.send("/echo", "second", false);
    handOver(parked);
    openGate();
    EXPECT_EQ(busy.answer(), "busy");
    EXPECT_EQ(first.answer(), "second");
}

TEST_F(HandingWorker, serves_new_and_handed_over_connections_in_turns) {
    startIdle();
    Client busy = connect();
    busy.send("/wait", "busy", false);
    ASSERT_TRUE(reaches(Stage::running));
    constexpr int kMany = 10;
    std::vector<Client> peers;
    for (int i = 0; i < kMany; ++i) {
        int ends[2];
        ASSERT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
        ParkedConnection parked;
        parked.connection.reset(ends[0]);
        peers.emplace_back(UniqueFd(ends[1]));
        peers.back().send(i == 1 ? "/wait" : "/echo", "handed", false);
        handOver(parked);
    }
    Client fresh = connect();
    fresh.send("/echo", "fresh", false);
    openGate();
    EXPECT_EQ(fresh.answer(), "fresh") << "although the second handed-over one blocks the worker";
    openGate();
    for (Client& peer : peers) {
        EXPECT_EQ(peer.answer(), "handed");
    }
}

TEST_F(HandingWorker, idle_worker_gives_its_connection_away_for_one_that_is_ready) {
    startIdle();
    Client idle = keptAlive();
    int ends[2];
    ASSERT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
    ParkedConnection ready;
    ready.connection.reset(ends[0]);
    Client peer{UniqueFd(ends[1])};
    peer.send("/echo", "ready", false);
    handOver(ready);
    tellToLook();
    EXPECT_EQ(peer.answer(), "ready");
    EXPECT_TRUE(parked().connection);
}

TEST_F(HandingWorker, replaced_worker_parks_what_it_waits_for_and_goes) {
    startIdle();
    Client client = keptAlive();
    tellToDrain(kDrainReplaced);
    EXPECT_EQ(exitCode(), 0);
    EXPECT_TRUE(parked().connection);
}

TEST_F(HandingWorker, replaced_worker_keeps_the_connection_of_its_last_request_open) {
    start();
    Client client = connect();
    client.send("/wait", "last", true);
    ASSERT_TRUE(reaches(Stage::running));
    segment_.header().commands.draining.store(kDrainReplaced);
    openGate();
    EXPECT_EQ(client.answer(), "last");
    EXPECT_EQ(exitCode(), 0);
    EXPECT_EQ(parked().facts.keptAlive, 1);
}

TEST_F(HandingWorker, nothing_is_lost_when_looks_and_leaving_meet_it_anywhere) {
    for (int round = 0; round < 150; ++round) {
        segment_.header().commands.draining.store(kNotDraining);
        startIdle();
        int ends[2];
        ASSERT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
        ParkedConnection ready;
        ready.connection.reset(ends[0]);
        Client peer{UniqueFd(ends[1])};
        peer.send("/echo", "handed", false);
        Client fresh = connect();
        fresh.send("/echo", "fresh", false);
        handOver(ready);
        for (int spin = 0; spin < (round % 50) * 40; ++spin) {
            [[maybe_unused]] const auto now = monotonicNs();
        }
        tellToLook();
        tellToDrain(kDrainReplaced);
        ASSERT_EQ(exitCode(), 0);
        segment_.header().commands.draining.store(kNotDraining);
        start();
        tellToLook();
        ASSERT_EQ(fresh.answer(), "fresh") << round;
        ASSERT_EQ(peer.answer(), "handed") << round;
        ASSERT_TRUE(reaches(Stage::idle));
        ::kill(pid_, SIGQUIT);
        ASSERT_EQ(exitCode(), 0);
        segment_.header().commands.handOvers.store(0);
    }
}

}  // namespace
}  // namespace muster::worker
