// Changes ini entries below the engine's own way, which a script could undo: for good for the pool,
// until its end for a request.
#include "runtime/php/ini_settings.h"

#include <algorithm>
#include <cstring>
#include <string_view>
#include <vector>

#include "runtime/php/engine.h"
#include "runtime/php/messages.h"
#include "runtime/php/setting_names.h"
#include "runtime/php/state.h"

namespace muster::php {

namespace {

using std::string_view;

enum class Access { unchanged, system };
enum class Until { processEnd, requestEnd };

/// An entry as it was before the request at hand changed it.
struct Overridden {
    zend_ini_entry* entry;
    zend_string* value;
    std::uint8_t modifiable;
};
std::vector<Overridden> overridden;

/// True when the entry's present value is kept for the request's end, and not ours to release.
bool keepForEnd(zend_ini_entry* entry) noexcept {
    const auto found = std::find_if(overridden.begin(), overridden.end(),
                                    [&](const Overridden& one) { return one.entry == entry; });
    if (found != overridden.end()) {
        return found->value == entry->value;
    }
    overridden.push_back({entry, entry->value, entry->modifiable});
    return true;
}

/// Replaces the entry's value as if php.ini had said so. A refusal by its handler is silent.
bool set(string_view name, string_view value, Access access, Until until) noexcept {
    auto* entry = static_cast<zend_ini_entry*>(
        zend_hash_str_find_ptr(EG(ini_directives), name.data(), name.size()));
    if (entry == nullptr) {
        return false;
    }
    const bool same = entry->value != nullptr && !entry->modified &&
                      string_view(ZSTR_VAL(entry->value), ZSTR_LEN(entry->value)) == value;
    if (!same) {
        zend_string* text = zend_string_init(value.data(), value.size(), true);
        if (entry->on_modify != nullptr &&
            entry->on_modify(entry, text, entry->mh_arg1, entry->mh_arg2, entry->mh_arg3,
                             ZEND_INI_STAGE_ACTIVATE) != SUCCESS) {
            zend_string_release_ex(text, true);
            return true;
        }
        const bool kept = until == Until::requestEnd && keepForEnd(entry);
        if (entry->value != nullptr && !entry->modified && !kept) {
            zend_string_release(entry->value);
        }
        entry->value = text;
    }
    if (access == Access::system && entry->modifiable != ZEND_INI_SYSTEM) {
        if (until == Until::requestEnd) {
            keepForEnd(entry);
        }
        entry->modifiable = ZEND_INI_SYSTEM;
    }
    return true;
}

void disableClasses(string_view list) noexcept {
    constexpr string_view kSeparators = " ,";
    while (!list.empty()) {
        const std::size_t end = std::min(list.find_first_of(kSeparators), list.size());
        if (end > 0) {
            zend_disable_class(list.data(), end);
        }
        list.remove_prefix(std::min(end + 1, list.size()));
    }
}

/// Applies one setting; false when there is no such entry. `value` is NUL-terminated.
bool applySetting(string_view name, string_view value, Access access, Until until) noexcept {
    const bool functions = name == "disable_functions";
    if (!functions && name != "disable_classes") {
        return set(name, value, access, until);
    }
    // What is gone does not come back: the entry goes on to say so.
    set(name, value, access, Until::processEnd);
    if (value.empty()) {
        return true;
    }
    if (functions) {
        zend_disable_functions(value.data());
    } else {
        disableClasses(value);
    }
    return true;
}

/// `extension=` loads one for the life of the process; the engine reports failures itself.
void loadExtension(const char* file) noexcept {
    zval loaded;
    ZVAL_FALSE(&loaded);
    zend_interned_strings_switch_storage(false);
    php_dl(file, MODULE_PERSISTENT, &loaded, 1);
    zend_interned_strings_switch_storage(true);
}

/// Returns whether an extension was asked for.
bool applyList(const IniList& list, Access access, const char* directive) noexcept {
    bool extensions = false;
    for (const auto& [name, value] : list) {
        if (name == "extension" && !value.empty()) {
            extensions = true;
            loadExtension(value.c_str());
        } else if (!applySetting(name, value, access, Until::processEnd)) {
            logMessage(LogLevel::error, "Unable to set %s '%s'", directive, name.c_str());
        }
    }
    return extensions;
}

constexpr const char* kRequestProblem = "Passing INI directive through FastCGI: ";

/// Callback of the engine's ini parser for the text of PHP_VALUE or PHP_ADMIN_VALUE.
void applyParsed(zval* name, zval* value, zval* /*index*/, int kind, void* argument) noexcept {
    const Access access = *static_cast<const Access*>(argument);
    if (name == nullptr || Z_TYPE_P(name) != IS_STRING || Z_STRLEN_P(name) == 0) {
        logMessage(LogLevel::error, "%sempty key", kRequestProblem);
        return;
    }
    if (kind != ZEND_INI_PARSER_ENTRY) {
        logMessage(LogLevel::error, "%sonly classic entries are allowed", kRequestProblem);
        return;
    }
    if (value == nullptr || Z_TYPE_P(value) != IS_STRING) {
        logMessage(LogLevel::error, "%sempty value for key '%s'", kRequestProblem,
                   Z_STRVAL_P(name));
        return;
    }
    const string_view key(Z_STRVAL_P(name), Z_STRLEN_P(name));
    const string_view text(Z_STRVAL_P(value), Z_STRLEN_P(value));
    if (key == "extension" && !text.empty()) {
        loadExtension(text.data());
        zend_collect_module_handlers();
    } else if (!applySetting(key, text, access, Until::requestEnd)) {
        logMessage(LogLevel::error, "%sunable to set '%s'", kRequestProblem, Z_STRVAL_P(name));
    }
}

void applyParameter(string_view parameter, Access access) noexcept {
    const char* text = state.io->params().get(parameter);
    if (text == nullptr) {
        return;
    }
    const std::size_t length = std::strlen(text);
    zend_try {
        // The parser overlooks a bare key that no newline ends.
        char* lines = static_cast<char*>(emalloc(length + 2));
        std::memcpy(lines, text, length);
        std::memcpy(lines + length, "\n", 2);
        zend_parse_ini_string(lines, true, ZEND_INI_SCANNER_NORMAL, applyParsed, &access);
        efree(lines);
    }
    zend_end_try();
}

// The engine has no frame to leave to before a request starts: logging returns.
void sayRefused(string_view parameter, string_view text) noexcept {
    const std::string names = settingNames(text);
    logMessage(LogLevel::warning, "%s%s is refused: %s (see security.allow_php_value)",
               kRequestProblem, parameter.data(), names.empty() ? "no setting" : names.c_str());
}

void restore(const Overridden& before) noexcept {
    zend_ini_entry* entry = before.entry;
    zend_string* ours = entry->value;
    if (ours != before.value) {
        if (entry->on_modify != nullptr) {
            zend_try {
                entry->on_modify(entry, before.value, entry->mh_arg1, entry->mh_arg2,
                                 entry->mh_arg3, ZEND_INI_STAGE_DEACTIVATE);
            }
            zend_end_try();
        }
        entry->value = before.value;
        if (ours != nullptr) {
            zend_string_release(ours);
        }
    }
    entry->modifiable = before.modifiable;
}

}  // namespace

void applyPoolSettings(const IniList& values, const IniList& adminValues) {
    volatile bool extensions = false;
    zend_try {
        extensions = applyList(values, Access::unchanged, "php_value");
        extensions = applyList(adminValues, Access::system, "php_admin_value") || extensions;
    }
    zend_end_try();
    if (extensions) {
        zend_collect_module_handlers();
    }
}

void applyRequestSettings() noexcept {
    applyParameter("PHP_VALUE", Access::unchanged);
    applyParameter("PHP_ADMIN_VALUE", Access::system);
}

void refuseRequestSettings() noexcept {
    for (const string_view parameter : {string_view("PHP_VALUE"), string_view("PHP_ADMIN_VALUE")}) {
        const char* text = state.io->params().get(parameter);
        if (text != nullptr && *text != '\0') {
            sayRefused(parameter, text);
        }
    }
}

void undoRequestSettings() noexcept {
    while (!overridden.empty()) {
        const Overridden last = overridden.back();
        overridden.pop_back();
        restore(last);
    }
}

}  // namespace muster::php
