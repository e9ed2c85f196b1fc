// shutdown(2), and a network device that is not there.
#include "base/listen_closing.h"

#include <sys/socket.h>

#include <climits>

#include "base/listen_socket.h"

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

}  // namespace muster
