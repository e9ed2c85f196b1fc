// Closing a listening socket to newcomers while those who wait in its queue can still be accepted.
//
// The sockets are shared: what is done here holds for every process that has them. Nothing waits.
#pragma once

#include "base/result.h"

namespace muster {

/// From now on newcomers are refused, and nobody in the queue is lost. When the queue of a unix
/// socket is empty accept(2) fails with EINVAL; that of TCP may get those yet whose handshake has
/// begun, and accept(2) blocks until endListening().
Result<void> closeToNewcomers(int listener);

/// accept(2) fails with EINVAL when the queue is empty; whoever is in the queue of TCP is lost.
void endListening(int listener);

}  // namespace muster
