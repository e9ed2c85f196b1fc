// How many connections wait to be accepted: TCP_INFO, or sock_diag for unix sockets.
#include <linux/netlink.h>
#include <linux/sock_diag.h>
#include <linux/unix_diag.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cstring>

#include "base/listen_address.h"
#include "base/unique_fd.h"

namespace muster {
namespace {

std::optional<ListenQueue> tcpQueue(int fd) {
    tcp_info info{};
    socklen_t length = sizeof info;
    if (::getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &length) < 0) {
        return std::nullopt;
    }
    return ListenQueue{info.tcpi_unacked, info.tcpi_sacked};  // so for a listening socket
}

/// The kernel's answer to one unix_diag question; see sock_diag(7).
std::optional<ListenQueue> parseAnswer(const char* bytes, std::size_t size) {
    const auto* message = reinterpret_cast<const nlmsghdr*>(bytes);
    if (size < sizeof(nlmsghdr) || message->nlmsg_len > size ||
        message->nlmsg_type != SOCK_DIAG_BY_FAMILY ||
        message->nlmsg_len < NLMSG_LENGTH(sizeof(unix_diag_msg))) {
        return std::nullopt;
    }
    std::size_t offset = NLMSG_LENGTH(sizeof(unix_diag_msg));
    offset = (offset + 3U) & ~std::size_t{3};
    while (offset + sizeof(nlattr) <= message->nlmsg_len) {
        nlattr attribute{};
        std::memcpy(&attribute, bytes + offset, sizeof attribute);
        const std::size_t value = offset + sizeof attribute;
        if (attribute.nla_len < sizeof attribute) {
            return std::nullopt;
        }
        unix_diag_rqlen queue{};
        if (attribute.nla_type == UNIX_DIAG_RQLEN && value + sizeof queue <= message->nlmsg_len) {
            std::memcpy(&queue, bytes + value, sizeof queue);
            return ListenQueue{queue.udiag_rqueue, queue.udiag_wqueue};
        }
        offset += (attribute.nla_len + 3U) & ~std::size_t{3};
    }
    return std::nullopt;
}

std::optional<ListenQueue> unixQueue(int fd) {
    // One netlink socket for the life of the process: the question is asked again and again.
    static const UniqueFd netlink(
        ::socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_SOCK_DIAG));
    struct stat info {};
    if (!netlink || ::fstat(fd, &info) < 0) {
        return std::nullopt;
    }
    struct {
        nlmsghdr header;
        unix_diag_req request;
    } question{};
    question.header.nlmsg_len = sizeof question;
    question.header.nlmsg_type = SOCK_DIAG_BY_FAMILY;
    question.header.nlmsg_flags = NLM_F_REQUEST;
    question.request.sdiag_family = AF_UNIX;
    question.request.udiag_states = ~0U;
    question.request.udiag_ino = static_cast<std::uint32_t>(info.st_ino);
    question.request.udiag_show = UDIAG_SHOW_RQLEN;
    question.request.udiag_cookie[0] = ~0U;
    question.request.udiag_cookie[1] = ~0U;
    if (::send(netlink.get(), &question, sizeof question, 0) < 0) {
        return std::nullopt;
    }
    alignas(nlmsghdr) std::array<char, 1024> answer{};
    const ssize_t n = ::recv(netlink.get(), answer.data(), answer.size(), 0);
    return n < 0 ? std::nullopt : parseAnswer(answer.data(), static_cast<std::size_t>(n));
}

}  // namespace

std::optional<ListenQueue> listenQueue(int fd) {
    int family = 0;
    socklen_t length = sizeof family;
    if (::getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &family, &length) < 0) {
        return std::nullopt;
    }
    return family == AF_UNIX ? unixQueue(fd) : tcpQueue(fd);
}

}  // namespace muster
