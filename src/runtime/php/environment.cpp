// Feeds parameters into the engine's variable tables, newest first, through its input filter.
#include "runtime/php/environment.h"

#include <cstdlib>
#include <cstring>
#include <string_view>

#include "runtime/php/module.h"
#include "runtime/php/state.h"

namespace muster::php {

namespace {

using fastcgi::Params;

void (*originalImport)(zval*) = nullptr;

char* mutableText(const char* text) {
    return const_cast<char*>(text);
}

/// True when `table` became a copy of `other`, which was filled before.
bool copiedFrom(const zval& other, zval* table) {
    if (Z_TYPE(other) != IS_ARRAY || Z_ARR(other) == Z_ARR_P(table) ||
        zend_hash_num_elements(Z_ARRVAL(other)) == 0) {
        return false;
    }
    zend_array_destroy(Z_ARR_P(table));
    Z_ARR_P(table) = zend_array_dup(Z_ARR(other));
    return true;
}

void registerFiltered(int filter, const char* name, const char* value, std::size_t length,
                      zval* table) noexcept {
    char* text = mutableText(value);
    std::size_t filtered = length;
    if (sapi_module.input_filter(filter, name, &text, length, &filtered) != 0) {
        php_register_variable_safe(name, text, filtered, table);
    }
}

/// Hook: fills $_SERVER or $_ENV.
void importVariables(zval* table) noexcept {
    if (state.io == nullptr) {
        originalImport(table);
        return;
    }
    const zval& env = PG(http_globals)[TRACK_VARS_ENV];
    if (copiedFrom(env, table) || copiedFrom(PG(http_globals)[TRACK_VARS_SERVER], table)) {
        return;
    }
    originalImport(table);
    const bool isEnv = Z_TYPE(env) == IS_ARRAY && Z_ARR(env) == Z_ARR_P(table);
    const int filter = isEnv ? PARSE_ENV : PARSE_SERVER;
    state.io->params().forEach([filter, table](const Params::Entry& entry) {
        registerFiltered(filter, entry.name, entry.value, entry.valueLength, table);
    });
}

/// Hook: fills the result of getenv() without arguments; past the input filter.
void loadVariables(zval* table) noexcept {
    originalImport(table);
    if (state.io == nullptr) {
        return;
    }
    state.io->params().forEach([table](const Params::Entry& entry) {
        php_register_variable_safe(entry.name, entry.value, entry.valueLength, table);
    });
}

}  // namespace

void installEnvironmentHooks() noexcept {
    if (originalImport == nullptr) {
        originalImport = php_import_environment_variables;
        php_import_environment_variables = importVariables;
        php_load_environment_variables = loadVariables;
    }
}

char* getVariable(const char* name, std::size_t length) noexcept {
    if (state.io != nullptr) {
        if (const char* value = state.io->params().get({name, length})) {
            return mutableText(value);
        }
    }
    return std::getenv(name);
}

void registerServerVariables(zval* server) noexcept {
    php_import_environment_variables(server);
    if (state.io == nullptr) {
        registerFiltered(PARSE_SERVER, "PHP_SELF", "", 0, server);
        return;
    }
    const char* uri = state.path.uri != nullptr ? state.path.uri : "";
    const char* info = moduleSettings.fixPathinfo ? state.io->params().get("PATH_INFO") : nullptr;
    if (info == nullptr) {
        registerFiltered(PARSE_SERVER, "PHP_SELF", uri, std::strlen(uri), server);
        return;
    }
    const std::size_t uriLength = std::strlen(uri);
    const std::size_t infoLength = std::strlen(info);
    char* self = static_cast<char*>(emalloc(uriLength + infoLength + 1));
    std::memcpy(self, uri, uriLength);
    std::memcpy(self + uriLength, info, infoLength + 1);
    registerFiltered(PARSE_SERVER, "PHP_SELF", self, uriLength + infoLength, server);
    efree(self);
}

char* readCookies() noexcept {
    return state.io != nullptr ? mutableText(state.io->params().get("HTTP_COOKIE")) : nullptr;
}

}  // namespace muster::php
