// Small messages with descriptors between two processes of muster (master and manager, manager
// and worker): a SOCK_SEQPACKET socketpair, so that a message arrives whole or not at all.
//
// Contract: nothing received is trusted: a message of another size than expected is reported as
// such, surplus descriptors are closed. Non-blocking; a full channel is an error (EAGAIN).
#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <utility>
#include <vector>

#include "base/result.h"
#include "base/unique_fd.h"

namespace muster {

struct ReceivedMessage {
    std::vector<std::byte> bytes;
    std::vector<UniqueFd> descriptors;
};

class MessageChannel {
  public:
    static constexpr std::size_t kMaxMessage = 4096;
    static constexpr std::size_t kMaxDescriptors = 8;

    MessageChannel() = default;
    explicit MessageChannel(UniqueFd fd) : fd_(std::move(fd)) {}

    [[nodiscard]] static Result<std::pair<MessageChannel, MessageChannel>> pair();

    /// Sends one message; descriptors are duplicated into the receiver, ours stay ours.
    Result<void> send(std::span<const std::byte> bytes, std::span<const int> descriptors = {});

    enum class Outcome { message, nothing, closed };
    /// Takes the next message into `message`. `closed` when the peer is gone.
    [[nodiscard]] Result<Outcome> receive(ReceivedMessage& message);

    [[nodiscard]] int fd() const { return fd_.get(); }
    void close() { fd_.reset(); }

  private:
    UniqueFd fd_;
};

}  // namespace muster
