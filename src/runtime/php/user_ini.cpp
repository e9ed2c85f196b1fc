// Reads and caches .user.ini files per directory, in the engine's own tables: reading may report
// errors, and so leave by longjmp.
#include "runtime/php/user_ini.h"

#include <algorithm>
#include <cctype>
#include <cstring>
#include <ctime>

#include "runtime/php/engine.h"
#include "runtime/php/state.h"

namespace muster::php {

namespace {

struct CachedSettings {
    std::time_t expires;
    HashTable settings;
};

HashTable cache;
bool cacheIsReady = false;

void destroyCached(zval* value) {
    auto* cached = static_cast<CachedSettings*>(Z_PTR_P(value));
    zend_hash_destroy(&cached->settings);
    pefree(cached, 1);
}

void destroySetting(zval* value) {
    config_zval_dtor(value);
}

/// Reads every file from `root` (a leading part of `directory`, which ends in '/') down.
void readDownFrom(std::size_t root, char* directory, HashTable* into) {
    for (char* p = std::strchr(directory + root, '/'); p != nullptr; p = std::strchr(p, '/')) {
        *p = '\0';
        php_parse_user_ini_file(directory, PG(user_ini_filename), into);
        *p++ = '/';
    }
}

void readFiles(char* directory, std::size_t length, const char* root, HashTable* into) {
    std::size_t rootLength = std::strlen(root);
    if (rootLength > 0 && root[rootLength - 1] == '/') {
        --rootLength;
    }
    if (std::strncmp(directory, root, std::min(length, rootLength)) != 0) {
        php_parse_user_ini_file(directory, PG(user_ini_filename), into);
    } else if (rootLength <= length) {
        readDownFrom(rootLength, directory, into);
    }
}

CachedSettings* cachedFor(const char* directory, std::size_t length) {
    if (!cacheIsReady) {
        zend_hash_init(&cache, 8, nullptr, destroyCached, 1);
        cacheIsReady = true;
    }
    if (auto* found =
            static_cast<CachedSettings*>(zend_hash_str_find_ptr(&cache, directory, length))) {
        return found;
    }
    auto* fresh = static_cast<CachedSettings*>(pemalloc(sizeof(CachedSettings), 1));
    fresh->expires = 0;
    zend_hash_init(&fresh->settings, 8, nullptr, destroySetting, 1);
    zend_hash_str_update_ptr(&cache, directory, length, fresh);
    return fresh;
}

void applyUserIni(char* directory, std::size_t length, const char* root) {
    CachedSettings* cached = cachedFor(directory, length);
    const auto now = static_cast<std::time_t>(sapi_get_request_time());
    if (now > cached->expires) {
        zend_hash_clean(&cached->settings);
        readFiles(directory, length, root, &cached->settings);
        cached->expires = now + PG(user_ini_cache_ttl);
    }
    php_ini_activate_config(&cached->settings, PHP_INI_PERDIR, PHP_INI_STAGE_HTACCESS);
}

void applyHostSettings() {
    const char* server = state.io->params().get("SERVER_NAME");
    if (server == nullptr) {
        return;
    }
    const std::size_t length = std::strlen(server);
    char* host = estrndup(server, length);
    std::transform(host, host + length, host, [](char c) {
        return static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
    });
    php_ini_activate_per_host_config(host, length);
    efree(host);
}

}  // namespace

int activateDirectorySettings() noexcept {
    const char* path = SG(request_info).path_translated;
    if (path == nullptr || state.io == nullptr) {
        return FAILURE;
    }
    if (php_ini_has_per_host_config() != 0) {
        applyHostSettings();
    }
    const bool perDirectory = php_ini_has_per_dir_config() != 0;
    const char* root = nullptr;
    if (PG(user_ini_filename) != nullptr && *PG(user_ini_filename) != '\0') {
        root = state.io->params().get("DOCUMENT_ROOT");
    }
    if (!perDirectory && root == nullptr) {
        return SUCCESS;
    }
    // As the engine sees it, a path with a trailing slash names something in its parent.
    const std::size_t pathLength = std::strlen(path);
    char* directory = static_cast<char*>(emalloc(pathLength + 2));
    std::memcpy(directory, path, pathLength + 1);
    std::size_t length = zend_dirname(directory, pathLength);
    if (length == 0 || directory[length - 1] != '/') {
        directory[length++] = '/';
    }
    directory[length] = '\0';
    if (perDirectory) {
        php_ini_activate_per_dir_config(directory, length);
    }
    if (root != nullptr) {
        applyUserIni(directory, length, root);
    }
    efree(directory);
    return SUCCESS;
}

}  // namespace muster::php
