// Connects the engine's interrupt to the request's time limit.
#include "runtime/php/time_limit.h"

#include "runtime/php/engine.h"
#include "runtime/php/messages.h"
#include "runtime/php/state.h"

namespace muster::php {

namespace {

void (*interruptBefore)(zend_execute_data*) = nullptr;

/// Does not return unless the script ignores aborts, or has been ended for one already.
void endScriptWithoutClient() noexcept {
    if (state.abandoned || EG(bailout) == nullptr || state.io == nullptr ||
        !state.io->clientLeft()) {
        return;
    }
    peerIsGone();
}

void onInterrupt(zend_execute_data* frame) {
    endScriptWhenLate();
    endScriptWithoutClient();
    if (interruptBefore != nullptr) {
        interruptBefore(frame);
    }
}

}  // namespace

void installInterrupt() {
    interruptBefore = zend_interrupt_function;
    zend_interrupt_function = onInterrupt;
}

void interruptEngine() noexcept {
    zend_atomic_bool_store_ex(&EG(vm_interrupt), true);
}

bool scriptIgnoresAbort() noexcept {
    return __atomic_load_n(&PG(ignore_user_abort), __ATOMIC_RELAXED);
}

void endScriptWhenLate() noexcept {
    if (state.toldLate || EG(bailout) == nullptr || state.io == nullptr || !state.io->timeIsUp()) {
        return;
    }
    state.toldLate = true;
    PG(connection_status) |= PHP_CONNECTION_TIMEOUT;
    zend_error_noreturn(E_ERROR, "The request took longer than request_terminate_timeout allows");
}

}  // namespace muster::php
