// Listens to the engine's errors, and stands before the functions that nobody can undo.
#include "runtime/php/process_changes.h"

#include <array>
#include <cstddef>
#include <string_view>
#include <utility>

#include "runtime/php/engine.h"
#include "runtime/php/state.h"

namespace muster::php {

namespace {

using std::string_view;

/// The allocator's ways to give up. It does so anywhere, in the midst of whatever asked for memory.
constexpr string_view kExhaustions[] = {"Allowed memory size of ", "Out of memory",
                                        "Possible integer overflow in memory allocation"};

void noteError(int type, zend_string* /*file*/, std::uint32_t /*line*/,
               zend_string* message) noexcept {
    if (type != E_ERROR || message == nullptr) {
        return;
    }
    const string_view text(ZSTR_VAL(message), ZSTR_LEN(message));
    for (const string_view exhaustion : kExhaustions) {
        if (text.starts_with(exhaustion)) {
            state.memoryExhausted = true;
        }
    }
}

/// Priority, limits, users and sessions of the process: an ordinary user cannot take these back.
constexpr std::array kFunctions = {"proc_nice",     "posix_setrlimit", "posix_setuid",
                                   "posix_seteuid", "posix_setgid",    "posix_setegid",
                                   "posix_setsid",  "posix_setpgid",   "posix_initgroups"};

std::array<zif_handler, kFunctions.size()> originals{};

template <std::size_t number>
void ZEND_FASTCALL callAndNote(INTERNAL_FUNCTION_PARAMETERS) {
    state.processChanged = true;
    originals[number](INTERNAL_FUNCTION_PARAM_PASSTHRU);
}

template <std::size_t number>
void standBefore() {
    const string_view name = kFunctions[number];
    auto* function = static_cast<zend_function*>(
        zend_hash_str_find_ptr(CG(function_table), name.data(), name.size()));
    if (function != nullptr && function->type == ZEND_INTERNAL_FUNCTION) {
        originals[number] = function->internal_function.handler;
        function->internal_function.handler = callAndNote<number>;
    }
}

template <std::size_t... numbers>
void standBeforeAll(std::index_sequence<numbers...> /*all*/) {
    (standBefore<numbers>(), ...);
}

}  // namespace

void watchProcessChanges() {
    zend_observer_error_register(noteError);
    standBeforeAll(std::make_index_sequence<kFunctions.size()>{});
}

}  // namespace muster::php
