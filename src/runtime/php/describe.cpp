// Prints what php-fpm prints, from inside one request that has no peer.
#include "runtime/php/describe.h"

#include <strings.h>

#include <algorithm>
#include <cstdio>
#include <string>
#include <string_view>
#include <vector>

#include "runtime/php/engine.h"
#include "runtime/php/startup.h"

namespace muster::php {

namespace {

constexpr int kSoftware = 70;

/// The engine's library knows when it was built, but says so only in phpinfo().
std::string buildDate() {
    constexpr std::string_view kRow = "\nBuild Date => ";
    std::string date;
    zval text;
    ZVAL_NULL(&text);
    php_output_start_default();
    php_print_info(PHP_INFO_GENERAL);
    if (php_output_get_contents(&text) == SUCCESS) {
        const std::string_view info(Z_STRVAL(text), Z_STRLEN(text));
        const std::size_t row = info.find(kRow);
        if (row != std::string_view::npos) {
            const std::string_view rest = info.substr(row + kRow.size());
            date = rest.substr(0, rest.find('\n'));
        }
    }
    php_output_discard();
    zval_ptr_dtor(&text);
    return date;
}

void printVersion() {
    std::printf("PHP %s (%s) (built: %s)\nCopyright (c) The PHP Group\n%s", engineVersion().c_str(),
                sapi_module.name, buildDate().c_str(), get_zend_version());
    std::puts("    with muster v" MUSTER_VERSION ", a FastCGI process manager");
}

void printNames(const char* title, std::vector<const char*> names) {
    std::sort(names.begin(), names.end(),
              [](const char* a, const char* b) { return strcasecmp(a, b) < 0; });
    std::printf("[%s]\n", title);
    for (const char* name : names) {
        std::puts(name);
    }
    std::puts("");
}

void printModules() {
    std::vector<const char*> modules;
    zval* module = nullptr;
    ZEND_HASH_FOREACH_VAL(&module_registry, module) {
        modules.push_back(static_cast<const zend_module_entry*>(Z_PTR_P(module))->name);
    }
    ZEND_HASH_FOREACH_END();
    printNames("PHP Modules", std::move(modules));

    std::vector<const char*> extensions;
    for (zend_llist_element* e = zend_extensions.head; e != nullptr; e = e->next) {
        extensions.push_back(reinterpret_cast<const zend_extension*>(e->data)->name);
    }
    printNames("Zend Modules", std::move(extensions));
}

}  // namespace

int printDescription(Description what) noexcept {
    sapi_module.phpinfo_as_text = 1;
    if (php_request_startup() == FAILURE) {
        return kSoftware;
    }
    SG(headers_sent) = 1;
    SG(request_info).no_headers = true;
    switch (what) {
        case Description::version:
            printVersion();
            break;
        case Description::modules:
            printModules();
            break;
        case Description::information:
            php_print_info(static_cast<int>(PHP_INFO_ALL));
            break;
    }
    php_request_shutdown(nullptr);
    std::fflush(stdout);
    return 0;
}

}  // namespace muster::php
