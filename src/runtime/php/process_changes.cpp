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

/// Set for every later request by mb_regex_set_options(); these are the engine's own.
constexpr string_view kRegexFunction = "mb_regex_set_options";
constexpr string_view kRegexOptions = "pr";
zif_handler setRegexOptions = nullptr;
bool regexOptionsSet = false;

void ZEND_FASTCALL setRegexOptionsAndNote(INTERNAL_FUNCTION_PARAMETERS) {
    regexOptionsSet = true;
    setRegexOptions(INTERNAL_FUNCTION_PARAM_PASSTHRU);
}

void restoreRegexOptions() noexcept {
    zend_try {
        zval function;
        zval options;
        zval former;
        ZVAL_STRINGL(&function, kRegexFunction.data(), kRegexFunction.size());
        ZVAL_STRINGL(&options, kRegexOptions.data(), kRegexOptions.size());
        ZVAL_UNDEF(&former);
        call_user_function(nullptr, nullptr, &function, &former, 1, &options);
        zval_ptr_dtor(&former);
        zval_ptr_dtor(&options);
        zval_ptr_dtor(&function);
    }
    zend_end_try();
}

/// What posix_get_last_error() tells; null without the extension.
int* lastPosixError = nullptr;

void findLastPosixError() {
    constexpr string_view kName = "posix";
    const auto* module = static_cast<const zend_module_entry*>(
        zend_hash_str_find_ptr(&module_registry, kName.data(), kName.size()));
    if (module != nullptr && module->globals_size == sizeof(int)) {
        lastPosixError = static_cast<int*>(module->globals_ptr);
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

void standBefore(string_view name, zif_handler& original, zif_handler ours) {
    auto* function = static_cast<zend_function*>(
        zend_hash_str_find_ptr(CG(function_table), name.data(), name.size()));
    if (function != nullptr && function->type == ZEND_INTERNAL_FUNCTION) {
        original = function->internal_function.handler;
        function->internal_function.handler = ours;
    }
}

template <std::size_t... numbers>
void standBeforeAll(std::index_sequence<numbers...> /*all*/) {
    (standBefore(kFunctions[numbers], originals[numbers], callAndNote<numbers>), ...);
}

}  // namespace

void watchProcessChanges() {
    zend_observer_error_register(noteError);
    standBeforeAll(std::make_index_sequence<kFunctions.size()>{});
    standBefore(kRegexFunction, setRegexOptions, setRegexOptionsAndNote);
    findLastPosixError();
}

void forgetRequestChanges() noexcept {
    if (regexOptionsSet) {
        restoreRegexOptions();
        regexOptionsSet = false;
    }
    if (lastPosixError != nullptr) {
        *lastPosixError = 0;
    }
}

}  // namespace muster::php
