// Sends arbitrary bytes in pieces to the manager's own FastCGI connection and takes what it says.
//
// Input: bytes that say how pieces are cut, handed on and taken (kDice of them), then the stream.
#include "manager/status_connection.h"

#include <fcntl.h>
#include <sys/socket.h>

#include <memory>

#include "base/clock.h"
#include "base/io.h"
#include "input.h"
#include "output_records.h"
#include "support/streams/reference.h"

namespace {

using namespace muster;
using fastcgi::streams::Reference;
using manager::StatusConnection;

constexpr std::size_t kDice = 4;
constexpr fastcgi::ParamsLimits kLimits{.totalBytes = std::size_t{64} << 10, .count = 256};

class Manager {
  public:
    explicit Manager(std::string_view dice) : dice_(dice) {
        int ends[2];
        fuzz::hold(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) == 0, "sockets");
        peer_.reset(ends[0]);
        connection_ = std::make_unique<StatusConnection>(UniqueFd(ends[1]), answer_, now_,
                                                         StatusConnection::Bounds{});
    }

    void run(std::string_view stream) {
        const Reference reference(std::string(stream), kLimits);
        while (open_ && !stream.empty()) {
            const std::string_view piece = stream.substr(0, 1 + dice(dice(2) == 0 ? 16 : 4096));
            fuzz::hold(writeAll(peer_.get(), piece), "the piece fits into the socket");
            stream.remove_prefix(piece.size());
            turn();
            if (open_ && connection_->isMovable() && dice(4) == 0) {
                handOver();
            }
        }
        check(reference);
    }

  private:
    unsigned dice(unsigned sides) {
        const auto byte = static_cast<unsigned char>(dice_[next_++ % dice_.size()]);
        return (byte + static_cast<unsigned>(next_ / dice_.size()) * 7) % sides;
    }

    /// As the event loop would, until nothing is to be done.
    void turn() {
        for (bool goesOn = true; open_ && goesOn;) {
            now_ += kNsPerMs;
            char byte = 0;
            const bool readable = ::recv(connection_->fd(), &byte, 1, MSG_PEEK | MSG_DONTWAIT) >= 0;
            if (connection_->wantsTurn()) {
                open_ = connection_->proceed(now_);
            } else if (connection_->wantsToRead() && readable) {
                open_ = connection_->receive(now_);
            } else if (connection_->wantsToWrite()) {
                open_ = connection_->send(now_);
            } else {
                goesOn = false;
            }
            hear();
        }
        fuzz::hold(!open_ || connection_->deadlineNs() > now_ - 60 * kNsPerSecond, "a deadline");
    }

    void handOver() {
        const std::string head = connection_->partialHead();
        const worker::ParkedFacts facts = connection_->facts();
        fuzz::hold((facts.headBegun != 0) == !head.empty(), "a head is handed on with its bytes");
        auto other = std::make_unique<StatusConnection>(
            UniqueFd(::fcntl(connection_->fd(), F_DUPFD_CLOEXEC, 3)), answer_, now_,
            StatusConnection::Bounds{});
        fuzz::hold(other->resume(facts, head), "resumed");
        fuzz::hold(other->isIdle() == connection_->isIdle() && other->partialHead() == head,
                   "nothing of the head is lost", head);
        connection_ = std::move(other);
    }

    void hear() {
        char block[4096];
        ssize_t n = 0;
        while ((n = ::recv(peer_.get(), block, sizeof block, MSG_DONTWAIT)) > 0) {
            heard_.append(block, static_cast<std::size_t>(n));
        }
    }

    void check(const Reference& reference) {
        connection_.reset();
        hear();
        const fuzz::OutputRecords output(heard_);
        std::size_t due = 0;
        for (const auto& told : reference.requests()) {
            fuzz::hold(output.ends.size() <= due || output.ends[due] == told.id, "in their order");
            ++due;
            if (!told.keepAlive) {
                break;
            }
        }
        fuzz::hold(output.ends.size() == due && output.out.size() == due * kAnswer.size(),
                   "an answer for each request that was begun");
    }

    static constexpr std::string_view kAnswer = "answer";
    const StatusConnection::Answer answer_ =
        [](const fastcgi::Params&, const StatusConnection::Asker&) { return std::string(kAnswer); };
    const std::string_view dice_;
    std::size_t next_ = 0;
    std::uint64_t now_ = 1000 * kNsPerSecond;
    UniqueFd peer_;
    std::unique_ptr<StatusConnection> connection_;
    bool open_ = true;
    std::string heard_;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    fuzz::Input input(data, size);
    const std::string_view dice = input.take(kDice);
    if (dice.size() == kDice) {
        Manager(dice).run(input.rest());
    }
    return 0;
}
