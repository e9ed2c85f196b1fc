// The one state object, and its reset between requests.
#include "runtime/php/state.h"

#include <unistd.h>

namespace muster::php {

State state;

void beginRequest(RequestIo& io) noexcept {
    state.io = &io;
    state.path = {};
    state.bodyLength = 0;
    state.bodyUntilEnd = false;
    state.executing = false;
    state.shuttingDown = false;
    state.saidSomething = false;
    state.toldLate = false;
    state.stalled = false;
    state.abandoned = false;
    state.memoryExhausted = false;
    state.processChanged = false;
    state.bodyFileTried = false;
    state.afterFinish = 0;
}

void endRequest() noexcept {
    if (state.bodyFile >= 0) {
        ::close(state.bodyFile);
        state.bodyFile = -1;
    }
    state.io = nullptr;
}

}  // namespace muster::php
