// Serves arbitrary bytes over a socketpair as a worker does, and compares with the slow reference.
//
// Input: bytes that say what the scripts do (kDice of them), then the stream. The peer has sent all
// and closed its half before the first byte is read, so nothing waits for the clock.
#include <fcntl.h>
#include <sys/socket.h>

#include <optional>

#include "base/io.h"
#include "fastcgi/server_connection.h"
#include "input.h"
#include "output_records.h"
#include "support/streams/reference.h"

namespace {

using namespace muster;
using fastcgi::HeadOutcome;
using fastcgi::ServerConnection;
using fastcgi::streams::Reference;
using fastcgi::streams::Told;

constexpr std::size_t kDice = 4;

class Worker {
  public:
    Worker(std::string_view dice, std::string_view stream)
        : dice_(dice), reference_(std::string(stream), {}) {
        int ends[2];
        fuzz::hold(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) == 0, "sockets");
        peer_.reset(ends[0]);
        fuzz::hold(writeAll(ends[0], stream), "the stream fits into the socket");
        ::shutdown(ends[0], SHUT_WR);
        connection_.open(UniqueFd(ends[1]));
    }

    void run() {
        while (connection_.isOpen() && readRequest()) {
            serve();
            hear();
        }
        connection_.abandon();
        hear();
        check();
    }

  private:
    unsigned dice(unsigned sides) {
        const auto byte = static_cast<unsigned char>(dice_[next_++ % dice_.size()]);
        return (byte + static_cast<unsigned>(next_ / dice_.size()) * 7) % sides;
    }

    bool readRequest() {
        for (;;) {
            switch (connection_.readHead()) {
                case HeadOutcome::request:
                    return true;
                case HeadOutcome::answered:
                    break;
                case HeadOutcome::incomplete:
                    if (dice(3) == 0) {
                        handOver();
                    }
                    connection_.receive();
                    break;
                default:
                    return false;
            }
            hear();
        }
    }

    void handOver() {
        const std::string head = connection_.partialHead();
        const auto lateData = connection_.lateData();
        UniqueFd fd(::fcntl(connection_.fd(), F_DUPFD_CLOEXEC, 3));
        fuzz::hold(connection_.resume(std::move(fd), head, lateData), "resumed");
        fuzz::hold(connection_.partialHead() == head, "nothing of the head is lost", head);
    }

    void serve() {
        const auto& due = reference_.requests();
        fuzz::hold(served_ < due.size(), "a request the stream does not hold");
        const Told& told = due[served_++];
        fuzz::hold(connection_.requestId() == told.id, "its id");
        auto expected = told.variables.rbegin();
        connection_.params().forEach([&](const fastcgi::Params::Entry& entry) {
            fuzz::hold(expected != told.variables.rend() && expected->first == entry.name &&
                           expected->second == entry.value,
                       "its variables", entry.name);
            ++expected;
        });
        fuzz::hold(expected == told.variables.rend(), "all of them");
        char block[64];
        std::string body;
        for (unsigned reads = dice(5); reads > 0; --reads) {
            const std::size_t wanted = 1 + dice(sizeof block);
            const std::size_t n = connection_.readBody(block, wanted);
            body.append(block, n);
            fuzz::hold(n == wanted || connection_.aborted() || told.ended, "a short read ends it");
        }
        fuzz::hold(told.body.starts_with(body), "the body is this request's", body);
        connection_.writeStdout("out", dice(4));
        connection_.writeStderr(dice(2) == 0 ? "err" : "");
        fuzz::hold(connection_.finish(), "finished once");
        fuzz::hold(!connection_.finish() && connection_.readBody(block, 1) == 0, "no more");
        fuzz::hold(!connection_.isOpen() || (told.keepAlive && told.ended),
                   "goes on only behind a whole request that asked for it");
    }

    void hear() {
        char block[4096];
        ssize_t n = 0;
        while ((n = ::recv(peer_.get(), block, sizeof block, MSG_DONTWAIT)) > 0) {
            heard_.append(block, static_cast<std::size_t>(n));
        }
    }

    void check() {
        const fuzz::OutputRecords output(heard_);
        const auto& due = reference_.requests();
        fuzz::hold(output.ends.size() == served_, "an answer for each request, and no other");
        for (std::size_t i = 0; i < output.ends.size(); ++i) {
            fuzz::hold(output.ends[i] == due[i].id, "in their order");
        }
        // Only a request that closes may keep those behind it from being begun.
        fuzz::hold(served_ == due.size() || (served_ > 0 && !due[served_ - 1].keepAlive),
                   "no request is left out");
    }

    const std::string_view dice_;
    const Reference reference_;
    std::size_t next_ = 0;
    std::size_t served_ = 0;
    UniqueFd peer_;
    ServerConnection connection_{{}, {.drainNs = 0}};
    std::string heard_;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    fuzz::Input input(data, size);
    const std::string_view dice = input.take(kDice);
    if (dice.size() == kDice) {
        Worker(dice, input.rest()).run();
    }
    return 0;
}
