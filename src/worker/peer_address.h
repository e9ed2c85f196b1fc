// The address of a connection's other end, as the access log shows it.
#pragma once

#include <sys/socket.h>

#include <string>

namespace muster::worker {

/// "192.0.2.1" (also for an IPv4-mapped IPv6 address), "2001:db8::1"; empty for unix sockets and
/// what the kernel did not tell.
[[nodiscard]] std::string addressText(const sockaddr_storage& address, socklen_t length);

/// The same for a connection that somebody else accepted. One system call.
[[nodiscard]] std::string peerText(int connection);

}  // namespace muster::worker
