// sendmsg and recvmsg with SCM_RIGHTS.
#include "base/message_channel.h"

#include <sys/socket.h>

#include <array>
#include <cstring>

namespace muster {

Result<std::pair<MessageChannel, MessageChannel>> MessageChannel::pair() {
    int ends[2];
    if (::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends) < 0) {
        return errnoError("socketpair()");
    }
    return std::pair(MessageChannel(UniqueFd(ends[0])), MessageChannel(UniqueFd(ends[1])));
}

Result<void> MessageChannel::send(std::span<const std::byte> bytes,
                                  std::span<const int> descriptors) {
    if (bytes.size() > kMaxMessage || descriptors.size() > kMaxDescriptors) {
        return plainError("message too large for the channel");
    }
    iovec part{const_cast<std::byte*>(bytes.data()), bytes.size()};
    msghdr header{};
    header.msg_iov = &part;
    header.msg_iovlen = 1;
    alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof(int) * kMaxDescriptors)> control{};
    if (!descriptors.empty()) {
        header.msg_control = control.data();
        header.msg_controllen = CMSG_SPACE(descriptors.size_bytes());
        cmsghdr* rights = CMSG_FIRSTHDR(&header);
        rights->cmsg_level = SOL_SOCKET;
        rights->cmsg_type = SCM_RIGHTS;
        rights->cmsg_len = CMSG_LEN(descriptors.size_bytes());
        std::memcpy(CMSG_DATA(rights), descriptors.data(), descriptors.size_bytes());
    }
    while (::sendmsg(fd_.get(), &header, MSG_NOSIGNAL) < 0) {
        if (errno != EINTR) {
            return errnoError("sendmsg");
        }
    }
    return {};
}

Result<MessageChannel::Outcome> MessageChannel::receive(ReceivedMessage& message) {
    message.descriptors.clear();
    message.bytes.resize(kMaxMessage);
    iovec part{message.bytes.data(), message.bytes.size()};
    alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof(int) * kMaxDescriptors)> control{};
    msghdr header{};
    header.msg_iov = &part;
    header.msg_iovlen = 1;
    header.msg_control = control.data();
    header.msg_controllen = control.size();
    ssize_t n = -1;
    while ((n = ::recvmsg(fd_.get(), &header, MSG_CMSG_CLOEXEC)) < 0) {
        if (errno == EAGAIN || errno == EWOULDBLOCK) {
            return Outcome::nothing;
        }
        if (errno == ECONNRESET) {
            return Outcome::closed;
        }
        if (errno != EINTR) {
            return errnoError("recvmsg");
        }
    }
    for (cmsghdr* part_header = CMSG_FIRSTHDR(&header); part_header != nullptr;
         part_header = CMSG_NXTHDR(&header, part_header)) {
        if (part_header->cmsg_level != SOL_SOCKET || part_header->cmsg_type != SCM_RIGHTS) {
            continue;
        }
        const std::size_t count = (part_header->cmsg_len - CMSG_LEN(0)) / sizeof(int);
        for (std::size_t i = 0; i < count; ++i) {
            int fd = -1;
            std::memcpy(&fd, CMSG_DATA(part_header) + i * sizeof(int), sizeof fd);
            message.descriptors.emplace_back(fd);
        }
    }
    if (n == 0) {
        return Outcome::closed;  // no message of ours is empty
    }
    message.bytes.resize(static_cast<std::size_t>(n));
    if ((header.msg_flags & (MSG_TRUNC | MSG_CTRUNC)) != 0) {
        return plainError("oversized message on the channel");
    }
    return Outcome::message;
}

}  // namespace muster
