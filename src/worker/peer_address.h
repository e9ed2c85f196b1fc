// The address of a connection's other end: as bytes to compare, and as the access log shows it.
#pragma once

#include <sys/socket.h>

#include <array>
#include <optional>
#include <string>
#include <string_view>

namespace muster::worker {

/// An IPv6 address. IPv4 ones are kept in their mapped form (::ffff:192.0.2.1), so that both ways
/// of meeting one host compare equal.
using PeerAddress = std::array<unsigned char, 16>;

/// Nothing for unix sockets and what the kernel did not tell whole.
[[nodiscard]] std::optional<PeerAddress> peerAddress(const sockaddr_storage& address,
                                                     socklen_t length);
/// A literal IPv4 or IPv6 address, nothing around it.
[[nodiscard]] std::optional<PeerAddress> parsePeerAddress(const std::string& text);

/// "192.0.2.1" (also for an IPv4-mapped IPv6 address), "2001:db8::1".
[[nodiscard]] std::string textOf(const PeerAddress& address);
/// The same; empty when there is none.
[[nodiscard]] std::string addressText(const sockaddr_storage& address, socklen_t length);

/// The same for a connection that somebody else accepted. One system call.
[[nodiscard]] std::string peerText(int connection);

}  // namespace muster::worker
