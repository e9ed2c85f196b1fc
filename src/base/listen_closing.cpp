// shutdown(2), and a network device that is not there.
#include "base/listen_closing.h"

#include <sys/socket.h>

#include <climits>

namespace muster {
namespace {

// shutdown(2) would reset the queue. A listener that is bound to a device is not found for what
// comes by another one, and the kernel does not ask whether the device exists. Connections that are
// established, or nearly, are found by both their ends.
Result<void> bindToNoDevice(int listener) {
    constexpr int kNoDevice = INT_MAX;
    if (::setsockopt(listener, SOL_SOCKET, SO_BINDTOIFINDEX, &kNoDevice, sizeof kNoDevice) < 0) {
        return errnoError("setsockopt(SO_BINDTOIFINDEX)");
    }
    return {};
}

}  // namespace

Result<void> closeToNewcomers(int listener) {
    if (!isUnixSocket(listener)) {
        return bindToNoDevice(listener);
    }
    if (::shutdown(listener, SHUT_RD) < 0) {
        return errnoError("shutdown()");
    }
    return {};
}

void endListening(int listener) {
    ::shutdown(listener, SHUT_RD);
}

bool isUnixSocket(int socket) {
    int family = 0;
    socklen_t length = sizeof family;
    return ::getsockopt(socket, SOL_SOCKET, SO_DOMAIN, &family, &length) == 0 && family == AF_UNIX;
}

}  // namespace muster
